//! Keys and secrets are rotated while what they protect is in use.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::{Value, json};

use crate::{api::Api, client::Ask, sign, world::door};

const SECRET: &str = "the-signing-secret";

fn signed(body: &str) -> Ask {
    Ask::post(&door("github"), body)
        .header("x-github-event", "push")
        .header("x-hub-signature-256", &sign::github(SECRET, body.as_bytes()))
}

/// Senders sign with a secret of the vault, before, while and after it and all keys are rotated: none is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_drill_under_load_fails_no_request() {
    let api = Arc::new(Api::new().await);
    for (name, value) in [("github", SECRET), ("other/one", "another-value")] {
        let body = json!({"environment": "production", "name": name, "value": value});
        api.act("POST", "/api/v1/secrets/set", &body, 200).await;
    }
    let over = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = (0..2)
        .map(|sender| {
            let (api, over) = (Arc::clone(&api), Arc::clone(&over));
            tokio::spawn(async move {
                let mut statuses = BTreeMap::<u16, u32>::new();
                let mut count = 0;
                while !over.load(Ordering::Relaxed) {
                    count += 1;
                    let body = format!(r#"{{"n":"{sender}-{count}"}}"#);
                    let status = api.world.ask(signed(&body)).await.status;
                    *statuses.entry(status).or_default() += 1;
                }
                statuses
            })
        })
        .collect();
    let secret = json!({"name": "github", "value": "the-next-signing-secret"});
    let body = json!({"environment": "production", "secret": secret});
    let done = api.act("POST", "/api/v1/vault/drill", &body, 200).await;
    assert_eq!((&done["failures"], &done["first_failure"]), (&json!(0), &Value::Null), "{done}");
    assert!(done["requests"].as_u64().unwrap() >= 400, "{done}");
    assert_eq!((&done["data_key"], &done["secrets"]), (&json!(2), &json!(3)), "{done}");
    over.store(true, Ordering::Relaxed);
    for sender in senders {
        let statuses = sender.await.unwrap();
        assert!(statuses.len() == 1 && statuses[&202] >= 1, "{statuses:?}");
    }
    let listed = api.get("/api/v1/secrets?environment=production").await;
    let items = listed["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "nothing of the drill stays: {listed}");
    assert_eq!(items.iter().find(|one| one["name"] == "github").unwrap()["version"], 2);
    let ledger = api.get("/api/v1/ledger?kind=audit&limit=500").await;
    let rows = ledger["items"].as_array().unwrap();
    let told = rows.iter().find(|row| row["outcome"] == "drill passed").unwrap();
    assert_eq!(told["facts"]["requests"], done["requests"]);
    assert!(!ledger.to_string().contains("signing-secret"));
}
