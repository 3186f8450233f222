//! Plays one scenario of the kit, step by step. A step that is not known fails the scenario.

use gherkin::{Scenario, Step};
use qc_document::{ParseLimits, Source, parse_yaml};
use qc_engine::RunEnd;
use serde_json::{Map, Value};

use crate::{
    hosts::Hosts,
    stage::{Fate, Played, execute},
};

/// Plays a scenario; panics at the first step that does not hold.
pub(crate) async fn play(scenario: &Scenario, hosts: &Hosts) {
    let mut definition = None;
    let mut input = Value::Object(Map::new());
    let mut played = None;
    for step in &scenario.steps {
        match step.value.trim() {
            "a workflow with definition:" => definition = Some(attached(step)),
            "given the workflow input is:" => input = value(step),
            "the workflow is executed" => {
                let definition = definition.as_deref().expect("a definition comes first");
                played = Some(execute(definition, input.clone(), hosts).await);
            }
            claim => {
                let played = played.as_ref().expect("it was executed");
                println!("  {claim}");
                holds(claim, step, played);
            }
        }
    }
    let last = scenario.steps.last().expect("a scenario has steps").value.trim();
    assert_ne!(last, "the workflow is executed", "a scenario claims something");
}

/// The text attached to a step, without the mark of its language.
fn attached(step: &Step) -> String {
    let text = step.docstring.as_deref().expect("a text is attached");
    let text = text.trim_start_matches('\n');
    text.strip_prefix("yaml\n").unwrap_or(text).to_owned()
}

fn value(step: &Step) -> Value {
    let source = Source::new("step.yaml", attached(step));
    parse_yaml(source, &ParseLimits::default()).expect("is YAML").root.to_value()
}

fn holds(claim: &str, step: &Step, played: &Played) {
    if let Some(outcome) = claim.strip_prefix("the workflow should ") {
        return ends(outcome, step, played);
    }
    if let Some(property) = claim.strip_prefix("the workflow output should have ") {
        return has(property, step, output(played));
    }
    let started = &played.started;
    match claim.split_whitespace().collect::<Vec<_>>()[..] {
        [task, "should", "run", "first"] => {
            assert_eq!(started.first().map(String::as_str), Some(task));
        }
        [task, "should", "run", "last"] => {
            assert_eq!(started.last().map(String::as_str), Some(task));
        }
        [task, "should", "run", "after", other] => {
            assert!(place(started, task) > place(started, other), "{started:?}");
        }
        [task, "should", "run", "before", other] => {
            assert!(place(started, task) < place(started, other), "{started:?}");
        }
        [task, "should", "complete"] => {
            assert!(played.completed.iter().any(|name| name == task), "{:?}", played.completed);
        }
        _ => panic!("unknown step: {claim}"),
    }
}

fn place(started: &[String], task: &str) -> usize {
    let place = started.iter().position(|name| name == task);
    place.unwrap_or_else(|| panic!("`{task}` did not run: {started:?}"))
}

fn ends(outcome: &str, step: &Step, played: &Played) {
    match outcome {
        "complete" => {
            output(played);
        }
        "complete with output:" => assert_eq!(output(played), &value(step)),
        "fault" => {
            error(played);
        }
        "fault with error:" => {
            let (wanted, error) = (value(step), error(played));
            for (name, wanted) in wanted.as_object().expect("an error is an object") {
                assert_eq!(error.get(name), Some(wanted), "`{name}` of {error}");
            }
        }
        other => panic!("unknown step: the workflow should {other}"),
    }
}

fn output(played: &Played) -> &Value {
    match &played.fate {
        Fate::Ended(RunEnd::Completed { output }) => output,
        other => panic!("the workflow did not complete: {other:#?}"),
    }
}

fn error(played: &Played) -> &Value {
    match &played.fate {
        Fate::Ended(RunEnd::Faulted { error, .. }) => error,
        other => panic!("the workflow did not fault: {other:#?}"),
    }
}

/// `properties 'a', 'b.c'` · `a 'a.b' property with value:` · `a 'a' property containing 2 items`.
fn has(property: &str, step: &Step, output: &Value) {
    let quoted: Vec<&str> = property.split('\'').collect();
    let found = |path: &str| {
        let value = path.split('.').try_fold(output, |value, name| value.get(name));
        let value = value.filter(|value| !value.is_null());
        value.unwrap_or_else(|| panic!("there is no `{path}` in {output}"))
    };
    match quoted[..] {
        ["properties ", ..] => {
            for path in quoted.iter().skip(1).step_by(2) {
                found(path);
            }
        }
        ["a ", path, " property with value:"] => assert_eq!(found(path), &value(step)),
        ["a ", path, claim] => {
            let count = claim.strip_prefix(" property containing ");
            let count = count.and_then(|count| count.strip_suffix(" items"));
            let count: usize = count.expect("a known claim").parse().expect("is a number");
            assert_eq!(found(path).as_array().map(Vec::len), Some(count), "`{path}` of {output}");
        }
        _ => panic!("unknown step: the workflow output should have {property}"),
    }
}
