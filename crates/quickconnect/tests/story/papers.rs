//! A guide for a change is generated, its scripts run against a server that serves both versions, a sender's fixtures are
//! rewritten and verified, and the older version still works.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value, json};

use crate::stage::{
    project::{replace, secret},
    server::Server,
};

const VERSIONS: &str = "naming: semver
select: {header: X-Alert-Version, default: 1.0.0}
pins: {old-monitor: 1.0.0}
versions:
  1.0.0:
    contract: contracts/v1/alert.schema.json
    deprecated: 2026-05-01
    sunset: 2999-05-01
    guide: migrations/1-to-2.md
    to_next:
      - rename: {from: .id, to: .alert_id}
      - map: {at: .level, values: {note: info, warn: warning, alarm: critical}}
  2.0.0:
    contract: contracts/alert.schema.json
";

const OLD: &str = r#"{
  "type": "object", "required": ["id", "title", "level"],
  "properties": {
    "id": {"type": "string", "minLength": 1, "maxLength": 100},
    "title": {"type": "string", "minLength": 1, "maxLength": 200},
    "level": {"enum": ["note", "warn", "alarm"]}
  }
}"#;

const WAYS: [&str; 6] = ["--from", "1.0.0", "--to", "2.0.0", "--project", "mine"];
const GUIDE: &str = "mine/integrations/notify/migrations/1-to-2.md";

/// The template with two versions of its contract.
fn project(server: &Server) -> PathBuf {
    server.well(&["init", "mine", "--template", "notify"]);
    let notify = server.folder.join("mine/integrations/notify");
    let contract = "    contract: contracts/alert.schema.json\n";
    let with = format!("{contract}    versions: contracts/alert.versions.yaml\n");
    replace(&notify.join("integration.yaml"), contract, &with);
    let examples = notify.join("contracts/examples/valid/v1");
    for folder in [&notify.join("contracts/v1"), &examples, &notify.join("migrations")] {
        fs::create_dir_all(folder).unwrap();
    }
    fs::write(notify.join("contracts/v1/alert.schema.json"), OLD).unwrap();
    fs::write(notify.join("contracts/alert.versions.yaml"), VERSIONS).unwrap();
    fs::write(notify.join("migrations/1-to-2.md"), "# Moving on\n\nOurs.\n").unwrap();
    for (name, level) in [("a", "warn"), ("b", "alarm")] {
        let alert = json!({"id": format!("it's {name}"), "title": "`$HOME` \"\\", "level": level});
        fs::write(examples.join(format!("alert.{name}.json")), alert.to_string()).unwrap();
    }
    notify
}

/// The scripts of a guide.
fn scripts(guide: &str) -> Vec<String> {
    let parts = guide.split("```sh\n").skip(1);
    parts.map(|part| part.split_once("\n```").unwrap().0.to_owned()).collect()
}

/// Runs a script as a reader would.
fn run(server: &Server, script: &str) -> String {
    let output = Command::new("/bin/sh")
        .args(["-c", script])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("QC_SERVER", format!("http://127.0.0.1:{}", server.port))
        .env("QC_ENVIRONMENT", "sandbox")
        .env("QC_TOKEN", server.token())
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{script}\n{shown}{}", said(&output));
    shown
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_guide_is_followed_by_scripts_and_the_way_back_works() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(folder.path());
    secret(&server.secrets(), "sandbox", "chat/token", "a token");
    let notify = project(&server);
    let guide = [&["contract", "guide", "notify/alert"][..], &WAYS, &["--out", GUIDE]].concat();
    let stale = server.qc(&[&guide[..], &["--check"]].concat());
    assert_eq!(stale.status.code(), Some(100), "{}", said(&stale));
    server.well(&guide);
    server.well(&[&guide[..], &["--check"]].concat());
    let text = read(&folder.path().join(GUIDE));
    assert!(text.starts_with("# Moving on\n\nOurs.\n\n<!-- qc:guide notify/alert"), "{text}");
    server.well(&["check", "mine", "--strict"]);

    server.start().await;
    let built = server.told(&["release", "build", "notify", "--folder", "mine"]);
    server.well(&["deploy", "sandbox", built["release"].as_str().unwrap()]);
    let scripts = scripts(&text);
    assert_eq!(scripts.len(), 2, "{text}");
    for (script, version) in scripts.iter().zip(["2.0.0", "1.0.0"]) {
        let answer = run(&server, script).to_lowercase();
        assert!(answer.starts_with("http/1.1 202"), "{answer}");
        assert!(answer.contains(&format!("x-alert-version: {version}")), "{answer}");
    }
    let runs = server.told(&["runs", "list", "--integration", "notify"]);
    assert_eq!(runs["items"].as_array().unwrap().len(), 2, "{runs}");

    fixtures(&server);
    wrong(&server, &notify, &guide);
}

/// A sender's own payloads.
fn fixtures(server: &Server) {
    let own = server.folder.join("own.ndjson");
    let old = "{\"id\":\"1\",\"title\":\"t\",\"level\":\"note\"}\n{\"id\":\"2\",\"title\":\"t\",\"level\":\"warn\"}\n";
    fs::write(&own, old).unwrap();
    let migrate = [&["migrate", "own.ndjson", "--trigger", "notify/alert"][..], &WAYS].concat();
    let with = |flag: &'static str| [&migrate[..], &[flag]].concat();
    let early = server.qc(&with("--verify"));
    assert_eq!(early.status.code(), Some(100));
    assert!(String::from_utf8_lossy(&early.stdout).contains("own.ndjson:1: failed: "));
    let diff = server.well(&with("--dry-run"));
    assert_eq!(read(&own), old, "nothing was written");
    assert!(diff.contains("-{\"id\":\"1\"") && diff.contains("+{"), "{diff}");
    server.well(&migrate);
    // The diff is what was done.
    let patched = server.folder.join("patched.ndjson");
    fs::write(&patched, old).unwrap();
    fs::write(server.folder.join("own.diff"), &diff).unwrap();
    let patch = Command::new("/usr/bin/patch")
        .args(["patched.ndjson", "own.diff"])
        .current_dir(&server.folder)
        .output();
    if let Ok(output) = patch {
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(read(&patched), read(&own));
    }
    let told = server.told(&with("--verify"));
    assert_eq!(told["outcome"], "passed", "{told}");
    let again = server.told(&migrate);
    assert_eq!(
        (&again["items"][0]["changed"], &again["items"][0]["already"]),
        (&json!(0), &json!(2))
    );
    let back = ["--from", "2.0.0", "--to", "1.0.0", "--project", "mine"];
    server.well(&[&["migrate", "own.ndjson", "--trigger", "notify/alert"][..], &back].concat());
    let documents = |text: &str| -> Vec<Value> {
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    assert_eq!(documents(&read(&own)), documents(old), "the way back");
    // One that nobody admits holds all of them.
    fs::write(server.folder.join("odd.json"), "{\"id\": 7}").unwrap();
    let refused = server.qc(&[&["migrate", "odd.json"][..], &migrate[1..]].concat());
    assert_eq!(refused.status.code(), Some(100));
    assert!(said(&refused).contains("QC-C049") && said(&refused).contains("odd.json:1"));
    assert_eq!(documents(&read(&own)), documents(old), "all or none");
}

/// A guide with a wrong pair is refused, and the one that is there stays.
fn wrong(server: &Server, notify: &Path, guide: &[&str]) {
    let before = read(&server.folder.join(GUIDE));
    replace(&notify.join("contracts/alert.versions.yaml"), "warn: warning", "warn: severe");
    let refused = server.qc(guide);
    assert_eq!(refused.status.code(), Some(100));
    assert!(said(&refused).contains("QC-C052"), "{}", said(&refused));
    assert_eq!(read(&server.folder.join(GUIDE)), before);
    let checked = server.qc(&["check", "mine"]);
    let told = format!("{}{}", String::from_utf8_lossy(&checked.stdout), said(&checked));
    assert!(told.contains("QC-P040"), "{told}");
}
