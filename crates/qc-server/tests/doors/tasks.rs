//! What people are asked, over the API.

use qc_access::Role;
use serde_json::{Value, json};

use crate::api::Api;

const NOTHING: &Value = &Value::Null;

async fn asked(api: &Api, mode: &str, status: &str) -> (String, String) {
    let run = api.run(mode, status).await;
    let open = api.get(&format!("/api/v1/tasks?run={run}")).await;
    let task = open["items"][0]["id"].as_str().unwrap_or_else(|| panic!("{open}")).to_owned();
    (run, task)
}

/// Every operation on tasks, once as it is meant and once as it is refused.
pub(crate) async fn people(api: &Api) {
    let ada = api.world.person("ada", Role::Approver).await;
    let bob = api.world.person("bob", Role::Operator).await;
    let (run, task) = asked(api, "ask", "waiting").await;
    let path = format!("/api/v1/tasks/{task}");

    let listed = api.get("/api/v1/tasks?assignee=ada&environment=production").await;
    assert_eq!(listed["items"][0]["id"], task);
    assert!(!listed.to_string().contains("private"), "a list shows no payload: {listed}");
    assert_eq!(api.get("/api/v1/tasks?assignee=bob").await["items"], json!([]));
    api.act("GET", "/api/v1/tasks?state=maybe", NOTHING, 400).await;
    let shown = api.act_as(&ada, "GET", &path, NOTHING, 200).await;
    assert_eq!(shown["of"], json!({"amount": 7, "secret": "private"}));
    assert_eq!((&shown["kind"], &shown["asked"]), (&json!("approve"), &json!(["desk-team"])));
    let missing = api.act("GET", &format!("/api/v1/tasks/{run}.9"), NOTHING, 404).await;
    assert_eq!(missing["code"], "QC-H003");

    // Who is not asked, who is nobody, and who did not look.
    let yes = json!({"decision": "approved", "reason": "fits", "hash": shown["hash"]});
    let decide = format!("{path}/decide");
    let refused = |token: String, body: Value, status: u16| {
        let decide = decide.clone();
        async move { api.act_as(&token, "POST", &decide, &body, status).await["code"].clone() }
    };
    assert_eq!(refused(bob.clone(), yes.clone(), 403).await, "QC-H007");
    assert_eq!(refused(api.world.owner.clone(), yes.clone(), 403).await, "QC-H006");
    assert_eq!(refused(ada.clone(), json!({"decision": "approved"}), 422).await, "QC-H010");
    let stale = json!({"decision": "approved", "hash": "sha256:0"});
    assert_eq!(refused(ada.clone(), stale, 409).await, "QC-H004");
    let odd = json!({"decision": "perhaps", "hash": shown["hash"]});
    assert_eq!(refused(ada.clone(), odd, 422).await, "QC-H008");
    let auditor = api.world.token(None, Role::Auditor, None).await;
    api.act_as(&auditor, "GET", "/api/v1/tasks", NOTHING, 200).await;
    assert_eq!(api.act_as(&auditor, "GET", &path, NOTHING, 403).await["code"], "QC-A005");
    assert_eq!(api.act_as(&auditor, "POST", &decide, &yes, 403).await["code"], "QC-A005");

    let claimed = api.act_as(&ada, "POST", &format!("{path}/claim"), NOTHING, 200).await;
    assert_eq!((&claimed["state"], &claimed["by"]), (&json!("claimed"), &json!("ada")));
    let done = api.act_as(&ada, "POST", &decide, &yes, 200).await;
    assert_eq!((&done["state"], &done["decision"]), (&json!("decided"), &json!("approved")));
    assert!(done["of"].is_null(), "the answer shows no payload");
    api.world.until(&run, "completed").await;
    api.act_as(&ada, "POST", &decide, &yes, 200).await;
    let no = json!({"decision": "rejected", "hash": shown["hash"]});
    assert_eq!(refused(ada.clone(), no, 409).await, "QC-H005");
    let over = api.get(&format!("/api/v1/tasks?state=over&run={run}")).await;
    assert_eq!(over["items"][0]["reason"], "fits");
    let end = api.get(&format!("/api/v1/runs/{run}/journal")).await["end"].clone();
    assert_eq!(
        (&end["output"]["decision"], &end["output"]["by"]),
        (&json!("approved"), &json!("ada"))
    );

    // A run that cannot go on.
    let (run, task) = asked(api, "once", "parked").await;
    let act = format!("/api/v1/tasks/{task}/act");
    let skip = json!({"act": "skip", "output": {"id": 3}, "reason": "booked by hand"});
    assert_eq!(api.act_as(&ada, "POST", &act, &skip, 403).await["code"], "QC-H007");
    let undo = json!({"act": "compensate"});
    assert_eq!(api.act_as(&bob, "POST", &act, &undo, 409).await["code"], "QC-H009");
    let acted = api.act_as(&bob, "POST", &act, &skip, 200).await;
    assert_eq!((&acted["state"], &acted["decision"]), (&json!("acted"), &json!("skip")));
    api.world.until(&run, "completed").await;
}
