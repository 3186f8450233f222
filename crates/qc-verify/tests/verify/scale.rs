//! Descriptions as large as they come.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderMap, StatusCode};
use qc_contract::OpenApi;
use qc_model::{Body, CallError, Caller, OutboundRequest, OutboundResponse};
use qc_verify::{Credentials, Target, Verification};

/// Answers everything with nothing.
struct Silent;

#[async_trait]
impl Caller for Silent {
    async fn call(&self, _: OutboundRequest) -> Result<OutboundResponse, CallError> {
        let body = Body::empty();
        Ok(OutboundResponse { status: StatusCode::NO_CONTENT, headers: HeaderMap::new(), body })
    }
}

fn github() -> Option<String> {
    let shared = std::env::var_os("QC_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let path = shared.join("data/github-rest-api/octokit-openapi-19.1.0.json.gz");
    let file = std::fs::File::open(path).ok()?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).ok()?;
    Some(text)
}

#[tokio::test]
async fn the_operations_of_a_large_description_share_the_limit() {
    let Some(text) = github() else {
        println!("skipped: the descriptions of GitHub's API are not there (set QC_SHARED)");
        return;
    };
    let api = Arc::new(OpenApi::from_text("api.json", &text).unwrap());
    let values = BTreeMap::new();
    // Every fifteenth, so that all areas of the API are among them.
    let asked: Vec<String> =
        api.operations().iter().step_by(15).map(|operation| operation.id.to_string()).collect();
    let verification = Verification {
        api: &api,
        target: Target::simulated().unwrap(),
        caller: Arc::new(Silent),
        credentials: &Credentials::made(),
        values: &values,
        operations: &asked,
        seed: 1,
        rate: None,
        case_limit: 300,
        is_lenient: true,
    };
    let report = verification.run().await;
    assert!(asked.len() > 40, "{}", asked.len());
    assert!((200..=300).contains(&report.results.len()), "{}", report.results.len());
    assert!(report.cut.is_some_and(|cut| cut.possible > 800), "{:?}", report.cut);
    assert!(report.requests < 6 * report.results.len(), "{}", report.requests);
    let tried: BTreeSet<&str> =
        report.results.iter().map(|result| result.operation.as_str()).collect();
    let left_out: BTreeSet<&str> =
        report.not_tried.iter().map(|not| not.operation.as_str()).collect();
    // None is passed over in silence.
    for id in &asked {
        assert!(tried.contains(id.as_str()) || left_out.contains(id.as_str()), "{id}");
    }
}
