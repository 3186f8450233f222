//! What a server holds in memory: of an API's document of eleven megabytes only the operations that are used.

use std::{
    fs::{self, File},
    io::{Read, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use flate2::read::GzDecoder;

use crate::{
    notify::{Notify, WORKFLOW},
    stage::{
        process::{PATIENCE, Process},
        server::Server,
    },
};

/// GitHub's REST API, in the shared data.
const DOCUMENT: &str = "data/github-rest-api/octokit-openapi-19.1.0.json.gz";
/// What a server that was restarted may hold for a release of three operations over an idle one, in kB.
const HELD: u64 = 8 * 1024;
/// The same for a server that took the release in: it has parsed the whole document, and its heap is in pieces.
const LEFT: u64 = 28 * 1024;
/// Freed memory is given back every five seconds: this long without a change, and it is settled.
const SETTLED: Duration = Duration::from_secs(11);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// What does not count as a change, in kB.
const STILL: u64 = 256;
/// The most that settling may take.
const SETTLING: Duration = Duration::from_secs(120);

const CALLS: &str = "
  - look:
      call: github.repos/get
      with: {owner: '${ .alert_id }', repo: '${ .title }'}
  - list:
      call: github.issues/list-for-repo
      with: {owner: '${ .alert_id }', repo: '${ .title }'}
  - open:
      call: github.issues/create
      with: {owner: '${ .alert_id }', repo: '${ .title }', body: {title: '${ .title }'}}
";

const RULES: &str = "
owner: operations
retry: {delay: 500ms, backoff: exponential, max_delay: 30s, attempts: 6, duration: 15m}
operations:
  issues/create: {effect: {class: once}}
";

#[tokio::test(flavor = "multi_thread")]
async fn a_release_holds_only_the_operations_that_it_uses() {
    let Some(document) = document() else { return };
    assert!(document.len() > 10 << 20, "the document has only {} bytes", document.len());

    let idle_folder = tempfile::tempdir().unwrap();
    let mut idle = Server::new(idle_folder.path());
    let mut loaded = calling_github(&document);
    idle.start().await;
    loaded.server.start().await;
    loaded.deploy();
    let (idle, deployed) = tokio::join!(settled(idle.process()), settled(loaded.server.process()));
    // The release is as it would be after a restart, too: what is kept is read, and nothing else.
    loaded.server.terminate();
    assert_eq!(loaded.server.ended(PATIENCE).await.code(), Some(0));
    loaded.server.start().await;
    let restarted = settled(loaded.server.process()).await;
    let said =
        format!("idle {idle} kB, after the deployment {deployed} kB, restarted {restarted} kB");
    say(&format!("memory of a release of three operations: {said}"));
    assert!(restarted < idle + HELD, "{said}");
    assert!(deployed < idle + LEFT, "{said}");
    // It is the release that was measured: its trigger is there.
    assert_eq!(loaded.alert("A-1", 0).await.status, 202);
}

fn document() -> Option<Vec<u8>> {
    #[expect(clippy::disallowed_methods, reason = "the data lie outside of the project")]
    let shared = std::env::var("QC_SHARED").map_or_else(
        |_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let packed = shared.join(DOCUMENT);
    let Ok(packed) = File::open(&packed) else {
        say(&format!(
            "SKIPPED: a release's memory is not measured: no {} (set QC_SHARED)",
            packed.display()
        ));
        return None;
    };
    let mut document = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut document).unwrap();
    Some(document)
}

/// Says something that is seen also when the test passes: the harness keeps only what is printed.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The template with GitHub in place of its chat, and three calls to it.
fn calling_github(document: &[u8]) -> Notify {
    let notify = Notify::calling("http://127.0.0.1:9");
    let file: PathBuf = notify.file("../github.json");
    fs::write(&file, document).unwrap();
    notify.server.well(&[
        "new",
        "connector",
        "github",
        "--folder",
        "mine",
        "--openapi",
        file.to_str().unwrap(),
    ]);
    let connector = notify.file("connectors/github/connector.yaml");
    let written = fs::read_to_string(&connector).unwrap();
    let head: Vec<&str> = written.lines().filter(|line| !line.starts_with('#')).collect();
    fs::write(&connector, head.join("\n") + RULES).unwrap();
    let workflow = fs::read_to_string(notify.file(WORKFLOW)).unwrap();
    let (head, _) = workflow.split_once("\n  - tell:").unwrap();
    fs::write(notify.file(WORKFLOW), format!("{head}{CALLS}")).unwrap();
    // Its scenarios are about the chat.
    fs::remove_dir_all(notify.file("integrations/notify/acceptance")).unwrap();
    let integration = "integrations/notify/integration.yaml";
    notify.edit(integration, "tasks: [tell]", "tasks: [look, list, open]");
    notify.edit(integration, "  chat: {", "  github: {");
    let text = fs::read_to_string(notify.file(integration)).unwrap();
    let (before, rest) = text.split_once("failure_modes:").unwrap();
    let (_, after) = rest.split_once("\nowners:").unwrap();
    fs::write(notify.file(integration), format!("{before}owners:{after}")).unwrap();
    notify
}

/// The process's private memory in kB, once it no longer falls. Nothing tells when memory was given back: it is looked
/// at, again and again.
async fn settled(process: &Process) -> u64 {
    let began = Instant::now();
    let (mut least, mut since) = (resident(process), Instant::now());
    while since.elapsed() < SETTLED {
        assert!(began.elapsed() < SETTLING, "it never settles");
        tokio::time::sleep(LOOK).await;
        let now = resident(process);
        if now + STILL < least {
            (least, since) = (now, Instant::now());
        }
    }
    resident(process)
}

/// The pages of the program's own file, which also count as resident, are not its data: how many there are follows from
/// how much of its code has run, and in a test build that is more than the release.
fn resident(process: &Process) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
