//! What a new user does, from nothing to an event that has run: for each template of `qc init`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

use crate::stage::{project, server::Server, signing};

/// How long a server may take to end.
const ENDING: Duration = Duration::from_secs(30);

/// The simulated systems of a project, run by the program itself.
pub(crate) struct Simulated {
    child: Child,
    pub(crate) addresses: Vec<(String, String)>,
    ledgers: PathBuf,
}

impl Simulated {
    pub(crate) fn begin(folder: &Path) -> Self {
        let ledgers = folder.join("ledgers");
        let mut child = Command::new(env!("CARGO_BIN_EXE_qc"))
            .args(["simulate", "--json", "--port", "0", "--folder", "mine", "--ledger", "ledgers"])
            .env_clear()
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let told = first_json(BufReader::new(child.stdout.take().unwrap()));
        let addresses = told["simulators"].as_array().unwrap().iter().map(|one| {
            (one["connector"].as_str().unwrap().to_owned(), one["url"].as_str().unwrap().to_owned())
        });
        Self { addresses: addresses.collect(), child, ledgers }
    }

    /// The effects that a system's own ledger has, by operation.
    pub(crate) fn effects(&self, system: &str) -> Vec<String> {
        let entries =
            qc_simulator::read_ledger(&self.ledgers.join(format!("{system}.ndjson"))).unwrap();
        let effects = entries.into_iter().filter(|entry| entry.applied && !entry.replayed);
        effects.filter_map(|entry| entry.operation.map(|name| name.to_string())).collect()
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The first JSON value of a stream that stays open.
fn first_json(mut stream: impl Read) -> Value {
    let mut text = Vec::new();
    let mut chunk = [0; 1024];
    loop {
        let count = stream.read(&mut chunk).unwrap();
        assert!(count > 0, "it ended after {}", String::from_utf8_lossy(&text));
        text.extend_from_slice(&chunk[..count]);
        if let Ok(value) = serde_json::from_slice(&text) {
            return value;
        }
    }
}

/// Points the sandbox's variable `<system>_url` of each system at its simulator.
pub(crate) fn point(file: &Path, addresses: &[(String, String)]) {
    let mut text = fs::read_to_string(file).unwrap();
    for (system, address) in addresses {
        let written = format!("{system}_url: \"http://127.0.0.1:");
        let begin = text.find(&written).unwrap_or_else(|| panic!("{written} is not in {text}"));
        let value = begin + written.find('"').unwrap() + 1;
        let end = value + text[value..].find('"').unwrap();
        text.replace_range(value..end, address);
    }
    fs::write(file, text).unwrap();
}

/// Every `secret://` reference below a folder.
pub(crate) fn secrets_in(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            secrets_in(&entry.path(), found);
        } else if let Ok(text) = fs::read_to_string(entry.path()) {
            for rest in text.split("secret://").skip(1) {
                let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "/_-.".contains(c)));
                let name = &rest[..end.unwrap_or(rest.len())];
                // A comment may speak of `secret://` as such.
                found.extend((!name.is_empty()).then(|| name.to_owned()));
            }
        }
    }
}

/// Every file below a folder, by its path in it.
fn files_in(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// What runs can be taken out again and is what was built; also after the store was wiped and the same files were
/// built and deployed anew, under the same name.
async fn exports_are_the_files(server: &mut Server, release: &str) {
    let mine = server.folder.join("mine");
    for (round, out) in ["out", "again"].into_iter().enumerate() {
        if round > 0 {
            server.terminate();
            assert_eq!(server.ended(ENDING).await.code(), Some(0));
            fs::remove_dir_all(&server.data).unwrap();
            fs::remove_file(server.folder.join("context.json")).unwrap();
            server.start().await;
            let built = server.told(&["release", "build", "--folder", "mine"]);
            assert!(built.to_string().contains(release), "{built}");
            server.well(&["deploy", "sandbox", release]);
        }
        server.well(&["export", out, "--environment", "sandbox"]);
        let exported = files_in(&server.folder.join(out));
        assert!(exported.len() >= 10, "{:?}", exported.keys());
        for (path, bytes) in &exported {
            assert!(fs::read(mine.join(path)).unwrap() == *bytes, "{} differs", path.display());
        }
        let left_out = files_in(&mine).into_keys().filter(|path| !exported.contains_key(path));
        assert_eq!(left_out.collect::<Vec<_>>(), [Path::new("README.md")]);
    }
}

/// From `qc init` to an event that has run, and once more the same event.
async fn from_nothing(template: &str, event: &str, how: &[&str], effects: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(folder.path());
    server.well(&["init", "mine", "--template", template]);
    server.well(&["check", "mine"]);
    server.well(&["test", "mine"]);
    let simulated = Simulated::begin(folder.path());
    point(&folder.path().join("mine/quickconnect.yaml"), &simulated.addresses);
    let mut secrets = BTreeSet::new();
    secrets_in(&folder.path().join("mine"), &mut secrets);
    for name in &secrets {
        let value =
            if name.ends_with("webhook") { signing::secret() } else { format!("{name} of a test") };
        project::secret(&server.secrets(), "sandbox", name, &value);
    }
    server.start().await;
    let built = server.told(&["release", "build", "--folder", "mine"]);
    let release = built["release"].as_str().unwrap();
    server.well(&["deploy", "sandbox", release]);
    let doctor = server.told(&["doctor"]);
    let file = format!("mine/integrations/{template}/contracts/examples/valid/{event}");
    let trigger = [&["trigger", "sandbox"], how, &["--data", &file]].concat();
    let first = server.told(&[&trigger[..], &["--wait", "30"]].concat());
    assert_eq!(
        (&first["status"], &first["replayed"]),
        (&json!(200), &json!(false)),
        "{first} {doctor}"
    );
    let again = server.told(&[&trigger[..], &["--wait", "30"]].concat());
    assert_eq!((&again["status"], &again["replayed"]), (&json!(200), &json!(true)), "{again}");
    assert_eq!(first["answer"], again["answer"]);
    let runs = server.told(&["runs", "list", "--integration", template]);
    let statuses: Vec<_> =
        runs["items"].as_array().unwrap().iter().map(|run| &run["status"]).collect();
    assert_eq!(statuses, ["completed"], "{runs}");
    for (system, effect) in effects {
        let made = simulated.effects(system);
        assert_eq!(made.iter().filter(|one| one == effect).count(), 1, "{system}: {made:?}");
    }
    exports_are_the_files(&mut server, release).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn notify_runs_from_nothing() {
    let how = ["notify/alert"];
    from_nothing("notify", "alert.disk.json", &how, &[("chat", "postMessage")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn state_sync_runs_from_nothing() {
    let how = [
        "state-sync/customer-changed",
        "--event-type",
        "com.example.customer.changed",
        "--id",
        "change-1",
    ];
    from_nothing("state-sync", "customer-changed.active.json", &how, &[("crm", "putCustomer")])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ticket_sync_runs_from_nothing() {
    let how = ["ticket-sync/request", "--sign", "secrets/sandbox/crm/webhook"];
    let effects = [("helpdesk", "createTicket"), ("crm", "putTicketLink")];
    from_nothing("ticket-sync", "request.invoice.json", &how, &effects).await;
}
