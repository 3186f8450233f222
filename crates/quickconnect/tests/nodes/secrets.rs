use std::{fs, time::Instant};

use serde_json::{Value, json};

use crate::stage::{
    http::Line, process::PATIENCE, sender::send_once, server::Server, story::Story,
    systems::API_KEY,
};

async fn post(server: &Server, path: &str, body: Value) {
    let reply = server.post(path, &body).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.shown());
}

/// What one node stores the others use, and the rotation of a data key that a node began is finished by another one
/// when that node dies.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_nodes_have_one_vault() {
    const SECRETS: usize = 200;
    let Some(postgres) = qc_pgserver::shared() else { return };
    let url = postgres.url(&postgres.database());
    let mut story = Story::set(43, false).await;
    let mut second = story.server.beside("second");
    for server in [&mut story.server, &mut second] {
        server.set("QC_STORE", &url);
        server.set("QC_LEASE_TTL", "3s");
        server.turn_vault_on();
    }
    fs::remove_file(story.server.secrets().join("sandbox/crm/api_key")).unwrap();
    story.deploy().await;
    second.start().await;
    let set = "/api/v1/secrets/set";
    let body = json!({"environment": "sandbox", "name": "crm/api_key", "value": API_KEY});
    post(&story.server, set, body).await;
    for number in 0..SECRETS {
        let (name, value) = (format!("key/{number}"), format!("value of {number}"));
        let body = json!({"environment": "sandbox", "name": name, "value": value});
        // Alternately at both: each change counts on the other one.
        post(if number % 2 == 0 { &story.server } else { &second }, set, body).await;
    }
    let rotate = json!({"environment": "sandbox"});
    post(&story.server, "/api/v1/vault/rotate-dek", rotate).await;
    story.server.kill();
    let began = Instant::now();
    loop {
        let told = second.ask("/api/v1/vault").await;
        assert_eq!(told["not_opening"], 0, "{told}");
        let one = &told["environments"][0];
        if one["keys"].as_array().unwrap().len() == 1 {
            assert_eq!(
                (&one["secrets"], &one["keys"][0]["version"]),
                (&json!(SECRETS + 1), &json!(2))
            );
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{told}\n{}", second.log_end());
    }
    for number in 0..3 {
        let reply = send_once(&mut Line::to(second.port), number, Some(60)).await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.shown());
    }
    second.kill();
}
