//! A provider's process is killed: every request that was answered is in the ledger's file.
//!
//! Without the usual harness, since this program is both the test and, when it is given a path, the
//! process that is killed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod scene;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use qc_simulator::{Answered, ServeSpec, read_ledger, start};
use scene::{at_noon, credentials, folder};

const SERVE: &str = "serve-until-killed";
const REQUESTS: usize = 100;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [word, path] if word == SERVE => serve_until_killed(path.into()),
        // `cargo test -- --list` and the like have nothing to list here.
        [word, ..] if word == "--list" => {}
        _ => {
            the_ledger_file_survives_a_kill();
            println!("test the_ledger_file_survives_a_kill ... ok");
        }
    }
}

fn serve_until_killed(ledger: PathBuf) {
    let spec = ServeSpec {
        name: "chat".into(),
        folder: folder("chat"),
        address: "127.0.0.1:0".parse().unwrap(),
        ledger: Some(ledger),
        credentials: credentials(),
        faults: Vec::new(),
        seed: 7,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let servings = start(vec![spec], at_noon()).await.unwrap();
        println!("{}", servings[0].address());
        std::io::stdout().flush().unwrap();
        std::future::pending::<()>().await;
    });
}

fn the_ledger_file_survives_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.ndjson");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg(SERVE)
        .arg(&path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut address = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
    let mut stream = TcpStream::connect(address.trim()).unwrap();
    for n in 0..REQUESTS {
        post(&mut stream, &format!(r#"{{"text": "hi", "ref": "CASE-{n}"}}"#));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    check(&path);
}

fn post(stream: &mut TcpStream, body: &str) {
    let length = body.len();
    let head = "POST /channels/support/messages HTTP/1.1\r\nhost: chat\r\nauthorization: Bearer chat-token";
    let rest = format!("content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(format!("{head}\r\n{rest}").as_bytes()).unwrap();
    let mut answer = String::new();
    // An answer ends with its JSON object; the next request goes out only then.
    while !answer.ends_with('}') {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).unwrap();
        assert!(count > 0, "the connection ended");
        answer.push_str(std::str::from_utf8(&chunk[..count]).unwrap());
    }
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

fn check(path: &Path) {
    let entries = read_ledger(path).unwrap();
    assert_eq!(entries.len(), REQUESTS, "every answered request is in the file");
    assert_eq!(entries[REQUESTS - 1].reference.as_deref(), Some("CASE-99"));
    assert!(entries.iter().all(|entry| entry.applied && entry.answered == Answered::Status(200)));
    // A line cut off by a crash of the machine does not hide the others.
    let text = std::fs::read_to_string(path).unwrap();
    std::fs::write(path, &text[..text.len() - 20]).unwrap();
    assert_eq!(read_ledger(path).unwrap().len(), REQUESTS - 1);
}
