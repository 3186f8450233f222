//! `qc contract expect`: what an integration needs is written, verified at a simulator, and held against a description that
//! changes.

use serde_json::{Value, json};

use crate::scene::Scene;

const OUT: &str = "integrations/ticket-sync/expects";
const HELPDESK: &str = "connectors/helpdesk/openapi.yaml";

#[test]
fn what_is_needed_is_written_verified_and_held() {
    let scene = Scene::template("ticket-sync");
    let expect = ["contract", "expect", "ticket-sync"];
    let told = scene.qc(&[&["--json"][..], &expect].concat()).ends(0);
    let told: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(told["systems"][1]["connector"], "helpdesk");
    assert_eq!(told["systems"][1]["needs"], json!(["createTicket/id"]));
    assert!(!scene.path(OUT).exists(), "nothing is written unasked");

    let write = [&expect[..], &["--out", OUT]].concat();
    let written = scene.qc(&write).ends(0);
    assert!(written.out.contains("  needs createTicket/id\n"), "{}", written.out);
    assert!(written.out.contains("helpdesk.json: written"), "{}", written.out);
    let look = [&write[..], &["--check"]].concat();
    assert!(scene.qc(&look).ends(0).out.contains("helpdesk.json: current"));
    scene.qc(&["check"]).ends(0);
    scene.qc(&["test"]).ends(0);

    let pact = format!("{OUT}/helpdesk.json");
    let test =
        ["contract", "test", "connectors/helpdesk", "--simulator", "--lenient", "--pact", &pact];
    let tested = scene.qc(&test).ends(0);
    assert!(tested.out.contains("1 passed, 0 failed"), "{}", tested.out);

    // The description lacks what is needed, or what is not.
    scene.edit(HELPDESK, "required: [id, ", "required: [number, ");
    scene.edit(HELPDESK, "        id: {type: string", "        number: {type: string");
    let said = scene.qc(&["check"]).ends(100);
    assert!(
        said.out.contains("QC-P041") && said.out.contains("the answer has no `/id`"),
        "{said:?}"
    );
    assert!(said.out.contains("qc contract expect ticket-sync --out"), "{said:?}");
}

#[test]
fn files_of_another_time_are_named() {
    let scene = Scene::template("notify");
    let out = "integrations/notify/expects";
    let write = ["contract", "expect", "notify", "--out", out];
    scene.write(&format!("{out}/crm.json"), "{}");
    let said = scene.qc(&write).ends(100);
    assert!(said.out.contains("crm.json: nothing is expected any more"), "{said:?}");
    assert!(said.out.contains("chat.json: written"), "{said:?}");
    std::fs::remove_file(scene.path(&format!("{out}/crm.json"))).unwrap();
    scene.edit("integrations/notify/workflow.yaml", "ref: ${ .alert_id }", "ref: ${ .title }");
    let said = scene.qc(&[&write[..], &["--check"]].concat()).ends(100);
    assert!(said.out.contains("chat.json: out of date"), "{said:?}");

    let said = scene.qc(&["contract", "expect", "nobody"]).ends(100);
    assert!(said.err.contains("QC-P035"), "{said:?}");
}
