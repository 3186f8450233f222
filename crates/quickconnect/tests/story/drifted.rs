//! An API of somebody else changes, through the binary: runs are parked with what was answered, and go on once it is put
//! right.

use std::time::Instant;

use serde_json::{Value, json};

use crate::{
    stage::project::replace,
    versions::{Asked, PATIENCE},
};

/// What the vet says of its API.
pub(crate) const SHOTS: &str = "
openapi: 3.1.0
info: { title: Vet, version: 1.0.0 }
servers: [{ url: https://vet.example }]
paths:
  /shots:
    post:
      operationId: giveShot
      responses:
        '200':
          description: ok
          content: { application/json: { schema: { type: object, required: [id],
            properties: { id: { type: string }, dose: { type: number } } } } }
  /shots/last:
    get:
      operationId: lastShot
      responses:
        '200':
          description: ok
          content: { application/json: { schema: { type: object, required: [id],
            properties: { id: { type: string } } } } }
";

/// Whose contract is enforced.
pub(crate) const VET: &str = "
name: vet
version: 1.0.0
title: Vet
owner: me
openapi: openapi.yaml
response_validation: enforce
base_urls:
  sandbox: http://127.0.0.1:PORT
  staging: http://127.0.0.1:PORT
  production: http://127.0.0.1:PORT
operations:
  giveShot:
    effect: { class: once }
    retry: { attempts: 1 }
  lastShot: { canary: { every: 10m } }
";

/// The vet's answers are not what they were: runs wait with them, and go on by a word or by a release that puts them right.
pub(crate) fn drifted(asked: &mut Asked<'_>) {
    for id in ["shot1", "shot2"] {
        asked.run(id, "parked");
    }
    let began = Instant::now();
    let finding = loop {
        let listed = asked.told("drift list", &["--integration", "orders"]);
        let of = |kind: &str| {
            let items = listed["items"].as_array().unwrap().iter();
            let of_shots = |one: &&Value| one["kind"] == kind && one["operation"] == "giveShot";
            items.filter(of_shots).cloned().collect::<Vec<Value>>()
        };
        if let ([one], [end]) = (&of("breaking")[..], &of("end")[..]) {
            assert_eq!(
                (one["owner"].as_str(), one["parked"].as_array().unwrap().len()),
                (Some("me"), 2)
            );
            assert!(end["diff"][0]["message"].as_str().unwrap().contains("2030-06-30"), "{end}");
            break one["finding"].as_str().unwrap().to_owned();
        }
        assert!(began.elapsed() < PATIENCE, "{listed}");
    };
    let shown = asked.told("drift show", &[&finding]);
    assert_eq!(
        (&shown["diff"][1]["pointer"], &shown["diff"][1]["keyword"]),
        (&json!("/dose"), &json!("type"))
    );
    unasked(asked);
    let shapes = asked.told("drift shapes", &["--connector", "vet"]);
    assert_eq!(
        shapes["items"][0]["sunset"].as_str().map(|at| &at[..10]),
        Some("2030-06-30"),
        "{shapes}"
    );
    let shapes = shapes.to_string() + &asked.server.well(&["drift", "list"]);
    assert!(shapes.contains("/shot_id") && !shapes.contains("s1"), "{shapes}");
    let still = asked.server.qc(&["drift", "resume", &finding, "--map", "/shot_id=id"]);
    let still = String::from_utf8(still.stdout).unwrap();
    assert!(still.starts_with("0 go on, 2 stay parked") && still.contains("/dose"), "{still}");
    let integration = asked.server.folder.join("mine/integrations/orders/integration.yaml");
    replace(&integration, "version: 0.1.1", "version: 0.1.2");
    let vet = asked.server.folder.join("mine/connectors/vet/connector.yaml");
    let repairs =
        "giveShot:\n    repairs: { aliases: { /shot_id: id }, coerce: { /dose: number } }\n";
    replace(&vet, "giveShot:\n", repairs);
    let built = asked.told("release build", &["orders", "--folder", "mine"]);
    asked.told("deploy", &["sandbox", built["release"].as_str().unwrap()]);
    let done = asked.told("drift resume", &[&finding]);
    assert_eq!(done["going_on"].as_array().unwrap().len(), 2, "{done}");
    for id in ["shot1", "shot2"] {
        asked.until(id, "completed");
    }
    asked.run("shot3", "completed");
}

/// What no run ever called is asked by the platform itself, and has a finding.
fn unasked(asked: &mut Asked<'_>) {
    let began = Instant::now();
    let finding = loop {
        let canaries = asked.told("drift canaries", &["--connector", "vet"]);
        let [one] = &canaries["items"].as_array().unwrap()[..] else { panic!("{canaries}") };
        assert_eq!((&one["operation"], &one["every_seconds"]), (&json!("lastShot"), &json!(600)));
        if one["outcome"] == "breaks" {
            assert_eq!(
                (&one["sent"], &one["failed"], &one["on"]),
                (&json!(1), &json!(0), &json!(true))
            );
            break one["finding"].as_str().unwrap().to_owned();
        }
        assert!(began.elapsed() < PATIENCE, "{canaries}");
    };
    let shown = loop {
        let found = asked.server.qc(&["drift", "show", &finding]);
        if found.status.success() {
            break String::from_utf8(found.stdout).unwrap();
        }
        assert!(began.elapsed() < PATIENCE, "{found:?}");
    };
    assert!(shown.contains("1 of them by canary calls") && shown.contains("owner   me"), "{shown}");
    let listed = asked.server.well(&["drift", "canaries"]);
    assert!(listed.contains("vet.lastShot") && listed.contains(&finding), "{listed}");
}
