//! Captures over a store and a vault, with a clock that is turned by hand.

use std::{fs, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderMap;
use qc_model::{Actor, Clock, EnvironmentName, HandClock, Name, RunId, Seeded, TenantName};
use qc_store::{CommitLimits, Committer, LedgerFilter, Store, memory::MemoryStore};
use qc_vault::{FileRing, KeyRing, Secrets, Vault, VaultError, VaultParts};

use crate::{
    Capture, CaptureError, CaptureParts, CaptureRequest, Captures, Content, ENTRY_KIND, Message,
    Passing, ReadError, Recorded, content,
};

const NOW: i64 = 1_795_358_400_000;
const RUN: RunId = RunId::from_bits((NOW as u128) << 80);
const PLANTED: &str = "ada@persons.example";

struct World {
    store: Arc<MemoryStore>,
    committer: Committer,
    clock: Arc<HandClock>,
    entropy: Arc<Seeded>,
    folder: tempfile::TempDir,
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn actor() -> Actor {
    Actor::platform("test")
}

impl World {
    fn new() -> Self {
        let store = Arc::new(MemoryStore::new());
        let shared: Arc<dyn Store> = Arc::<MemoryStore>::clone(&store);
        let (committer, looping) = Committer::new(shared, CommitLimits::default());
        tokio::spawn(looping);
        let folder = tempfile::tempdir().unwrap();
        let (clock, entropy) = (HandClock::at(NOW), Seeded::new(7));
        Self { store, committer, clock: Arc::new(clock), entropy: Arc::new(entropy), folder }
    }

    fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// A node that has read what is there.
    async fn node(&self) -> Captures {
        let kek = self.folder.path().join("kek");
        if !kek.exists() {
            fs::write(&kek, STANDARD.encode([1; 32])).unwrap();
            #[cfg(unix)]
            fs::set_permissions(&kek, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        }
        let ring = FileRing::new(&kek, Arc::<Seeded>::clone(&self.entropy));
        self.node_with(Some(Arc::new(ring))).await
    }

    async fn node_with(&self, ring: Option<Arc<dyn KeyRing>>) -> Captures {
        let secrets = Secrets::none();
        let vault = Vault::new(VaultParts {
            store: Arc::<MemoryStore>::clone(&self.store),
            committer: self.committer.clone(),
            ring,
            clock: Arc::<HandClock>::clone(&self.clock),
            entropy: Arc::<Seeded>::clone(&self.entropy),
            secrets: &secrets,
        });
        vault.refresh().await.unwrap();
        let captures = Captures::new(CaptureParts {
            store: Arc::<MemoryStore>::clone(&self.store),
            committer: self.committer.clone(),
            vault: Arc::new(vault),
            clock: Arc::<HandClock>::clone(&self.clock),
            entropy: Arc::<Seeded>::clone(&self.entropy),
        });
        captures.refresh().await.unwrap();
        captures
    }

    async fn entries(&self) -> Vec<qc_store::Document> {
        self.store.documents(ENTRY_KIND, None, 1_000).await.unwrap()
    }
}

/// Half an hour of all that `sync` does for `acme` in production, kept for an hour.
fn asked() -> CaptureRequest {
    CaptureRequest {
        person: name("ada"),
        tenant: TenantName::new("acme").unwrap(),
        environment: EnvironmentName::new("production").unwrap(),
        integration: name("sync"),
        task: None,
        system: None,
        events: true,
        reason: "orders are lost".to_owned(),
        ticket: "OPS-7".to_owned(),
        lifetime: Duration::from_secs(1_800),
        keep: Duration::from_secs(3_600),
        max: 3,
    }
}

/// A call to `crm` by the task `load` passes by; whether it was recorded.
async fn passes(
    captures: &Captures,
    place: (&str, &str, &str),
    (task, system): (&str, &str),
) -> bool {
    let (environment, tenant, integration) = place;
    let (environment, tenant) =
        (EnvironmentName::new(environment).unwrap(), TenantName::new(tenant).unwrap());
    let integration = name(integration);
    let passing =
        Passing { environment: &environment, tenant: &tenant, integration: &integration, run: RUN };
    let Some(tap) = captures.tap_call(passing, task, || system.to_owned()) else { return false };
    let body = content(format!("{{\"email\":\"{PLANTED}\"}}").as_bytes());
    tap.keep(&Recorded::Call {
        task: task.to_owned(),
        attempt: 1,
        system: system.to_owned(),
        operation: None,
        took_ms: 7,
        request: Box::new(Message::new("POST https://crm.example/x", &HeaderMap::new(), body)),
        answer: Some(Box::new(Message::new("200", &HeaderMap::new(), Content::Nothing))),
        failure: None,
    })
    .await;
    true
}

const HERE: (&str, &str, &str) = ("production", "acme", "sync");
const CALL: (&str, &str) = ("load", "crm");

async fn approved(captures: &Captures, asked: CaptureRequest) -> Capture {
    let capture = captures.request(asked, &actor()).await.unwrap();
    captures.decide(&capture.id, true, &name("ben"), &actor()).await.unwrap()
}

#[tokio::test]
async fn a_second_person_agrees_and_only_what_was_agreed_to_is_recorded() {
    let world = World::new();
    let captures = world.node().await;
    let capture = captures.request(asked(), &actor()).await.unwrap();
    assert!(!captures.any() && !passes(&captures, HERE, CALL).await, "nobody has agreed yet");
    let own = captures.decide(&capture.id, true, &name("ada"), &actor()).await;
    assert_eq!(own, Err(CaptureError::OwnRequest.into()));
    let given = captures.decide(&capture.id, true, &name("ben"), &actor()).await.unwrap();
    assert_eq!(given.word(world.clock.now()), "recording");
    let again = captures.decide(&capture.id, false, &name("eve"), &actor()).await;
    assert_eq!(again, Err(CaptureError::Decided("recording").into()));
    for other in [
        ("staging", "acme", "sync"),
        ("production", "other", "sync"),
        ("production", "acme", "billing"),
    ] {
        assert!(!passes(&captures, other, CALL).await, "{other:?}");
    }
    assert!(passes(&captures, HERE, CALL).await);
    let seen = captures.read(&capture.id, None, 10).await.unwrap();
    let told = serde_json::to_string(&seen[0].recorded).unwrap();
    assert!(seen.len() == 1 && told.contains(PLANTED) && seen[0].run == RUN, "{told}");
    let (counted, _) = captures.one(&capture.id).await.unwrap().unwrap();
    assert_eq!(counted.taken, 1);
    let stored = world.entries().await;
    let text = String::from_utf8_lossy(&stored[0].body).into_owned();
    assert!(text.contains(&RUN.to_string()) && !text.contains("persons.example"), "{text}");
    // Sealed for this tenant and capture: copied elsewhere it does not open.
    let other = approved(&captures, CaptureRequest { ticket: "OPS-8".to_owned(), ..asked() }).await;
    let copy = qc_store::DocumentOp::Put {
        kind: ENTRY_KIND.to_owned(),
        name: format!("acme/{}/000001", other.id),
        expect: qc_store::Expect::Absent,
        body: stored[0].body.clone(),
        at: world.clock.now(),
    };
    let id = qc_model::TxnId::new(world.clock.now(), &*world.entropy);
    let change = qc_store::Change { id, documents: vec![copy], ledger: vec![], signals: vec![] };
    world.committer.change(change).await.unwrap();
    let read = captures.read(&other.id, None, 10).await;
    assert!(matches!(read, Err(ReadError::Vault(VaultError::Sealed(_)))), "{read:?}");
}

#[tokio::test]
async fn a_task_and_a_system_narrow_it() {
    let world = World::new();
    let captures = world.node().await;
    let (task, system) = (Some("load".to_owned()), Some("crm".to_owned()));
    approved(&captures, CaptureRequest { task, system, events: false, ..asked() }).await;
    assert!(!passes(&captures, HERE, ("store", "crm")).await);
    assert!(!passes(&captures, HERE, ("load", "erp")).await);
    assert!(passes(&captures, HERE, CALL).await);
    let (environment, tenant) =
        (EnvironmentName::new("production").unwrap(), TenantName::new("acme").unwrap());
    let integration = name("sync");
    let passing =
        Passing { environment: &environment, tenant: &tenant, integration: &integration, run: RUN };
    assert!(captures.tap_event(passing).is_none(), "events were not asked for");
}

#[tokio::test]
async fn it_ends_by_its_count_by_its_time_and_for_good() {
    let world = World::new();
    let (captures, other) = (world.node().await, world.node().await);
    let capture = approved(&captures, asked()).await;
    other.refresh().await.unwrap();
    // Two nodes count together.
    for node in [&captures, &other, &captures] {
        assert!(passes(node, HERE, CALL).await);
    }
    other.refresh().await.unwrap();
    for node in [&captures, &other] {
        assert!(!passes(node, HERE, CALL).await, "three are all");
        assert!(!node.any(), "and then it costs nothing");
    }
    assert_eq!(captures.read(&capture.id, None, 10).await.unwrap().len(), 3);
    let page = captures.read(&capture.id, None, 2).await.unwrap();
    let rest = captures.read(&capture.id, Some(&page[1].name), 2).await.unwrap();
    assert_eq!((page.len(), rest.len()), (2, 1));
    // It can be read until it is over, and no moment longer, whatever the upkeep does.
    world.pass(Duration::from_secs(1_800 + 3_600 - 1));
    assert_eq!(captures.read(&capture.id, None, 10).await.unwrap().len(), 3);
    world.pass(Duration::from_secs(1));
    assert_eq!(captures.read(&capture.id, None, 10).await, Err(ReadError::Closed("over")));
    captures.round().await.unwrap();
    assert_eq!(world.entries().await, vec![]);
    assert_eq!(captures.read(&capture.id, None, 10).await, Err(ReadError::Closed("purged")));
    world.pass(Duration::from_secs(31 * 86_400));
    captures.round().await.unwrap();
    assert_eq!(captures.read(&capture.id, None, 10).await, Err(ReadError::Nothing));
    let filter = LedgerFilter { limit: 100, ..LedgerFilter::default() };
    let rows = world.store.ledger(&filter).await.unwrap();
    let of_it = rows.iter().filter(|entry| entry.row.subject == format!("capture {}", capture.id));
    let outcomes: Vec<&str> = of_it.map(|entry| entry.row.outcome.as_str()).collect();
    assert_eq!(outcomes, ["requested", "approved", "emptied", "purged"]);
    assert!(rows.iter().all(|entry| !String::from_utf8_lossy(&entry.row.facts).contains(PLANTED)));
}

#[tokio::test]
async fn it_records_no_moment_longer_than_its_time_on_a_node_that_did_not_look() {
    let world = World::new();
    let captures = world.node().await;
    let capture = approved(&captures, asked()).await;
    world.pass(Duration::from_secs(1_799));
    assert!(passes(&captures, HERE, CALL).await);
    world.pass(Duration::from_secs(1));
    assert!(!passes(&captures, HERE, CALL).await);
    let (kept, _) = captures.one(&capture.id).await.unwrap().unwrap();
    assert_eq!((kept.word(world.clock.now()), kept.taken), ("kept", 1));
}

#[tokio::test]
async fn who_ends_it_leaves_nothing_and_a_node_that_died_is_followed_by_another() {
    let world = World::new();
    let captures = world.node().await;
    let capture = approved(&captures, asked()).await;
    assert!(passes(&captures, HERE, CALL).await);
    let ended = captures.end(&capture.id, &actor()).await.unwrap();
    assert_eq!((ended.word(world.clock.now()), world.entries().await.len()), ("purged", 0));
    let twice = captures.end(&capture.id, &actor()).await;
    assert_eq!(twice, Err(CaptureError::NotUnderWay("purged").into()));
    // A node dies between the two steps.
    let capture = approved(&captures, asked()).await;
    assert!(passes(&captures, HERE, CALL).await);
    let (found, revision) = captures.one(&capture.id).await.unwrap().unwrap();
    let emptied = found.emptied(world.clock.now()).unwrap();
    captures.keep(&emptied, Some(revision), &actor()).await.unwrap();
    let other = world.node().await;
    other.round().await.unwrap();
    assert_eq!(world.entries().await.len(), 1, "the first one may still be at it");
    world.pass(Duration::from_secs(60));
    other.round().await.unwrap();
    assert_eq!(world.entries().await.len(), 0);
    assert_eq!(other.read(&capture.id, None, 1).await, Err(ReadError::Closed("purged")));
}

#[tokio::test]
async fn what_could_not_be_kept_safely_or_for_no_reason_is_not_asked_for() {
    let world = World::new();
    let off = world.node_with(None).await;
    assert_eq!(off.request(asked(), &actor()).await, Err(VaultError::Off.into()));
    let captures = world.node().await;
    let hours = |hours: u64| Duration::from_secs(hours * 3_600);
    for (request, why) in [
        (CaptureRequest { reason: " ".to_owned(), ..asked() }, CaptureError::Silent("reason")),
        (CaptureRequest { ticket: String::new(), ..asked() }, CaptureError::Silent("ticket")),
        (
            CaptureRequest { task: Some("x".repeat(1_001)), ..asked() },
            CaptureError::Long("task", 1_000),
        ),
        (CaptureRequest { lifetime: hours(5), ..asked() }, CaptureError::Lifetime),
        (CaptureRequest { lifetime: hours(0), ..asked() }, CaptureError::Lifetime),
        (CaptureRequest { keep: hours(25), ..asked() }, CaptureError::Lifetime),
        (CaptureRequest { max: 0, ..asked() }, CaptureError::Count),
        (CaptureRequest { max: 1_001, ..asked() }, CaptureError::Count),
    ] {
        assert_eq!(captures.request(request, &actor()).await, Err(why.into()));
    }
    for _ in 0..50 {
        captures.request(asked(), &actor()).await.unwrap();
    }
    let more = captures.request(asked(), &actor()).await;
    assert_eq!(more, Err(CaptureError::TooMany(50).into()));
    world.pass(hours(24));
    let (first, _) = captures.all().await.unwrap().swap_remove(0);
    let late = captures.decide(&first.id, true, &name("ben"), &actor()).await;
    assert_eq!(late, Err(CaptureError::Decided("lapsed").into()));
    captures.request(asked(), &actor()).await.unwrap();
}
