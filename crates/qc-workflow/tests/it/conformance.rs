//! The conformance test kit of the Open Workflow Specification, all scenarios, without a network:
//! the pet store and httpbin are answered here.

use std::collections::BTreeMap;

use gherkin::{Feature, GherkinEnv, Scenario, Step};
use qc_document::{ParseLimits, Source, parse_yaml};
use qc_model::{Class, Code, Failure};
use qc_workflow::{Authentication, CallOutput, CallRequest, CallTarget, NoteKind, RequestFacts};
use serde_json::{Value, json};

use crate::driver::{Bound, Run, program_of, shared};

#[test]
fn every_scenario_of_the_kit_passes() {
    let Some(shared) = shared() else { return };
    let folder = shared.join("standards/open-workflow/ctk/features");
    let mut passed = 0;
    let mut files: Vec<_> =
        folder.read_dir().expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    for file in files {
        let feature = Feature::parse_path(&file, GherkinEnv::default()).expect("is Gherkin");
        for scenario in &feature.scenarios {
            println!("{}: {}", file.display(), scenario.name);
            execute(scenario);
            passed += 1;
        }
    }
    assert_eq!(passed, 21, "the kit has 21 scenarios");
}

fn execute(scenario: &Scenario) {
    let mut definition = None;
    let mut input = json!({});
    let mut run = None;
    for step in &scenario.steps {
        let text = step.value.trim();
        if text == "a workflow with definition:" {
            definition = Some(docstring(step));
        } else if text == "given the workflow input is:" {
            input = value(step);
        } else if text == "the workflow is executed" {
            let text = definition.take().expect("a definition comes first");
            let program = program_of(&text, &Bound::default());
            let mut started = Run::start(program, input.clone(), 7);
            started.finish(provider);
            run = Some(started);
        } else {
            check(step, text, run.as_ref().expect("it was executed"));
        }
    }
}

fn docstring(step: &Step) -> String {
    let text = step.docstring.clone().expect("a docstring");
    let text = text.strip_prefix('\n').unwrap_or(&text);
    text.strip_prefix("yaml\n").unwrap_or(text).to_owned()
}

fn value(step: &Step) -> Value {
    let source = Source::new("step.yaml", docstring(step));
    parse_yaml(source, &ParseLimits::default()).expect("is YAML").root.to_value()
}

fn check(step: &Step, text: &str, run: &Run) {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words[..] {
        ["the", "workflow", "should", "complete"] => {
            run.output();
        }
        ["the", "workflow", "should", "complete", "with", "output:"] => {
            assert_eq!(run.output(), &value(step));
        }
        ["the", "workflow", "should", "fault"] => {
            run.error();
        }
        ["the", "workflow", "should", "fault", "with", "error:"] => {
            for (key, wanted) in value(step).as_object().expect("an object") {
                assert_eq!(&run.error()[key], wanted, "{key}");
            }
        }
        ["the", "workflow", "output", "should", "have", ..] => properties(step, text, run.output()),
        [task, "should", "run", "first"] => assert_eq!(run.started().first(), Some(&task)),
        [task, "should", "run", "last"] => assert_eq!(run.started().last(), Some(&task)),
        [task, "should", "run", order, other] => {
            let at = |name| run.started().iter().position(|started| *started == name);
            let (task, other) = (at(task).expect("it ran"), at(other).expect("it ran"));
            assert!(if order == "after" { task > other } else { task < other }, "{text}");
        }
        [task, "should", "complete"] => {
            assert!(run.noted(|kind| *kind == NoteKind::Completed).contains(&task));
        }
        _ => panic!("unknown step: {text}"),
    }
}

fn properties(step: &Step, text: &str, output: &Value) {
    let named: Vec<&str> = text.split('\'').skip(1).step_by(2).collect();
    let find = |path: &str| {
        path.split('.').try_fold(output, |value, name| value.get(name)).unwrap_or(&Value::Null)
    };
    for path in &named {
        assert!(!find(path).is_null(), "{path} in {output}");
    }
    if text.ends_with("with value:") {
        assert_eq!(find(named[0]), &value(step));
    } else if let Some(count) = text.split("containing ").nth(1) {
        let count: usize = count.trim_end_matches(" items").parse().expect("a number");
        assert_eq!(find(named[0]).as_array().map(Vec::len), Some(count));
    }
}

/// The pet store (also by its Swagger 2.0 operations) and httpbin.
fn provider(request: &CallRequest) -> Result<CallOutput, Box<Failure>> {
    let pet = |id: i64| json!({"id": id, "name": "Milou", "status": "available"});
    let (method, uri, content) = match &request.target {
        CallTarget::OpenApi { document, operation, arguments, .. } => {
            assert_eq!(document, "https://petstore.swagger.io/v2/swagger.json");
            let content = match operation.as_str() {
                "findPetsByStatus" => {
                    assert_eq!(arguments["status"], "available");
                    json!([pet(1), pet(2)])
                }
                "getPetById" => pet(arguments["petId"].as_i64().expect("an id")),
                other => panic!("no operation {other}"),
            };
            ("GET".to_owned(), format!("{document}#{operation}"), content)
        }
        CallTarget::Http { method, endpoint, authentication, .. } => {
            let path = endpoint.split_once("://").expect("a URL").1;
            let (host, path) = path.split_once('/').expect("a path");
            let content = match (host, path) {
                ("petstore.swagger.io", "v2/pet/findByStatus?status=available") => {
                    json!([pet(1), pet(2)])
                }
                ("petstore.swagger.io", path) if path.starts_with("v2/pet/getPetByName/") => {
                    let failure = Failure::new(
                        Class::NotFound,
                        Code::new("QC-N404"),
                        "Not Found",
                        "no such pet",
                    );
                    return Err(Box::new(failure));
                }
                ("petstore.swagger.io", path) => {
                    let id = path.strip_prefix("v2/pet/").expect("a pet");
                    pet(id.parse().expect("a number"))
                }
                ("httpbin.org", "basic-auth/serverless-workflow/conformance-test") => {
                    let (username, password) =
                        ("serverless-workflow".to_owned(), "conformance-test".to_owned());
                    assert_eq!(authentication, &Some(Authentication::Basic { username, password }));
                    json!({"authenticated": true})
                }
                other => panic!("nothing at {other:?}"),
            };
            (method.clone(), endpoint.clone(), content)
        }
        CallTarget::Connector { .. } | CallTarget::Kept { .. } | CallTarget::Human { .. } => {
            panic!("the kit has no connectors and asks nobody")
        }
    };
    let headers = BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]);
    let request = RequestFacts { method, uri, headers: headers.clone() };
    Ok(CallOutput { status: 200, headers, content, request })
}
