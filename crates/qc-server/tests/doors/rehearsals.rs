//! Past runs are played for those who may see their payloads, and each time is in the audit.

use serde_json::{Value, json};

use crate::api::Api;

/// Every operation, over what ran before.
pub(crate) async fn operations(api: &Api) {
    api.run("ok", "completed").await;
    let deployed = api.get("/api/v1/deployments?environment=production&integration=doors").await;
    let release = deployed["items"][0]["release"].as_str().unwrap().to_owned();
    let place = format!("/api/v1/rehearsals/production/doors/{}", &release[..10]);
    let played = api.act("POST", &place, &json!({"sample": 5, "seed": 7}), 200).await;
    assert_eq!((&played["release"], &played["seed"]), (&json!(release), &json!(7)));
    assert_eq!(played["differences"], json!([]), "{played}");
    assert!(played["compared"].as_u64().unwrap() > 0 && played["differ"] == 0, "{played}");
    let run = played["runs"][0]["run"].as_str().unwrap();
    let one = api.act("POST", &place, &json!({"run": run}), 200).await;
    assert_eq!(one["runs"].as_array().unwrap().len(), 1);
    for unusable in [
        json!({"sample": 0}),
        json!({"sample": 201}),
        json!({"since": "yesterday"}),
        json!({"run": "x"}),
        json!({"more": 1}),
    ] {
        assert_eq!(api.act("POST", &place, &unusable, 422).await["code"], "QC-A012", "{unusable}");
    }
    let none = "/api/v1/rehearsals/production/doors/ffffffffff";
    assert_eq!(api.act("POST", none, &Value::Null, 404).await["code"], "QC-D001");
    let other = format!("/api/v1/rehearsals/production/other/{release}");
    assert_eq!(api.act("POST", &other, &Value::Null, 404).await["code"], "QC-D001");
    recorded(api).await;
    let audit = api.get("/api/v1/ledger?kind=audit&limit=500").await.to_string();
    assert!(audit.contains("rehearseRuns") && audit.contains("recordFixtures"), "{audit}");
}

async fn recorded(api: &Api) {
    let sent = json!({"id": "canary-4711", "mode": "ok"}).to_string();
    let run = api.world.send("contract", sent).await.run();
    api.world.until(&run, "completed").await;
    let place = "/api/v1/recordings/production/doors/contract";
    let made = api.act("POST", place, &json!({"sample": 3}), 200).await;
    assert!(made["looked_at"].as_u64().unwrap() > 0, "{made}");
    assert!(!made["fixtures"].as_array().unwrap().is_empty(), "{made}");
    assert!(!made.to_string().contains("canary-4711"), "{made}");
    for unusable in [json!({"sample": 51}), json!({"sample": 0}), json!({"since": "now"})] {
        assert_eq!(api.act("POST", place, &unusable, 422).await["code"], "QC-A012", "{unusable}");
    }
    let none = "/api/v1/recordings/production/doors/nobody";
    assert_eq!(api.act("POST", none, &Value::Null, 404).await["code"], "QC-I033");
    let loose = "/api/v1/recordings/production/doors/json";
    assert_eq!(api.act("POST", loose, &Value::Null, 400).await["code"], "QC-R091");
}
