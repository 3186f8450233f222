//! Everything that is stored of a person is handed out, and erased so that no file of the server has it any more.

use std::fs;

use serde_json::{Value, json};

use crate::{
    echoing, files,
    needles::Canary,
    scene, send, settle,
    stage::{process::PATIENCE, server::Server},
};

const ADA: (&str, &str) = ("Ada Canary Lovelace-Quux", "ada.canary@persons.example");
const BEN: (&str, &str) = ("Ben Canary Bitdiddle-Quux", "ben.canary@persons.example");

/// An event about somebody, so large that its bodies lie beside the database.
fn about(id: &str, task: &str, (name, email): (&str, &str)) -> Value {
    let said = format!("{name} said it. ").repeat(2_000);
    json!({"id": id, "task": task, "mode": "ok", "said": said, "person": {"name": name, "email": email}})
}

/// Where in the server's files somebody stands.
fn traces(server: &Server, (name, email): (&str, &str)) -> Vec<String> {
    let canaries = [Canary::new("name", name), Canary::new("email", email)];
    let mut found = Vec::new();
    files(&server.data, &mut |path, bytes| {
        let hits = canaries.iter().filter_map(|canary| canary.found(&bytes));
        found.extend(hits.map(|hit| format!("{path}: {hit}")));
    });
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_person_is_handed_out_and_erased() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(folder.path());
    server.turn_vault_on();
    server.start().await;
    scene::deploy(&server, echoing::start());
    let made =
        server.told(&["tokens", "create", "s", "--role", "runtime", "--environment", "sandbox"]);
    let token = made["secret"].as_str().unwrap().to_owned();
    for (id, task, who) in [
        ("a1", "none", ADA),
        ("a2", "raise", ADA),
        ("a3", "ask", ADA),
        ("b1", "none", BEN),
        ("b2", "ask", BEN),
    ] {
        let reply = send(server.port, token.clone(), about(id, task, who)).await;
        assert!(
            reply.json()["run"].is_string() || reply.status == 200 || reply.status == 400,
            "{}",
            reply.shown()
        );
    }
    settle(&server).await;
    assert!(!traces(&server, ADA).is_empty(), "the looking itself is good");
    let why = ["--reason", "request 17"];
    let of_ada = [&["sandbox", ADA.1][..], &why].concat();
    let export = |file: &str| {
        let told = server.told(&[&["subject", "export"][..], &of_ada, &["--to", file]].concat());
        let text = fs::read_to_string(server.folder.join(file)).unwrap();
        (told, text)
    };
    let (told, text) = export("ada.json");
    assert_eq!((&told["runs"], &told["truncated"]), (&json!(3), &json!(false)), "{told}");
    assert!(text.contains(ADA.0) && !text.contains(BEN.0), "{told}");
    // The run that asks somebody is not at its end: it stays, and the answer says so.
    let half = server.qc(&[&["subject", "erase", "--json"][..], &of_ada].concat());
    let half_told: Value = serde_json::from_slice(&half.stdout).unwrap();
    assert_eq!((&half_told["runs"], half.status.code()), (&json!(2), Some(100)), "{half_told}");
    let open = half_told["open"][0].as_str().unwrap().to_owned();
    server.well(&["runs", "cancel", &open, "--reason", "request 17"]);
    settle(&server).await;
    let rest = server.told(&[&["subject", "erase"][..], &of_ada].concat());
    assert_eq!((&rest["runs"], &rest["open"]), (&json!(1), &json!([])), "{rest}");
    let (told, text) = export("nothing.json");
    assert_eq!((&told["runs"], &told["documents"]), (&json!(0), &json!(0)), "{text}");
    // While it still runs, and with its log of writes.
    assert_eq!(traces(&server, ADA), Vec::<String>::new());
    assert!(!traces(&server, BEN).is_empty(), "the others are still there");
    let audit = server.ask_text("/api/v1/ledger?kind=audit&limit=500").await;
    assert!(audit.contains("subject.erased") && !audit.contains(ADA.1), "{audit}");
    assert_eq!(server.ask_all("/api/v1/runs").await.len(), 2);
    server.well(&["reconcile"]);
    server.terminate();
    assert_eq!(server.ended(PATIENCE).await.code(), Some(0), "{}", server.log_end());
    assert_eq!(traces(&server, ADA), Vec::<String>::new());
}
