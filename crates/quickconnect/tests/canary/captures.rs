//! Debug captures: they hold what is personal and no secret, are sealed where they lie, and leave nothing behind.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::{
    echoing, files,
    needles::Search,
    scene::{self, EMAIL, NAME},
    send, settle,
    stage::{process::PATIENCE, server::Server},
};

/// A capture that two persons agreed to.
pub(crate) struct Agreed {
    pub(crate) id: String,
    /// The context of the one who asked.
    ada: String,
}

fn context_of(server: &Server, person: &str, role: &str) -> String {
    let made = server.told(&["tokens", "create", person, "--role", role, "--person", person]);
    let context = fs::read_to_string(server.folder.join("context.json")).unwrap();
    let mut context: Value = serde_json::from_str(&context).unwrap();
    context["token"] = made["secret"].clone();
    let file = server.folder.join(format!("{person}.json"));
    fs::write(&file, context.to_string()).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    file.to_str().unwrap().to_owned()
}

impl Agreed {
    /// Of all that `leaky` does.
    pub(crate) fn begin(server: &Server, more: &[&str]) -> Self {
        let ada = context_of(server, "ada", "operator");
        let ben = context_of(server, "ben", "admin");
        let start = [
            "debug",
            "capture",
            "start",
            "sandbox",
            "--integration",
            "leaky",
            "--events",
            "--reason",
            "x",
            "--ticket",
            "OPS-7",
            "--context",
            &ada,
        ];
        let id = server.told(&[&start[..], more].concat())["id"].as_str().unwrap().to_owned();
        let given = server.told(&["debug", "capture", "approve", &id, "--context", &ben]);
        assert_eq!(given["state"], "recording", "{given}");
        Self { id, ada }
    }

    /// What it recorded.
    pub(crate) fn shown(&self, server: &Server) -> Value {
        server.told(&["debug", "capture", "show", &self.id, "--context", &self.ada])
    }

    /// Looks through what it shows, to people and to programs.
    pub(crate) fn look(&self, server: &Server, search: &mut Search) {
        let shown = self.shown(server);
        let entries = shown["items"].as_array().unwrap();
        let of = |what: &str| entries.iter().filter(|it| it["recorded"]["what"] == *what).count();
        assert!(
            of("call") > 20 && of("event") > 20,
            "{} calls, {} events",
            of("call"),
            of("event")
        );
        let said = shown.to_string();
        assert!(said.contains(EMAIL), "what was on the wire is there");
        search.look_at_payload("a capture", said);
        let people = server.well(&["debug", "capture", "show", &self.id, "--context", &self.ada]);
        search.look_at_payload("a capture, for people", people);
    }
}

/// The stored bodies of a kind of documents.
fn bodies(server: &Server, kind: &str) -> Vec<String> {
    let file = server.data.join("quickconnect.db");
    let db = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut rows = db.prepare("SELECT body FROM document WHERE kind = ?1").unwrap();
    let read = rows.query_map([kind], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    read.map(|body| String::from_utf8(body.unwrap()).unwrap()).collect()
}

/// Rows that are sealed, or hold no value at all: not even what is personal is in them.
pub(crate) fn look_at_rows(server: &Server, search: &mut Search) {
    for (kind, least) in [("debug-capture", 1), ("debug-capture-entry", 40), ("secret-drop", 1)] {
        let bodies = bodies(server, kind);
        assert!(bodies.len() >= least, "{} rows of {kind}", bodies.len());
        for body in bodies {
            search.look(&format!("a row of {kind}"), body);
        }
    }
}

/// Texts of which each is the middle of a sealed entry.
fn sealed(server: &Server) -> Vec<(String, String)> {
    let middle = |body: String| {
        let entry: Value = serde_json::from_str(&body).unwrap();
        let text = entry["sealed"]["recorded"]["value"].as_str().unwrap();
        (entry["run"].as_str().unwrap().to_owned(), text[60..124].to_owned())
    };
    bodies(server, "debug-capture-entry").into_iter().map(middle).collect()
}

/// How many of them stand in the files of the server.
fn left(server: &Server, texts: &[(String, String)]) -> usize {
    let mut found = 0;
    files(&server.data, &mut |_, bytes| {
        found += texts
            .iter()
            .filter(|(_, text)| memchr::memmem::find(&bytes, text.as_bytes()).is_some())
            .count();
    });
    found
}

/// Waits until the capture stands so.
async fn until(server: &Server, id: &str, state: &str) {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let all = server.ask("/api/v1/captures").await;
        if all["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["id"] == *id && one["state"] == *state)
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{id} is never {state}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn captures_go_with_their_time_with_their_person_and_when_they_are_ended() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(folder.path());
    server.turn_vault_on();
    server.start().await;
    scene::deploy(&server, echoing::start());
    crate::stage::project::secret(&server.secrets(), "sandbox", "leaky/bearer", "any");
    let made =
        server.told(&["tokens", "create", "s", "--role", "runtime", "--environment", "sandbox"]);
    let token = made["secret"].as_str().unwrap().to_owned();
    let event = |id: &str, email: &str| json!({"id": id, "task": "inline", "mode": "ok", "person": {"name": NAME, "email": email}});
    // One that ends by itself, one that is ended.
    let long = Agreed::begin(&server, &[]);
    let short = Agreed::begin(&server, &["--for", "15s", "--keep", "0s"]);
    for (id, email) in [("1", EMAIL), ("2", "other@persons.example")] {
        let reply = send(server.port, token.clone(), event(id, email)).await;
        assert_eq!(reply.status, 200, "{}", reply.shown());
    }
    settle(&server).await;
    let all = sealed(&server);
    assert_eq!((all.len(), left(&server, &all) >= 8), (8, true), "an event and a call each, twice");
    until(&server, &short.id, "purged").await;
    let kept = sealed(&server);
    let gone: Vec<_> = all.iter().filter(|one| !kept.contains(one)).cloned().collect();
    assert_eq!((kept.len(), gone.len(), left(&server, &gone)), (4, 4, 0));
    // A person's runs take what was recorded of them along; the export names it.
    let of = ["sandbox", EMAIL, "--reason", "request 17"];
    server.told(&[&["subject", "export"][..], &of, &["--to", "of-ada.json"]].concat());
    let export = fs::read_to_string(server.folder.join("of-ada.json")).unwrap();
    let export: Value = serde_json::from_str(&export).unwrap();
    let documents = export["documents"].as_array().unwrap();
    let named: Vec<_> =
        documents.iter().filter(|one| one["kind"] == "debug-capture-entry").collect();
    assert!(
        named.len() == 2 && named.iter().all(|one| one["body"]["sealed"].is_null()),
        "{export}"
    );
    server.told(&[&["subject", "erase"][..], &of].concat());
    let rest = sealed(&server);
    let gone: Vec<_> = kept.iter().filter(|one| !rest.contains(one)).cloned().collect();
    assert_eq!((rest.len(), gone.len(), left(&server, &gone)), (2, 2, 0));
    let shown = long.shown(&server).to_string();
    assert!(shown.contains("other@persons.example") && !shown.contains(EMAIL), "{shown}");
    // Nobody looks at what is over, also not after a restart.
    server.kill();
    server.start().await;
    let ended = server.told(&["debug", "capture", "end", &long.id, "--context", &long.ada]);
    assert_eq!((&ended["state"], left(&server, &rest)), (&json!("purged"), 0));
    for capture in [&short, &long] {
        let words = ["debug", "capture", "show", &capture.id, "--context", &capture.ada];
        let refused = server.qc(&words);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && said.contains("QC-A039"), "{said}");
    }
    server.terminate();
    assert_eq!(server.ended(PATIENCE).await.code(), Some(0), "{}", server.log_end());
    assert_eq!(left(&server, &all), 0);
}
