//! What the command line says of a database, and what it does not.

use qc_pgserver::PASSWORD;

use crate::stage::server::Server;

/// All that a command printed.
fn said(output: &std::process::Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

#[test]
fn no_command_shows_the_password() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::new(folder.path());
    let url = "postgres://qc:hunter2@db.example.com/d?sslmode=require";
    std::fs::write(folder.path().join("qc.toml"), format!("store = \"{url}\"\n")).unwrap();
    for arguments in [
        vec!["config", "explain"],
        vec!["config", "explain", "store", "--json"],
        vec!["config", "explain", "--store", "postgres://qc:hunter2@db/d?sslmode=maybe"],
        vec!["doctor", "--store", "postgres://qc:hunter2@127.0.0.1:1/d"],
        vec!["serve", "--store", "postgres://qc:hunter2@127.0.0.1:1/d"],
        vec!["serve", "--store", "postgres://qc:hun@ter2:x/hunter2@127.0.0.1:1/d"],
    ] {
        let text = said(&server.qc(&arguments));
        assert!(!text.contains("hunter2"), "{arguments:?}: {text}");
        assert!(text.contains("postgres") || text.contains("PostgreSQL"), "{arguments:?}: {text}");
    }
    let text = said(&server.qc(&["config", "explain", "store"]));
    assert!(text.contains("postgres://qc:***@db.example.com/d?sslmode=require"), "{text}");
}

#[test]
fn the_doctor_looks_at_the_server_and_a_refusal_has_its_code() {
    let Some(postgres) = qc_pgserver::shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(folder.path());
    let database = postgres.database();
    server.set("QC_STORE", &postgres.url(&database));
    let text = said(&server.qc(&["doctor"]));
    assert!(text.contains("PostgreSQL 1") && text.contains("nothing in it yet"), "{text}");
    assert!(text.contains("no synchronous standby") && !text.contains(PASSWORD), "{text}");
    let missing = server.qc(&["tokens", "recover"]);
    assert!(said(&missing).contains("QC-K016"), "{}", said(&missing));
    let wrong = postgres.url(&database).replace(PASSWORD, "hunter2");
    for (url, exit, code) in [
        (wrong.as_str(), 5, "QC-S015"),
        (&postgres.url("nowhere"), 5, "QC-S016"),
        ("postgres://u:hunter2@127.0.0.1:1/d", 6, "QC-S014"),
    ] {
        let output = server.qc(&["serve", "--store", url]);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(exit), "{text}");
        assert!(text.contains(code), "{text}");
        let text = said(&server.qc(&["doctor", "--store", url]));
        assert!(text.contains(code) && !text.contains("hunter2"), "{text}");
    }
}
