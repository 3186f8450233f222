//! Providers made from the documents of real vendors, where those are at hand.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod scene;

use std::io::Read;
use std::path::PathBuf;

use qc_contract::OpenApi;
use qc_simulator::{Credentials, Provider, Setup, SimulatorSpec};
use scene::{at_noon, request, setup};
use serde_json::{Value, json};

fn shared(path: &str) -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "the house rule for tests with outside data")]
    let root = std::env::var("QC_SHARED").map_or_else(
        |_| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let path = root.join(path);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is not there", path.display());
    None
}

fn document(path: &PathBuf) -> OpenApi {
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap();
    if path.extension().is_some_and(|extension| extension == "gz") {
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    } else {
        std::io::BufReader::new(file).read_to_string(&mut text).unwrap();
    }
    OpenApi::from_text("vendor.json", &text).unwrap()
}

fn provider(path: &PathBuf, credentials: Credentials) -> Provider {
    let setup = Setup { credentials, ..setup("vendor", &at_noon(), None) };
    Provider::new(document(path), SimulatorSpec::default(), setup).unwrap()
}

#[test]
fn github_keeps_issues() {
    let Some(path) = shared("data/github-rest-api/octokit-openapi-19.1.0.json.gz") else { return };
    let github = provider(&path, Credentials::none());
    let issues = "/repos/octocat/hello/issues";
    let send = |method: &str, target: &str, body: &Value| {
        let answer = github.handle(request(method, target, &[], body));
        (answer.status().unwrap(), answer.json().unwrap_or_default())
    };
    for number in 1..=3 {
        let (status, issue) = send("POST", issues, &json!({"title": format!("Bug {number}")}));
        assert_eq!(
            (status, &issue["number"], &issue["assignee"]),
            (201, &json!(number), &Value::Null)
        );
    }
    assert_eq!(send("GET", &format!("{issues}/2"), &Value::Null).1["title"], "Bug 2");
    assert_eq!(
        send("PATCH", &format!("{issues}/2"), &json!({"state": "closed"})).1["state"],
        "closed"
    );
    let (_, closed) = send("GET", &format!("{issues}?state=closed"), &Value::Null);
    assert_eq!(closed.as_array().unwrap().len(), 1);
    let (_, page) = send("GET", &format!("{issues}?per_page=2&page=2"), &Value::Null);
    assert_eq!(page[0]["title"], "Bug 3");
    assert_eq!(send("POST", issues, &json!({})).0, 422);
    assert_eq!(send("GET", &format!("{issues}/9"), &Value::Null).0, 404);
    assert_eq!(
        send("GET", "/meta", &Value::Null).0,
        200,
        "an operation without resources answers a sample"
    );
}

#[test]
fn slack_answers_samples() {
    let Some(folder) = shared("data/slack-web-api") else { return };
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.to_string_lossy().contains(".json"));
    paths.sort();
    let slack = provider(paths.last().unwrap(), Credentials::any());
    let mut post = request("POST", "/chat.postMessage", &[], &Value::Null);
    post.headers.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    post.headers.insert("token", "xoxb-1".parse().unwrap());
    post.headers.insert("authorization", "Bearer xoxb-1".parse().unwrap());
    post.body = "channel=C1&text=hello".into();
    let answer = slack.handle(post);
    assert!(answer.json().is_some_and(|body| body["ok"] == true), "{answer:?}");
}
