//! The audit through the real program: killed while it seals, read by a stranger's verifier, and rewritten by somebody
//! who has all rights on the database.

use std::{
    fs,
    io::{BufRead, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::{stage::server::Server, stranger};

const PATIENCE: Duration = Duration::from_secs(30);

/// Takes checkpoints.
fn witness() -> (u16, mpsc::Receiver<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (say, told) = mpsc::channel();
    thread::spawn(move || {
        for mut caller in listener.incoming().map_while(Result::ok) {
            let mut lines = BufReader::new(caller.try_clone().unwrap());
            let (mut length, mut line) = (0, String::new());
            while lines.read_line(&mut line).is_ok_and(|read| read > 2) {
                let lower = line.to_lowercase();
                if let Some(value) = lower.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap_or(0);
                }
                line.clear();
            }
            let mut body = vec![0; length];
            if lines.read_exact(&mut body).is_ok() {
                drop(say.send(String::from_utf8_lossy(&body).into_owned()));
            }
            drop(caller.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"));
        }
    });
    (port, told)
}

/// How many rows of the audit there are.
async fn rows(server: &Server) -> usize {
    let (mut rows, mut after) = (0, "0".to_owned());
    loop {
        let path = format!("/api/v1/ledger?kind=audit&limit=500&after={after}");
        let page = server.ask(&path).await;
        rows += page["items"].as_array().unwrap().len();
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => return rows,
        }
    }
}

/// Waits until everything is sealed; the log's newest checkpoint.
async fn sealed(server: &Server) -> Value {
    let began = Instant::now();
    loop {
        let rows = rows(server).await;
        // The first one comes when the node has begun its chores.
        let output = server.qc(&["audit", "checkpoint", "--json"]);
        let newest: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        if newest["size"] == json!(rows) {
            return newest;
        }
        assert!(began.elapsed() < PATIENCE, "{rows} rows: {newest}\n{}", server.log_end());
    }
}

fn token(n: usize) -> Value {
    json!({"name": format!("t{n}"), "role": "runtime"})
}

/// Verifies an export; how the program ended, and what it said.
fn verified(server: &Server, arguments: &[&str]) -> (Option<i32>, String) {
    let output = server.qc(&[&["audit", "verify"], arguments].concat());
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_is_killed_while_it_seals_loses_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(folder.path());
    let elsewhere = folder.path().join("elsewhere");
    let (port, witnessed) = witness();
    server.set("QC_AUDIT_CHECKPOINTS", elsewhere.to_str().unwrap());
    server.set("QC_AUDIT_CHECKPOINTS_URL", &format!("http://127.0.0.1:{port}/log"));
    server.set("QC_AUDIT_CHECKPOINTS_EVERY", "200ms");
    let (mut made, mut n) = (Vec::new(), 0);
    for round in 0..6u64 {
        server.start().await;
        let began = Instant::now();
        let until = Duration::from_millis(900 + 170 * round);
        while began.elapsed() < until {
            n += 1;
            let body = token(n);
            let asked = server.post("/api/v1/tokens", &body);
            // At the end of the round one is under way.
            if let Ok(reply) =
                tokio::time::timeout(until.saturating_sub(began.elapsed()), asked).await
            {
                assert_eq!(reply.status, 201);
                made.push(reply.json()["token"]["id"].as_str().unwrap().to_owned());
            }
        }
        server.kill();
    }
    assert!(made.len() > 20, "{}", made.len());
    server.start().await;
    let newest = sealed(&server).await;
    let key = newest["key"].as_str().unwrap().to_owned();
    server.told(&["audit", "export", "audit.txt"]);
    let export = fs::read_to_string(folder.path().join("audit.txt")).unwrap();
    assert_eq!(stranger::verify(&export, &key).unwrap(), newest["size"].as_u64().unwrap());
    for id in &made {
        let issued = format!(r#""subject":"token {id}","outcome":"issued""#);
        assert_eq!(export.matches(&issued).count(), 1, "{id}");
    }
    // Every checkpoint that went out before a kill is one of this log.
    let files = fs::read_dir(&elsewhere).unwrap().flatten().map(|entry| entry.path());
    // One that was being written when the server was killed never got its name.
    let files: Vec<PathBuf> =
        files.filter(|file| file.extension().is_none_or(|it| it != "new")).collect();
    let mut arguments = vec!["audit.txt", "--key", &key];
    for file in &files {
        assert!(file.extension().is_some_and(|it| it == "checkpoint"), "{}", file.display());
        arguments.extend(["--checkpoint", file.to_str().unwrap()]);
    }
    assert!(files.len() >= 3, "{files:?}");
    let (code, said) = verified(&server, &arguments);
    assert_eq!(code, Some(0), "{said}");
    let posted: Vec<String> = witnessed.try_iter().collect();
    assert!(posted.iter().any(|note| fs::read_to_string(&files[0]).unwrap() == *note));
    let since = files[0].to_str().unwrap();
    let grew = server.told(&["audit", "checkpoint", "--since", since, "--key", &key]);
    assert_eq!(grew["consistent"], true);
    // From the middle on, and by a stranger as well.
    server.told(&["audit", "export", "end.txt", "--from", "17"]);
    let end = fs::read_to_string(folder.path().join("end.txt")).unwrap();
    assert_eq!(stranger::verify(&end, &key).unwrap() + 17, newest["size"].as_u64().unwrap());
    // What a stranger's verifier says of a changed one.
    assert!(stranger::verify(&export.replacen("runtime", "admin", 1), &key).is_err());
    server.terminate();
    assert_eq!(server.ended(PATIENCE).await.code(), Some(0), "{}", server.log_end());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_writes_to_the_database_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(folder.path());
    server.start().await;
    for n in 0..5 {
        assert_eq!(server.post("/api/v1/tokens", &token(n)).await.status, 201);
    }
    let newest = sealed(&server).await;
    let key = newest["key"].as_str().unwrap().to_owned();
    server.told(&["audit", "export", "early.txt"]);
    fs::write(folder.path().join("key.txt"), &key).unwrap();
    assert_eq!(verified(&server, &["early.txt", "--key", "key.txt"]).0, Some(0));
    let (code, said) = verified(&server, &["early.txt"]);
    assert!(code == Some(0) && said.contains("the file's own"), "{said}");
    server.terminate();
    assert_eq!(server.ended(PATIENCE).await.code(), Some(0), "{}", server.log_end());
    let database = server.data.join("quickconnect.db");
    let copy = folder.path().join("early.db");
    fs::copy(&database, &copy).unwrap();

    // A row is changed, and one removed.
    let db = Connection::open(&database).unwrap();
    let change = "UPDATE ledger SET actor = 'human:mallory' WHERE seq = \
        (SELECT min(seq) FROM ledger WHERE kind = 5 AND subject LIKE 'token %')";
    assert_eq!(db.execute(change, []).unwrap(), 1);
    let remove = "DELETE FROM ledger WHERE seq = (SELECT max(seq) FROM ledger WHERE kind = 5)";
    assert_eq!(db.execute(remove, []).unwrap(), 1);
    drop(db);
    server.start().await;
    assert_eq!(server.post("/api/v1/tokens", &token(9)).await.status, 201);
    let began = Instant::now();
    let late = loop {
        let late = server.ask("/api/v1/audit/checkpoint").await;
        if late["size"].as_u64() >= newest["size"].as_u64().map(|size| size + 2) {
            break late;
        }
        assert!(began.elapsed() < PATIENCE, "{late}");
    };
    server.told(&["audit", "export", "changed.txt"]);
    let (code, said) = verified(&server, &["changed.txt", "--key", &key]);
    assert!(code == Some(100) && said.contains("QC-A035") && said.contains("2 entries"), "{said}");
    let changed = fs::read_to_string(folder.path().join("changed.txt")).unwrap();
    assert!(!changed.contains("mallory"));
    server.terminate();
    assert_eq!(server.ended(PATIENCE).await.code(), Some(0), "{}", server.log_end());

    // The whole database is put back to how it was: a checkpoint from elsewhere knows more.
    let later = folder.path().join("late.checkpoint");
    fs::write(&later, late["checkpoint"].as_str().unwrap()).unwrap();
    fs::copy(&copy, &database).unwrap();
    for left in ["quickconnect.db-wal", "quickconnect.db-shm"] {
        drop(fs::remove_file(server.data.join(left)));
    }
    server.start().await;
    server.told(&["audit", "export", "back.txt"]);
    let arguments = ["back.txt", "--key", &key, "--checkpoint", "late.checkpoint"];
    let (code, said) = verified(&server, &arguments);
    assert!(code == Some(100) && said.contains("QC-A034"), "{said}");
    let cut = changed.lines().count();
    let short: Vec<&str> = changed.lines().take(cut - 7).collect();
    fs::write(folder.path().join("short.txt"), short.join("\n") + "\n").unwrap();
    let (code, said) = verified(&server, &["short.txt", "--key", &key]);
    assert!(code == Some(100) && said.contains("QC-A031"), "{said}");
    server.kill();
}
