//! Real, large descriptions: GitHub's (OpenAPI 3.0) and Slack's (Swagger 2.0), from the shared data folder.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;

use qc_contract::{OpenApi, Routed, Version};
use qc_model::{Finding, Severity};
use serde_json::{Value, json};

fn shared(path: &str) -> Option<String> {
    let root = std::env::var_os("QC_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let file = root.join("data").join(path);
    let Ok(packed) = std::fs::read(&file) else {
        println!("skipped: {} is not there (set QC_SHARED)", file.display());
        return None;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut text).expect("is gzip of text");
    Some(text)
}

fn load(text: String) -> (OpenApi, Vec<Finding>) {
    let files = BTreeMap::from([("openapi.json".to_owned(), text)]);
    let (api, findings) = OpenApi::load(&files, "openapi.json");
    (api.expect("loads"), findings)
}

fn errors(findings: &[Finding]) -> Vec<String> {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    errors.map(ToString::to_string).collect()
}

#[test]
fn github_is_understood() {
    let Some(text) = shared("github-rest-api/octokit-openapi-19.1.0.json.gz") else { return };
    let (api, findings) = load(text);
    assert_eq!(errors(&findings), Vec::<String>::new());
    assert!(api.operations().len() > 900, "{}", api.operations().len());
    let create = api.operation("issues/create").expect("is there");
    let arguments = json!({
        "owner": "o", "repo": "r", "title": "A case", "labels": ["bug"], "assignees": ["x"]
    });
    let request = api.build(create, &arguments).expect("builds");
    assert_eq!(request.path, "/repos/o/r/issues");
    let found =
        api.build(create, &json!({"owner": "o", "repo": "r", "labels": 3})).expect_err("wrong");
    let messages: Vec<&str> = found.iter().map(|mismatch| mismatch.message.as_str()).collect();
    assert_eq!(messages, ["`title` is missing", "must be of type array, but is an integer"]);

    // GitHub's own examples satisfy GitHub's own schemas.
    let body = api.sample_response(create, 201, 0).expect("has a body");
    let location = [("Location".to_owned(), "https://api.github.com/x".to_owned())];
    assert_eq!(api.check_response(create, 201, &location, Some(&body)), []);
    let mut drifted = body;
    drifted["number"] = json!("12");
    let found = api.check_response(create, 201, &location, Some(&drifted));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].pointer, "/number");

    let Routed::Found { operation, path } = api.route("GET", "/repos/o/r/issues/7") else {
        panic!("routes")
    };
    assert_eq!((&*operation.id, path.len()), ("issues/get", 3));

    let pruned = api.keep_only(&["issues/create", "issues/get"]);
    let text = pruned.to_string();
    assert!(text.len() < 400_000, "{}", text.len());
    let again = OpenApi::from_text("pruned.json", &text).expect("loads again");
    assert_eq!(again.operations().len(), 2);
    assert_eq!(again.keep_only(&["issues/get", "issues/create"]).to_string(), text);
    assert_eq!(again.prove(&["issues/create", "issues/get"]), []);
}

#[test]
fn github_samples_are_valid() {
    let Some(text) = shared("github-rest-api/octokit-openapi-12.0.0.json.gz") else { return };
    let (api, _) = load(text);
    let mut judged = 0;
    let mut wrong: Vec<String> = Vec::new();
    for operation in api.operations().iter().step_by(25) {
        let arguments = api.sample_arguments(operation, 1);
        if let Err(found) = api.build(operation, &arguments) {
            wrong.push(format!("{}: {found:?}", operation.id));
        }
        let status = (200..300).find(|status| operation.response(*status).is_some());
        let Some(body) = status.and_then(|status| api.sample_response(operation, status, 1)) else {
            continue;
        };
        judged += 1;
        let found = api.check_response(operation, status.unwrap_or(200), &[], Some(&body));
        let found: Vec<_> = found.into_iter().filter(|m| m.keyword != "header").collect();
        if !found.is_empty() {
            wrong.push(format!("{}: {found:?}", operation.id));
        }
    }
    assert!(judged > 15, "{judged}");
    assert!(wrong.is_empty(), "{} wrong: {:#?}", wrong.len(), wrong);
}

#[test]
fn slack_is_understood() {
    for version in ["2018-05-16", "2019-07-17", "2020-10-06"] {
        let Some(text) = shared(&format!("slack-web-api/{version}.json.gz")) else { return };
        let (api, findings) = load(text);
        assert_eq!(errors(&findings), Vec::<String>::new(), "{version}");
        assert_eq!(api.version(), Version::V2);
        let post = api.operation("chat_postMessage").or_else(|| api.operation("chat.postMessage"));
        let post = post.expect("is there");
        let arguments = api.sample_arguments(post, 1);
        let built = api.build(post, &arguments);
        assert!(built.is_ok(), "{version}: {built:?}");
        let found = api.check_response(post, 200, &[], Some(&json!({"ok": "yes"})));
        assert!(!found.is_empty(), "{version}");
        let pruned = api.keep_only(&[&post.id]);
        let again = OpenApi::from_text("slack.json", &pruned.to_string()).expect("loads again");
        assert_eq!(again.operations().len(), 1);
        let ids: Vec<&str> = api.operations().iter().map(|operation| &*operation.id).collect();
        let errors: Vec<Finding> =
            api.prove(&ids).into_iter().filter(|f| f.severity == Severity::Error).collect();
        assert_eq!(errors, [], "{version}");
    }
}

#[test]
fn payloads_of_github_webhooks_parse_alike() {
    let root = std::env::var_os("QC_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let Ok(folder) = std::fs::read_dir(root.join("data/github-webhooks")) else {
        println!("skipped: no webhook payloads (set QC_SHARED)");
        return;
    };
    let limits = qc_document::ParseLimits::ingress();
    for file in
        folder.filter_map(Result::ok).filter(|f| f.path().extension().is_some_and(|e| e == "json"))
    {
        let bytes = std::fs::read(file.path()).expect("is readable");
        let ours = qc_document::parse_json_value(&bytes, &limits).expect("is JSON");
        let theirs: Value = serde_json::from_slice(&bytes).expect("is JSON");
        assert_eq!(ours, theirs, "{}", file.path().display());
    }
}

/// A thousand descriptions from other tools' test suites, many of them broken on purpose: none may panic or hang, and
/// what loads without errors must compile, sample, prune and load again.
#[test]
fn descriptions_of_other_suites_never_break_us() {
    let root = std::env::var_os("QC_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let file = root.join("data/contract-cases/openapi_pairs_unified.jsonl");
    let Ok(lines) = std::fs::read_to_string(&file) else {
        println!("skipped: {} is not there (set QC_SHARED)", file.display());
        return;
    };
    // Contradictory schemas: a list of strings that contains an integer; words all
    // shorter than the least length; two equal alternatives of which only one may fit.
    let unsatisfiable = [
        "oasdiff/TestBreaking_RequestMinLengthSmaller/1",
        "oasdiff/TestRequestBodyContainsAdded/1",
        "oasdiff/TestRequestPropertyOneOfAdded/1",
        "oasdiff/TestResponsePropertyOneOfAdded_WithSources/1",
    ];
    let (mut clean, mut unclean) = (0, 0);
    let mut wrong: Vec<String> = Vec::new();
    for line in lines.lines() {
        let case: Value = serde_json::from_str(line).expect("is JSON");
        if unsatisfiable.iter().any(|id| case["id"] == **id) {
            continue;
        }
        for side in ["base", "revision"] {
            let text = case[side].to_string();
            let files = BTreeMap::from([("openapi.json".to_owned(), text)]);
            let (api, findings) = OpenApi::load(&files, "openapi.json");
            let Some(api) = api.filter(|_| errors(&findings).is_empty()) else {
                unclean += 1;
                continue;
            };
            clean += 1;
            let name = format!("{} {side}", case["id"]);
            judge(&api, &name, &mut wrong);
        }
    }
    println!("{clean} clean, {unclean} with errors, {} wrong", wrong.len());
    assert!(clean > 1000, "{clean}");
    assert!(wrong.is_empty(), "{} wrong: {:#?}", wrong.len(), &wrong[..wrong.len().min(20)]);
}

fn judge(api: &OpenApi, name: &str, wrong: &mut Vec<String>) {
    let ids: Vec<&str> = api.operations().iter().map(|operation| &*operation.id).collect();
    for finding in api.prove(&ids) {
        if finding.severity == Severity::Error {
            wrong.push(format!("{name}: {finding}"));
        }
    }
    let pruned = api.keep_only(&ids);
    match OpenApi::from_text("pruned.json", &pruned.to_string()) {
        Ok(again) if again.operations().len() == ids.len() => {}
        Ok(again) => {
            wrong.push(format!("{name}: {} of {} operations", again.operations().len(), ids.len()));
        }
        Err(findings) => wrong.push(format!("{name}: pruned: {}", findings[0])),
    }
    for operation in api.operations() {
        if let Err(found) = api.build(operation, &api.sample_arguments(operation, 1)) {
            wrong.push(format!("{name} {}: {}", operation.id, found[0]));
        }
        for status in (200..210).chain([400]) {
            let Some(body) = api.sample_response(operation, status, 1) else { continue };
            let found = api.check_response(operation, status, &[], Some(&body));
            if let Some(found) =
                found.iter().find(|m| m.keyword != "header" && m.keyword != "content")
            {
                wrong.push(format!("{name} {} {status}: {found} for {body}", operation.id));
            }
        }
    }
}
