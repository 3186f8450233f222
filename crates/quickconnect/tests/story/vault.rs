//! Secrets of the vault through the real program: calls use one, it is rotated under load without a refused request,
//! no file of the server holds it in the clear, and a data key's rotation goes on after a kill.

use std::{fs, path::Path, time::Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use qc_simulator::Answered;
use serde_json::{Value, json};

use crate::stage::{
    process::PATIENCE,
    sender::Sender,
    server::Server,
    story::Story,
    systems::{API_KEY, NEXT_API_KEY},
};

async fn post(server: &Server, path: &str, body: Value) -> Value {
    let reply = server.post(path, &body).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.shown());
    reply.json()
}

/// All bytes that the server has on the disk, its log included.
fn on_disk(folder: &Path, all: &mut Vec<u8>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            on_disk(&path, all);
        } else {
            all.extend(fs::read(path).unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_secret_is_rotated_under_load_and_is_nowhere_in_the_clear() {
    const CONNECTIONS: usize = 6;
    const EVENTS: usize = 60;
    let mut story = Story::set(41, false).await;
    story.server.turn_vault_on();
    // The vault is the only place that has it.
    fs::remove_file(story.server.secrets().join("sandbox/crm/api_key")).unwrap();
    story.deploy().await;
    let of = json!({"environment": "sandbox", "name": "crm/api_key"});
    let with = |value: &str| {
        let mut body = of.clone();
        body["value"] = json!(value);
        body
    };
    let set = post(&story.server, "/api/v1/secrets/set", with(API_KEY)).await;
    assert_eq!(set["version"], 1);
    let sender = Sender::new(story.server.port, EVENTS, 41);
    let sending = sender.begin(CONNECTIONS as u64);
    sender.let_through(EVENTS / 2);
    sender.acknowledged_beyond(EVENTS / 4).await;
    let rotated = post(&story.server, "/api/v1/secrets/rotate", with(NEXT_API_KEY)).await;
    assert_eq!(rotated["version"], 2);
    // While calls go on, so do the keys.
    post(&story.server, "/api/v1/vault/rotate-dek", json!({"environment": "sandbox"})).await;
    sender.let_all_through(CONNECTIONS);
    sending.join_all().await;
    let outcomes = sender.outcomes(CONNECTIONS, 60).await;
    assert_eq!(outcomes.len(), EVENTS, "{:?}\n{}", sender.complaints(), story.server.log_end());
    assert_eq!(sender.complaints(), Vec::<String>::new());
    let seen = story.systems.seen().crm;
    let refused: Vec<_> = seen.iter().filter(|one| one.answered == Answered::Status(401)).collect();
    assert!(refused.is_empty() && seen.len() >= EVENTS, "{refused:#?}");

    story.server.kill();
    let mut disk = Vec::new();
    on_disk(&story.server.data, &mut disk);
    disk.extend(fs::read(story.server.log_file()).unwrap());
    let holds = |needle: &str| disk.windows(needle.len()).any(|window| window == needle.as_bytes());
    assert!(holds("crm/api_key"), "the looking itself is good");
    for value in [API_KEY, NEXT_API_KEY] {
        assert!(!holds(value), "{value}");
        // In base64, at each of the three places of a group that it may begin at.
        for skip in 0..3 {
            let coded = STANDARD.encode(&value[skip..]);
            assert!(!holds(&coded[..coded.len() - 4]), "{value} in base64, from {skip}");
        }
    }
}

/// How the vault stands, and of its one environment: secrets, data keys, and how many remain.
async fn standing(server: &Server) -> (Value, usize, usize) {
    let told = server.ask("/api/v1/vault").await;
    let one = &told["environments"][0];
    let keys = one["keys"].as_array().map_or(0, Vec::len);
    let remaining = usize::try_from(one["remaining"].as_u64().unwrap()).unwrap();
    (told, keys, remaining)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_data_key_s_rotation_goes_on_after_a_kill() {
    const SECRETS: usize = 400;
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(folder.path());
    server.turn_vault_on();
    server.start().await;
    for number in 0..SECRETS {
        let (name, value) = (format!("key/{number}"), format!("value of {number}"));
        let body = json!({"environment": "production", "name": name, "value": value});
        post(&server, "/api/v1/secrets/set", body).await;
    }
    let began = Instant::now();
    let (mut version, mut left) = (Value::Null, 0);
    while !(1..SECRETS).contains(&left) {
        let (told, keys, remaining) = standing(&server).await;
        assert!(began.elapsed() < PATIENCE, "no kill finds it under way: {told}");
        if keys == 1 {
            // It has not begun, or was done before it was looked at.
            let rotate = json!({"environment": "production"});
            version = post(&server, "/api/v1/vault/rotate-dek", rotate).await["version"].take();
        }
        left = remaining;
    }
    server.kill();
    println!("killed with {left} of {SECRETS} under the old key");
    server.start().await;
    let began = Instant::now();
    loop {
        let (told, keys, _) = standing(&server).await;
        assert_eq!(told["not_opening"], 0, "{told}");
        if keys == 1 {
            assert_eq!(told["environments"][0]["secrets"], SECRETS);
            assert_eq!(told["environments"][0]["keys"][0]["version"], version);
            break;
        }
        assert!(began.elapsed() < PATIENCE, "it does not end: {told}\n{}", server.log_end());
    }
    server.kill();
}
