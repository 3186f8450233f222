//! Connections over a store, with a token endpoint that does what providers do.

mod upkeep;

use std::{
    collections::VecDeque,
    fs,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, StatusCode};
use qc_model::{
    Actor, Body, CallError, CallErrorKind, Caller, Class, HandClock, OutboundRequest,
    OutboundResponse, Retry, Seeded, Timestamp,
};
use qc_store::{CommitLimits, Committer, Store, memory::MemoryStore};
use qc_vault::{FileRing, Secret, Secrets, Vault, VaultParts};
use serde_json::{Value, json};
use tokio::{runtime::Runtime, sync::Notify};

use super::*;
use crate::{
    Dialect, GrantKind, Record, Rotation, State,
    machine::{Reason, Trouble},
    provider::{ClientProof, ConnectionId, Grant},
    record::RECOVERY_KIND,
};

const NOW: i64 = 1_795_358_400_000;
const WAIT: Duration = Duration::from_secs(20);

/// What the endpoint does with the next request, beside its rules.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    /// Answers with this status and word, and does nothing.
    Says(u16, &'static str),
    /// Does it, and the answer is lost.
    Loses,
    /// Takes the request and never answers.
    Hangs,
    /// Nothing was sent.
    Unreachable,
}

/// A provider that rotates refresh tokens and ends everything when a spent one comes again.
#[derive(Default)]
struct Provider {
    inner: Mutex<Inside>,
    /// Told when a request came in.
    came: Notify,
    /// Answers wait for it, when they are to be slow.
    gate: Mutex<Option<Arc<Notify>>>,
}

#[derive(Default)]
struct Inside {
    requests: Vec<String>,
    moods: VecDeque<Mood>,
    number: u32,
    current: Option<String>,
    dead: bool,
    /// How long refresh tokens live, in seconds, when it says so.
    refresh_life: Option<u64>,
    /// What it grants, when it says so.
    scope: Option<String>,
}

impl Provider {
    fn requests(&self) -> usize {
        self.inner.lock().unwrap().requests.len()
    }

    fn moods(&self, moods: impl IntoIterator<Item = Mood>) {
        self.inner.lock().unwrap().moods.extend(moods);
    }

    fn granted(&self, body: &str) -> (u16, Value) {
        let mut inner = self.inner.lock().unwrap();
        let sent = url::form_urlencoded::parse(body.as_bytes())
            .find(|pair| pair.0 == "refresh_token")
            .map(|pair| pair.1.into_owned());
        let good = inner.current.clone().unwrap_or_else(|| "seed".to_owned());
        if sent.is_some() && sent.as_ref() != Some(&good) {
            inner.dead = true;
        }
        if inner.dead {
            return (400, json!({"error": "invalid_grant"}));
        }
        inner.number += 1;
        let number = inner.number;
        inner.current = Some(format!("refresh-{number}"));
        let (access, refresh) = (format!("access-{number}"), format!("refresh-{number}"));
        let mut said =
            json!({"access_token": access, "refresh_token": refresh, "expires_in": 1000});
        if let Some(life) = inner.refresh_life {
            said["refresh_token_expires_in"] = life.into();
        }
        if let Some(scope) = &inner.scope {
            said["scope"] = scope.as_str().into();
        }
        (200, said)
    }
}

#[async_trait]
impl Caller for Provider {
    async fn call(&self, request: OutboundRequest) -> Result<OutboundResponse, CallError> {
        let body = request.body.collect(1 << 16).await?;
        let body = String::from_utf8_lossy(&body).into_owned();
        let mood = {
            let mut inner = self.inner.lock().unwrap();
            inner.requests.push(body.clone());
            inner.moods.pop_front()
        };
        // Looked at before it is told that a request came: whoever hears of it may open the gate for the next one.
        let gate = self.gate.lock().unwrap().clone();
        self.came.notify_one();
        let broken = |kind, sent| CallError { kind, sent, message: "it broke".to_owned() };
        let (status, said) = match mood {
            Some(Mood::Unreachable) => return Err(broken(CallErrorKind::Connect, false)),
            Some(Mood::Says(status, word)) => (status, json!({ "error": word })),
            Some(Mood::Hangs) => std::future::pending().await,
            Some(Mood::Loses) => {
                self.granted(&body);
                return Err(broken(CallErrorKind::Reset, true));
            }
            None => self.granted(&body),
        };
        if let Some(gate) = gate {
            gate.notified().await;
        }
        Ok(OutboundResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Body::Bytes(said.to_string().into_bytes().into()),
        })
    }
}

struct World {
    store: Arc<MemoryStore>,
    committer: Committer,
    clock: Arc<HandClock>,
    entropy: Arc<Seeded>,
    provider: Arc<Provider>,
    kek: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let store = Arc::new(MemoryStore::new());
        let shared: Arc<dyn Store> = Arc::<MemoryStore>::clone(&store);
        let (committer, looping) = Committer::new(shared, CommitLimits::default());
        tokio::spawn(looping);
        let folder = tempfile::tempdir().unwrap();
        let kek = folder.path().join("kek");
        fs::write(&kek, STANDARD.encode([1_u8; 32])).unwrap();
        #[cfg(unix)]
        fs::set_permissions(&kek, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        Self {
            store,
            committer,
            clock: Arc::new(HandClock::at(NOW)),
            entropy: Arc::new(Seeded::new(7)),
            provider: Arc::default(),
            kek,
            _folder: folder,
        }
    }

    async fn node(&self, name: &str) -> Arc<Connections> {
        let vault = Vault::new(VaultParts {
            store: Arc::<MemoryStore>::clone(&self.store),
            committer: self.committer.clone(),
            ring: Some(Arc::new(FileRing::new(&self.kek, Arc::<Seeded>::clone(&self.entropy)))),
            clock: Arc::<HandClock>::clone(&self.clock),
            entropy: Arc::<Seeded>::clone(&self.entropy),
            secrets: &Secrets::none(),
        });
        vault.refresh().await.unwrap();
        Connections::new(ConnectionsParts {
            production: vec!["production".parse().unwrap()],
            store: Arc::<MemoryStore>::clone(&self.store),
            committer: self.committer.clone(),
            vault: Arc::new(vault),
            caller: Arc::<Provider>::clone(&self.provider),
            clock: Arc::<HandClock>::clone(&self.clock),
            entropy: Arc::<Seeded>::clone(&self.entropy),
            node: name.to_owned(),
            user_agent: "test".to_owned(),
        })
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Everything that is on the disk, as text.
    async fn disk(&self) -> String {
        let mut text = String::new();
        for kind in ["connection", RECOVERY_KIND, "connection-client"] {
            for document in self.store.documents(kind, None, 100).await.unwrap() {
                text.push_str(&String::from_utf8_lossy(&document.body));
            }
        }
        text
    }
}

fn id() -> ConnectionId {
    ConnectionId { environment: "sandbox".parse().unwrap(), name: "crm".to_owned() }
}

fn grant(rotation: Rotation) -> Grant {
    Grant {
        id: id(),
        connector: "crm".to_owned(),
        kind: GrantKind::RefreshToken { seed: Secret::new("seed") },
        token_url: "https://login.test/token".to_owned(),
        client_id: "qc".to_owned(),
        proof: ClientProof::Post(Secret::new("client-secret")),
        scopes: vec!["read".to_owned()],
        token_params: vec![],
        refresh_params: vec![],
        dialect: Dialect { rotation, ..Dialect::default() },
        waiver: None,
        identity: None,
    }
}

const STRICT: Rotation = Rotation::Rotating { grace_ms: 0 };
const GRACE: Rotation = Rotation::Rotating { grace_ms: 120_000 };
const NEED: Need<'static> = Need { scopes: &[], waiver: None };

async fn token(node: &Arc<Connections>, rotation: Rotation) -> Result<String, String> {
    let access = node.access(grant(rotation), NEED, WAIT).await;
    access
        .map(|access| access.token.expose().to_owned())
        .map_err(|failure| format!("{} {:?}", failure.code, failure.retry))
}

async fn record(node: &Connections) -> Record {
    node.show(&id()).await.unwrap().unwrap().record
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_on_an_ended_token_are_one_refresh() {
    let world = World::new();
    let node = world.node("a").await;
    assert_eq!(token(&node, STRICT).await.unwrap(), "access-1");
    world.pass(2000);
    let calls: Vec<_> = (0..1000)
        .map(|_| {
            let node = Arc::clone(&node);
            tokio::spawn(async move { token(&node, STRICT).await.unwrap() })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), "access-2");
    }
    assert_eq!(world.provider.requests(), 2);
    let disk = world.disk().await;
    for secret in ["access-1", "refresh-1", "client-secret"] {
        assert!(!disk.contains(secret), "{secret} is on the disk");
    }
    assert!(!disk.contains("access-2") && !disk.contains("refresh-2"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_ask_once() {
    let world = World::new();
    let (a, b) = (world.node("a").await, world.node("b").await);
    let gate = Arc::new(Notify::new());
    *world.provider.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let first = tokio::spawn({
        let a = Arc::clone(&a);
        async move { token(&a, STRICT).await }
    });
    world.provider.came.notified().await;
    let second = tokio::spawn({
        let b = Arc::clone(&b);
        async move { token(&b, STRICT).await }
    });
    *world.provider.gate.lock().unwrap() = None;
    gate.notify_one();
    assert_eq!(first.await.unwrap().unwrap(), "access-1");
    assert_eq!(second.await.unwrap().unwrap(), "access-1");
    assert_eq!(world.provider.requests(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_nodes_that_begin_at_once_one_asks() {
    let world = World::new();
    let nodes = [world.node("a").await, world.node("b").await, world.node("c").await];
    for generation in 1..=20 {
        let racing =
            nodes.clone().map(|node| tokio::spawn(async move { token(&node, STRICT).await }));
        for one in racing {
            assert_eq!(one.await.unwrap().unwrap(), format!("access-{generation}"));
        }
        assert_eq!(world.provider.requests(), generation);
        world.pass(2000);
    }
}

#[tokio::test]
async fn an_outage_keeps_the_token_and_a_revocation_waits_for_consent() {
    let world = World::new();
    let node = world.node("a").await;
    token(&node, STRICT).await.unwrap();
    world.pass(900);
    world.provider.moods([Mood::Says(503, ""), Mood::Unreachable]);
    assert_eq!(token(&node, STRICT).await.unwrap(), "access-1");
    node.settle(WAIT).await;
    let State::Degraded { trouble: Trouble::Outage, failures: 1, .. } = record(&node).await.state
    else {
        panic!("{:?}", record(&node).await.state)
    };
    // It ends, and the endpoint is still away: work tries again, and nothing is dead.
    world.pass(200);
    assert!(token(&node, STRICT).await.unwrap_err().starts_with("QC-N305 After"));
    // In its pause nobody asks.
    assert!(token(&node, STRICT).await.unwrap_err().starts_with("QC-N305 After"));
    assert_eq!(world.provider.requests(), 3);
    world.pass(600);
    assert_eq!(token(&node, STRICT).await.unwrap(), "access-2");
    world.pass(2000);
    world.provider.moods([Mood::Says(400, "invalid_grant")]);
    assert_eq!(token(&node, STRICT).await.unwrap_err(), "QC-N301 OnEvent");
    let state = record(&node).await.state;
    assert!(matches!(state, State::ReauthRequired { reason: Reason::InvalidGrant, .. }));
    // It is not asked again.
    world.pass(5000);
    assert_eq!(token(&node, STRICT).await.unwrap_err(), "QC-N301 OnEvent");
    assert_eq!(world.provider.requests(), 5);
    // Another token in the secret's place is consent.
    world.provider.inner.lock().unwrap().current = Some("brought".to_owned());
    let kind = GrantKind::RefreshToken { seed: Secret::new("brought") };
    let again = Grant { kind, ..grant(STRICT) };
    let access = node.access(again, NEED, WAIT).await.unwrap();
    assert_eq!(access.token.expose(), "access-3");
}

#[tokio::test]
async fn a_refused_client_is_one_incident_for_all_its_connections() {
    let world = World::new();
    let node = world.node("a").await;
    world.provider.moods([Mood::Says(401, "invalid_client")]);
    assert_eq!(token(&node, STRICT).await.unwrap_err(), "QC-N304 OnEvent");
    for name in ["second", "third"] {
        let id = ConnectionId { name: name.to_owned(), ..id() };
        let failure = node.access(Grant { id, ..grant(STRICT) }, NEED, WAIT).await.unwrap_err();
        assert_eq!((failure.class, failure.retry), (Class::Auth, Retry::OnEvent));
    }
    assert_eq!(world.provider.requests(), 1);
    assert_eq!(world.store.documents("connection-client", None, 10).await.unwrap().len(), 1);
    world.pass(600);
    assert_eq!(token(&node, STRICT).await.unwrap(), "access-1");
    assert!(world.store.documents("connection-client", None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_lost_answer_is_asked_again_only_where_the_provider_allows_it() {
    // Strict: the token is used until it ends, then a person is needed.
    let world = World::new();
    let node = world.node("a").await;
    token(&node, STRICT).await.unwrap();
    world.pass(900);
    world.provider.moods([Mood::Loses]);
    assert_eq!(token(&node, STRICT).await.unwrap(), "access-1");
    node.settle(WAIT).await;
    assert_eq!(record(&node).await.state.as_str(), "suspect");
    assert_eq!(token(&node, STRICT).await.unwrap(), "access-1");
    node.settle(WAIT).await;
    // Who asks for new ones hears that there are none.
    let asked = node.rotate(grant(STRICT), &Actor::platform("test"), WAIT).await;
    assert_eq!(asked.unwrap_err().code.as_str(), "QC-N302");
    world.pass(200);
    assert_eq!(token(&node, STRICT).await.unwrap_err(), "QC-N301 OnEvent");
    assert_eq!(world.provider.requests(), 2, "the spent token was sent again");
    // Fixed: asked again after a pause.
    let world = World::new();
    let node = world.node("a").await;
    world.provider.moods([Mood::Unreachable]);
    assert!(token(&node, Rotation::Fixed).await.is_err());
    world.pass(60);
    assert_eq!(token(&node, Rotation::Fixed).await.unwrap(), "access-1");
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_a_minute() {
    let world = World::new();
    let node = world.node("a").await;
    let first = node.access(grant(STRICT), NEED, WAIT).await.unwrap();
    world.pass(70);
    let second = node.renewed_access(grant(STRICT), &first, WAIT).await.unwrap().unwrap();
    assert_eq!(second.token.expose(), "access-2");
    // The new one is refused, too: the one before is tried once, and no third is asked for.
    let other = node.renewed_access(grant(STRICT), &second, WAIT).await.unwrap().unwrap();
    assert_eq!((other.token.expose(), other.previous), ("access-1", true));
    assert!(node.renewed_access(grant(STRICT), &other, WAIT).await.unwrap().is_none());
    assert_eq!(world.provider.requests(), 2);
}

/// Kills a node: its runtime ends with everything that ran in it.
fn kill(node: Arc<Connections>, runtime: Runtime) {
    drop(node);
    runtime.shutdown_background();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_killed_after_its_intent_is_suspected_and_never_repeated_blindly() {
    // The provider had not done it yet; or it had, and its answer was on the way.
    for (rotation, answered, after) in [
        (STRICT, false, "QC-N301 OnEvent"),
        (STRICT, true, "QC-N301 OnEvent"),
        (GRACE, false, "access-2"),
    ] {
        let world = World::new();
        let (a, b) = (world.node("a").await, world.node("b").await);
        token(&a, rotation).await.unwrap();
        world.provider.came.notified().await;
        world.pass(1100);
        if answered {
            *world.provider.gate.lock().unwrap() = Some(Arc::default());
        } else {
            world.provider.moods([Mood::Hangs]);
        }
        let runtime = Runtime::new().unwrap();
        let dying = Arc::clone(&a);
        runtime.spawn(async move { token(&dying, rotation).await });
        world.provider.came.notified().await;
        kill(a, runtime);
        *world.provider.gate.lock().unwrap() = None;
        assert_eq!(record(&b).await.state.as_str(), "refreshing");
        world.pass(31);
        let said = token(&b, rotation).await.unwrap_or_else(|failure| failure);
        assert_eq!(said, after);
        assert_eq!(world.provider.requests(), if rotation == STRICT { 2 } else { 3 });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_come_after_their_lease_are_kept_and_taken() {
    let world = World::new();
    let (a, b) = (world.node("a").await, world.node("b").await);
    token(&a, STRICT).await.unwrap();
    world.provider.came.notified().await;
    world.pass(1100);
    let gate = Arc::new(Notify::new());
    *world.provider.gate.lock().unwrap() = Some(Arc::clone(&gate));
    let late = tokio::spawn({
        let a = Arc::clone(&a);
        async move { token(&a, STRICT).await }
    });
    world.provider.came.notified().await;
    // The node is frozen for longer than its lease; another one finds the connection suspect, and its token ended.
    world.pass(31);
    assert_eq!(token(&b, STRICT).await.unwrap_err(), "QC-N301 OnEvent");
    *world.provider.gate.lock().unwrap() = None;
    gate.notify_one();
    // It wakes up with tokens that nobody else has.
    assert_eq!(late.await.unwrap().unwrap(), "access-2");
    assert_eq!(record(&b).await.state, State::Active);
    assert_eq!(world.provider.requests(), 2);
    assert!(world.store.documents(RECOVERY_KIND, None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_revoked_connection_gives_nothing_and_holds_nothing() {
    let world = World::new();
    let node = world.node("a").await;
    token(&node, STRICT).await.unwrap();
    assert!(node.revoke(&id(), None, &Actor::platform("test")).await.unwrap());
    assert_eq!(token(&node, STRICT).await.unwrap_err(), "QC-N303 OnEvent");
    assert!(record(&node).await.sealed.is_empty());
    assert_eq!(world.provider.requests(), 1);
}

#[tokio::test]
async fn a_person_s_rotation_brings_new_tokens() {
    let world = World::new();
    let node = world.node("a").await;
    token(&node, STRICT).await.unwrap();
    assert!(node.rotate(grant(STRICT), &Actor::platform("test"), WAIT).await.unwrap());
    assert_eq!(token(&node, STRICT).await.unwrap(), "access-2");
}

#[tokio::test]
async fn tokens_are_sealed_anew_before_their_data_key_goes() {
    let world = World::new();
    let node = world.node("a").await;
    token(&node, STRICT).await.unwrap();
    let vault = &node.parts.vault;
    let test = Actor::platform("test");
    assert_eq!(vault.rotate_key(&id().environment, &test).await.unwrap(), 2);
    while vault.tend().await.unwrap() {}
    let keys = async || vault.status().await.unwrap().environments[0].keys.len();
    assert_eq!(keys().await, 2, "another node may be about to write with the old one");
    world.pass(61);
    while vault.tend().await.unwrap() {}
    assert_eq!(keys().await, 1);
    // A node that knows only the new key opens them, and goes on.
    let other = world.node("b").await;
    assert_eq!(token(&other, STRICT).await.unwrap(), "access-1");
    world.pass(2000);
    assert_eq!(token(&other, STRICT).await.unwrap(), "access-2");
}
