//! The conformance test kit of the Open Workflow Specification through the real engine, the real
//! outbound stack and real HTTP. The two public hosts of the kit are stand-ins on loopback; nothing
//! else differs from what the kit says.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod hosts;
mod scenario;
mod stage;

use std::path::PathBuf;

use gherkin::{Feature, GherkinEnv};
use serde_json::json;

use crate::{
    hosts::Hosts,
    stage::{Fate, execute},
};

/// What the kit's 21 scenarios ask of the hosts, in the order of their files.
const REQUESTS: [&str; 10] = [
    "pets GET /v2/pet/findByStatus?status=available",
    "pets GET /v2/pet/1",
    "bin GET /basic-auth/serverless-workflow/conformance-test",
    "pets GET /v2/pet/findByStatus?status=available",
    "pets GET /v2/pet/1",
    "pets GET /v2/pet/1",
    "pets GET /v2/pet/1",
    "pets GET /v2/pet/2",
    "pets GET /v2/pet/getPetByName/Milou",
    "pets GET /v2/pet/getPetByName/Milou",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_scenario_of_the_kit_passes_over_http() {
    let Some(folder) = features() else { return };
    let hosts = Hosts::open().await;
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut passed = 0;
    for file in files {
        let feature = Feature::parse_path(&file, GherkinEnv::default()).expect("is Gherkin");
        for scenario in &feature.scenarios {
            println!("{}: {}", feature.name, scenario.name);
            scenario::play(scenario, &hosts).await;
            passed += 1;
        }
    }
    assert_eq!(passed, 21, "the kit has 21 scenarios");
    assert_eq!(hosts.requests(), REQUESTS, "each call leaves as one request, and as the kit says");
}

/// Guards the kit's scenario with basic authentication: it would pass with a host that lets
/// everybody in.
#[tokio::test]
async fn the_stand_in_refuses_a_wrong_password() {
    let hosts = Hosts::open().await;
    let workflow = "
document: { dsl: '1.0.3', namespace: default, name: wrong-password, version: '1.0.0' }
do:
  - login:
      call: http
      with:
        method: get
        endpoint:
          uri: https://httpbin.org/basic-auth/{username}/right
          authentication: { basic: { username: '${ .username }', password: '${ .password }' } }
";
    let played = execute(workflow, json!({"username": "milou", "password": "wrong"}), &hosts).await;
    // A credential that is refused parks the run until somebody mends it.
    assert!(matches!(&played.fate, Fate::Parked(reason) if reason.contains("401")), "{played:?}");
    assert!(played.completed.is_empty(), "{played:?}");
    assert_eq!(hosts.requests(), ["bin GET /basic-auth/milou/right"]);
}

/// Where the kit is; None, and said so, when it is not on this machine.
fn features() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a test finds its data through the environment")]
    let given = std::env::var("QC_SHARED").ok().map(PathBuf::from);
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let found = given.unwrap_or_else(beside).join("standards/open-workflow/ctk/features");
    if found.is_dir() {
        return Some(found);
    }
    println!("SKIPPED: there is no {} (set QC_SHARED)", found.display());
    None
}
