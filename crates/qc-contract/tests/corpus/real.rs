//! Real descriptions as bases: operations of GitHub's REST API, each as a small document of its own.

use std::io::Read as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::sites::written_out;

/// How many operations are taken, spread over the whole document.
const OPERATIONS: usize = 8;
/// Largest operation that is taken, in bytes, so that the test stays short.
const SIZE_LIMIT: usize = 6_000;

/// The bases, or nothing where the shared data are absent.
pub(crate) fn bases() -> Option<Vec<Value>> {
    let shared = std::env::var_os("QC_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let path = shared.join("data/github-rest-api/octokit-openapi-19.1.0.json.gz");
    let Ok(bytes) = std::fs::read(&path) else {
        println!("skipped: {} is not there", path.display());
        return None;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).expect("gzip of text");
    let document: Value = serde_json::from_str(&text).expect("is JSON");
    let mut bases = Vec::new();
    for (path, item) in document["paths"].as_object().expect("has paths") {
        for (method, operation) in item.as_object().expect("methods") {
            if operation.get("responses").is_none() {
                continue;
            }
            let mut operation = written_out(&document, operation, 3);
            let texts = operation.as_object_mut().expect("an object");
            texts.retain(|name, _| matches!(&**name, "parameters" | "requestBody" | "responses"));
            if operation.to_string().len() <= SIZE_LIMIT {
                bases.push(json!({
                    "openapi": "3.0.3", "info": {"title": "GitHub", "version": "1.1.4"},
                    "paths": {path: {method: operation}},
                }));
            }
        }
    }
    let step = (bases.len() / OPERATIONS).max(1);
    Some(bases.into_iter().step_by(step).collect())
}
