//! A server of an earlier version was killed; its database, write-ahead log included, is opened by this one and runs on.
//!
//! `stored/schema-2.db` was written by the program of commit eadd77e: it deployed one integration (a task that refuses ids
//! that begin with `bad`, a pause of thirty seconds for those that begin with `slow`), took five events, and was killed
//! while `slow1` waited. The event of `large` has 40 KB and stands in its row.

use std::{fs, io::Read, path::Path, time::Instant};

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::stage::{process::PATIENCE, server::Server};

const DATABASE: &[u8] = include_bytes!("stored/schema-2.db.gz");
const LOG: &[u8] = include_bytes!("stored/schema-2.db-wal.gz");

fn unpack(bytes: &[u8], to: &Path) {
    let mut unpacked = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut unpacked).unwrap();
    fs::write(to, unpacked).unwrap();
}

/// The run of an event, by its id.
async fn run(server: &Server, id: &str) -> Value {
    let runs = server.ask(&format!("/api/v1/runs?subject={id}")).await;
    runs["items"][0].clone()
}

async fn until(server: &Server, id: &str, status: &str) -> Value {
    let began = Instant::now();
    loop {
        let found = run(server, id).await;
        if found["status"] == status {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{id} is not {status}: {found}\n{}", server.log_end());
    }
}

fn version(server: &Server) -> i64 {
    let db = rusqlite::Connection::open(server.data.join("quickconnect.db")).unwrap();
    db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_an_earlier_version_stored_runs_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(folder.path());
    fs::create_dir(&server.data).unwrap();
    unpack(DATABASE, &server.data.join("quickconnect.db"));
    unpack(LOG, &server.data.join("quickconnect.db-wal"));
    // A backup of it is not this program's to make: it does not know what another version means.
    let refused = server.qc(&["backup", "--to", "early.qcbackup"]);
    assert_eq!(refused.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("QC-S026"));
    server.told(&["tokens", "recover"]);
    server.start().await;
    assert_eq!(version(&server), 4);
    // The one that waited goes on; those that had ended are as they were.
    until(&server, "slow1", "completed").await;
    for id in ["fine1", "fine2", "large"] {
        assert_eq!(run(&server, id).await["status"], "completed", "{id}");
    }
    // A body that stands in its row is read as before.
    let large = run(&server, "large").await["run"].as_str().unwrap().to_owned();
    let journal = server.ask(&format!("/api/v1/runs/{large}/journal")).await.to_string();
    assert!(journal.contains(&"n".repeat(40_000)));
    let bad = until(&server, "bad1", "faulted").await["run"].as_str().unwrap().to_owned();
    server.told(&["dlq", "retry", &bad]);
    until(&server, "bad1", "faulted").await;
    // The deployment is the old one, and takes new events.
    fs::write(folder.path().join("event.json"), json!({"id": "fine3"}).to_string()).unwrap();
    server.told(&["trigger", "sandbox", "orders/orders", "--data", "event.json"]);
    until(&server, "fine3", "completed").await;
    let account = server.told(&["reconcile"]);
    assert_eq!((&account["balanced"], &account["total"]["received"]), (&json!(true), &json!(6)));
    server.told(&["backup", "--to", "late.qcbackup"]);
    server.kill();
}
