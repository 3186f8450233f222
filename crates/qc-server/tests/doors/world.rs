//! One server on loopback, with everything behind it.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use qc_access::{Access, IssueRequest, Role, TokenKind, issue};
use qc_audit::{Sealed, Sealer, Seed};
use qc_capture::{CaptureParts, Captures};
use qc_connect::call::{ConnectionTokens, Outbound};
use qc_connection::{Connections, ConnectionsParts};
use qc_engine::{Deployment, Engine, EngineParts, EngineSettings};
use qc_model::{
    Actor, Clock, Entropy, EnvironmentName, Event, EventData, Name, RunId, Seeded, Timestamp,
};
use qc_oidcserver::Fake;
use qc_release::Office;
use qc_server::{
    Catalogue, Door, MeteredStore, PolicyEgress, ServerParts, ServerSettings, Service, State, bind,
    serve,
};
use qc_store::{Change, CommitLimits, Committer, RunFilter, Store, memory::MemoryStore};
use qc_vault::{Secrets, VariableRing, Vault, VaultParts};
use serde_json::Value;
use tokio::sync::watch;

use crate::{
    client::{Ask, Reply},
    deployment::{CRAFT, bundle},
    outside::Desk,
};

pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(i64::try_from(unix().as_millis()).unwrap())
    }
}

/// The wall clock, moved.
#[derive(Default)]
pub(crate) struct Moved(AtomicI64);

impl Moved {
    /// From now on it is this moment.
    pub(crate) fn to(&self, moment: &str) {
        let moment: Timestamp = moment.parse().unwrap();
        self.0.store(moment.as_millis() - SystemClock.now().as_millis(), Ordering::SeqCst);
    }
}

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(SystemClock.now().as_millis() + self.0.load(Ordering::SeqCst))
    }
}

/// Where the server is for the world.
pub(crate) const PUBLIC: &str = "https://qc.example.test";

/// What wraps the vault's keys here.
const KEK: &str = "a2VrLWtlay1rZWsta2VrLWtlay1rZWsta2VrLWtlay0=";

/// The time since 1970.
pub(crate) fn unix() -> Duration {
    SystemTime::UNIX_EPOCH.elapsed().unwrap()
}

/// The server, and what a test asks it by.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) desk: Arc<Desk>,
    /// Where people sign in.
    pub(crate) fake: Arc<Fake>,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) clock: Arc<Moved>,
    /// The key of the machine's owner, who may do everything everywhere.
    pub(crate) owner: String,
    pub(crate) state: Arc<State>,
    engine: Engine,
    committer: Committer,
    pub(crate) catalogue: Arc<Catalogue>,
    entropy: Arc<Seeded>,
    /// Without it nothing can be written.
    pub(crate) commit_loop: tokio::task::AbortHandle,
    _stop: watch::Sender<bool>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(ServerSettings::default()).await
    }

    pub(crate) async fn with(settings: ServerSettings) -> Self {
        Self::with_engine(settings, EngineSettings::default()).await
    }

    pub(crate) async fn with_engine(
        settings: ServerSettings,
        engine_settings: EngineSettings,
    ) -> Self {
        let (clock, entropy) = (Arc::new(Moved::default()), Arc::new(Seeded::new(1)));
        let hand = Arc::clone(&clock);
        let memory = Arc::new(MemoryStore::with_clock(clock.clone()));
        let metered = MeteredStore::new(memory.clone());
        let commits = metered.numbers();
        let store: Arc<dyn Store> = Arc::new(metered);
        let (committer, commit_loop) = Committer::new(store.clone(), CommitLimits::default());
        let commit_loop = tokio::spawn(commit_loop).abort_handle();
        let (desk, secrets) = (Arc::new(Desk::default()), Arc::new(secrets()));
        let fake = crate::people::fake();
        let catalogue = Catalogue::new(store.clone(), CRAFT);
        let vault = vault(&store, &committer, &clock, &entropy, &secrets);
        let connections = Connections::new(ConnectionsParts {
            production: vec!["production".parse().unwrap()],
            store: store.clone(),
            committer: committer.clone(),
            vault: Arc::clone(&vault),
            caller: desk.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            node: "a".to_owned(),
            user_agent: "test".to_owned(),
        });
        let access = Arc::new(Access::new(true, vec!["production".parse().unwrap()]));
        let captures = captures(&store, &committer, &vault, &entropy);
        let engine = Engine::new(EngineParts {
            committer: committer.clone(),
            store: store.clone(),
            outbound: outbound(&desk, &clock, &secrets, &connections, &access)
                .with_captures(captures.clone()),
            clock: clock.clone(),
            entropy: entropy.clone(),
            releases: catalogue.clone(),
            settings: engine_settings,
        });
        let running = engine.clone();
        tokio::spawn(async move { running.run().await });
        deploy(&*store, &committer, &*entropy, "first").await;
        let served = catalogue.clone();
        assert!(catalogue.reload(&engine).await.unwrap().is_empty());
        let state = State::new(ServerParts {
            engine: engine.clone(),
            store,
            committer: committer.clone(),
            catalogue,
            secrets: secrets.clone(),
            vault,
            connections,
            captures,
            clock,
            entropy: entropy.clone(),
            commits,
            access,
            settings,
            provider: Some(crate::people::provider(&fake)),
            place: Some(qc_identity::Place::new(PUBLIC)),
        });
        state.set_ready(true);
        tokio::spawn(state.clone().follow_connections());
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let service = Service::new(&state, Door::All);
        tokio::spawn(serve(listener, service, None, stopped, Duration::ZERO));
        let mut world = Self {
            address,
            store: memory,
            desk,
            fake,
            secrets,
            clock: hand,
            owner: String::new(),
            state,
            engine,
            committer,
            catalogue: served,
            entropy,
            commit_loop,
            _stop: stop,
        };
        world.owner = world.issue_to(TokenKind::Local, None, None, Role::Admin).await;
        while !world.engine.gauges().leased {
            tokio::task::yield_now().await;
        }
        world
    }

    /// Seals what is in the audit.
    pub(crate) async fn seal(&self) {
        let sealer = Sealer {
            store: self.store.clone(),
            committer: self.committer.clone(),
            clock: Arc::new(SystemClock),
            entropy: self.entropy.clone(),
            seed: Seed::new([1; 32]),
            node: "test".to_owned(),
        };
        while sealer.round().await.unwrap() != Sealed::Nothing {}
    }

    pub(crate) async fn ask(&self, ask: Ask) -> Reply {
        ask.at(self.address).await
    }

    /// A JSON body at one of the triggers.
    pub(crate) async fn send(&self, trigger: &str, body: impl AsRef<[u8]>) -> Reply {
        self.ask(Ask::post(&door(trigger), body)).await
    }

    /// A token for all times.
    pub(crate) async fn token(
        &self,
        environment: Option<&str>,
        role: Role,
        scopes: Option<&[&str]>,
    ) -> String {
        self.token_at(environment, role, scopes, SystemClock.now(), None).await.1
    }

    /// A token of a person, for production.
    pub(crate) async fn person(&self, id: &str, role: Role) -> String {
        self.issue_to(TokenKind::ApiKey, Some(id), Some("production"), role).await
    }

    /// A token of a person that is bound to no environment.
    pub(crate) async fn unbound(&self, id: &str, role: Role) -> String {
        self.issue_to(TokenKind::ApiKey, Some(id), None, role).await
    }

    /// A key that people know by this name.
    pub(crate) async fn key_named(&self, name: &str) -> String {
        let mut request = request(TokenKind::ApiKey, None, Some("production"), Role::Runtime);
        name.clone_into(&mut request.name);
        self.issued(request, SystemClock.now()).await.1
    }

    /// A key of no person, which this team or person answers for; with its id.
    pub(crate) async fn key_of(&self, owner: &str, role: Role) -> (String, String) {
        let mut request = request(TokenKind::ApiKey, None, None, role);
        owner.clone_into(&mut request.owner);
        self.issued(request, SystemClock.now()).await
    }

    /// Commits a change.
    pub(crate) async fn commit(&self, change: Change) {
        self.committer.change(change).await.unwrap();
    }

    async fn issue_to(
        &self,
        kind: TokenKind,
        person: Option<&str>,
        environment: Option<&str>,
        role: Role,
    ) -> String {
        self.issued(request(kind, person, environment, role), self.clock.now()).await.1
    }

    async fn issued(&self, request: IssueRequest, at: Timestamp) -> (String, String) {
        let issued = issue(request, &Actor::platform("test"), at, &*self.entropy);
        self.committer.change(issued.change).await.unwrap();
        (issued.record.id, issued.text.expose().to_owned())
    }

    /// A token made at another time; with its id.
    pub(crate) async fn token_at(
        &self,
        environment: Option<&str>,
        role: Role,
        scopes: Option<&[&str]>,
        at: Timestamp,
        lifetime: Option<Duration>,
    ) -> (String, String) {
        let request = IssueRequest {
            name: "test".to_owned(),
            scopes: scopes.map(|list| list.iter().map(|text| text.parse().unwrap()).collect()),
            lifetime,
            ..request(TokenKind::ApiKey, None, environment, role)
        };
        self.issued(request, at).await
    }

    /// What runs in production.
    pub(crate) fn deployment(&self) -> Arc<Deployment> {
        let deployments = self.engine.deployments();
        Arc::clone(deployments.lookup("production", "doors").unwrap())
    }

    /// Deploys a release with a file of this name in place of the one before.
    pub(crate) async fn redeploy(&self, file: &str) {
        deploy(&*self.store, &self.committer, &*self.entropy, file).await;
        assert!(self.catalogue.reload(&self.engine).await.unwrap().is_empty());
    }

    /// Deploys a release of another integration, made from files of these names, in production.
    pub(crate) async fn also(&self, integration: &str, files: &[&str]) {
        let place = (integration, &["production"][..]);
        deploy_of(&*self.store, &self.committer, &*self.entropy, place, files).await;
        assert!(self.catalogue.reload(&self.engine).await.unwrap().is_empty());
    }

    /// How many runs there are.
    pub(crate) async fn runs(&self) -> usize {
        let filter = RunFilter { limit: 500, ..RunFilter::default() };
        self.store.runs(&filter).await.unwrap().len()
    }

    /// The event of a run, as it is stored.
    pub(crate) async fn event(&self, run: &str) -> Event {
        let run: RunId = run.parse().unwrap();
        let stored = self.store.event(run).await.unwrap().unwrap();
        let value: Value = serde_json::from_slice(&stored.body).unwrap();
        let decode = |text: &str| {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD.decode(text).ok()
        };
        Event::from_structured(value, decode).unwrap()
    }

    /// The JSON data of a run's event.
    pub(crate) async fn data(&self, run: &str) -> Value {
        match self.event(run).await.data {
            EventData::Json(value) => value,
            other => panic!("{other:?}"),
        }
    }

    /// Waits until the run has this status.
    pub(crate) async fn until(&self, run: &str, status: &str) {
        let id: RunId = run.parse().unwrap();
        let reached = async {
            while self.store.run(id).await.unwrap().unwrap().state.status.as_str() != status {
                tokio::task::yield_now().await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(20), reached).await;
        assert!(in_time.is_ok(), "{run} never is {status}");
    }
}

/// A key for ever, of this person or of nobody.
fn request(
    kind: TokenKind,
    person: Option<&str>,
    environment: Option<&str>,
    role: Role,
) -> IssueRequest {
    IssueRequest {
        name: person.unwrap_or("owner").to_owned(),
        kind,
        person: person.map(|id| id.parse().unwrap()),
        environment: environment.map(|name| name.parse().unwrap()),
        role,
        scopes: None,
        lifetime: None,
        owner: "team".to_owned(),
        purpose: "tests".to_owned(),
    }
}

/// The address of a trigger.
pub(crate) fn door(trigger: &str) -> String {
    format!("/in/production/doors/{trigger}")
}

/// The stack through which runs call: policies are asked, connections have their tokens.
fn outbound(
    desk: &Arc<Desk>,
    clock: &Arc<Moved>,
    secrets: &Arc<Secrets>,
    connections: &Arc<Connections>,
    access: &Arc<Access>,
) -> Outbound {
    Outbound::new(desk.clone(), clock.clone(), secrets.clone())
        .with_egress(Arc::new(PolicyEgress::new(access.clone())))
        .with_connections(ConnectionTokens::Kept(connections.clone()))
}

fn captures(
    store: &Arc<dyn Store>,
    committer: &Committer,
    vault: &Arc<Vault>,
    entropy: &Arc<Seeded>,
) -> Arc<Captures> {
    Arc::new(Captures::new(CaptureParts {
        store: store.clone(),
        committer: committer.clone(),
        vault: vault.clone(),
        clock: Arc::new(SystemClock),
        entropy: entropy.clone(),
    }))
}

fn vault(
    store: &Arc<dyn Store>,
    committer: &Committer,
    clock: &Arc<Moved>,
    entropy: &Arc<Seeded>,
    secrets: &Secrets,
) -> Arc<Vault> {
    let ring = VariableRing::new("KEK", KEK, entropy.clone()).unwrap();
    Arc::new(Vault::new(VaultParts {
        store: store.clone(),
        committer: committer.clone(),
        ring: Some(Arc::new(ring)),
        clock: clock.clone(),
        entropy: entropy.clone(),
        secrets,
    }))
}

fn secrets() -> Secrets {
    let mut secrets = Secrets::none();
    for name in ["github", "slack", "stripe", "acme", "gitlab", "meta", "crc", "graph", "abuse"] {
        secrets = secrets.with_value("production", name, &format!("{name}-secret"));
    }
    secrets.with_value("production", "standard", "whsec_c3RhbmRhcmQtc2VjcmV0")
}

async fn deploy(store: &dyn Store, committer: &Committer, entropy: &dyn Entropy, file: &str) {
    let place = ("doors", &["production", "sandbox"][..]);
    deploy_of(store, committer, entropy, place, &[file]).await;
}

async fn deploy_of(
    store: &dyn Store,
    committer: &Committer,
    entropy: &dyn Entropy,
    (integration, environments): (&str, &[&str]),
    files: &[&str],
) {
    let office = Office { store, committer, clock: &SystemClock, entropy };
    let one = |file: &&str| ((*file).to_owned(), Bytes::from_static(b"1"));
    let files: BTreeMap<String, Bytes> = files.iter().map(one).collect();
    let bundle = bundle(files, &Name::new(integration).unwrap()).unwrap();
    let me = Actor::platform("test");
    let built = qc_release::Built { from: None, by: &me, units: &[] };
    qc_release::save(office, &bundle, built).await.unwrap();
    for environment in environments {
        let environment = EnvironmentName::new(environment).unwrap();
        qc_release::deploy(office, &environment, bundle.hash(), &me, &Value::Null).await.unwrap();
    }
}
