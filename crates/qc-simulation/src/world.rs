//! A small world for one engine: virtual time, a store that can fail, an outside that answers as
//! the test says and remembers every request.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use http::{HeaderMap, StatusCode};
use qc_connect::{
    call::{Connectors, Outbound},
    connector::Connector,
};
use qc_document::{ParseLimits, Source};
use qc_engine::{
    Accepted, Announced, Deployment, Engine, EngineError, EngineParts, EngineSettings, Incoming,
    Queued, Release, ReleaseSource, RunEnd, StateRule, TenantRule, Terms, Trigger, TriggerAuth,
    TriggerKind,
};
use qc_model::{
    Actor, Body, CallError, CallErrorKind, Caller, Clock, EnvironmentName, Event, EventData,
    Finding, Name, OutboundRequest, OutboundResponse, RunId, Seeded, Timestamp,
};
use qc_store::{CommitLimits, Committer, Store, StoreError, memory::MemoryStore};
use qc_vault::Secrets;
use qc_workflow::{Bindings, CallPolicy, KeptNames};
use serde_json::{Value, json};

use crate::plug::Plug;

/// Virtual time: tokio's paused clock, which jumps when everybody waits.
pub struct VirtualClock {
    began: tokio::time::Instant,
    /// In milliseconds: how wrong it is.
    jumped: AtomicI64,
}

impl VirtualClock {
    /// A clock that begins now, and is right.
    pub fn now() -> Self {
        Self { began: tokio::time::Instant::now(), jumped: AtomicI64::new(0) }
    }

    /// How long it has been running, however wrong it is.
    pub fn uptime(&self) -> Duration {
        self.began.elapsed()
    }

    /// Makes the clock wrong by so many milliseconds more.
    pub fn jump(&self, millis: i64) {
        self.jumped.fetch_add(millis, Ordering::Relaxed);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        let wrong = self.jumped.load(Ordering::Relaxed);
        Timestamp::from_millis(1_795_000_000_000 + wrong) + self.began.elapsed()
    }
}

/// How the outside answers one request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// With this status and body.
    Status(u16, Value),
    /// Throttled: try again after so many seconds.
    Throttle(u64),
    /// It takes the request, and the connection breaks before the answer.
    AppliedThenBroken,
    /// The connection cannot be made.
    Unreachable,
    /// It answers after so long.
    Slow(Duration, Value),
}

/// One request as the outside saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The path, without its query.
    pub path: String,
    /// The idempotency key.
    pub key: Option<String>,
    /// The body.
    pub body: Value,
    /// Whether it took effect.
    pub applied: bool,
}

/// What a path answers to its n-th request.
type Rule = Box<dyn Fn(&str, usize) -> Answer + Send + Sync>;

/// The outside: answers by the test's rule, remembers every request, and honours keys.
pub struct Outside {
    rule: Rule,
    /// Every request so far.
    pub seen: Mutex<Vec<Seen>>,
}

impl Outside {
    /// Answers the n-th request to a path, from 0, as `rule` says.
    pub fn new(rule: impl Fn(&str, usize) -> Answer + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { rule: Box::new(rule), seen: Mutex::default() })
    }

    /// How often a path took effect, a repeat under one key counted once.
    pub fn effects(&self, path: &str) -> usize {
        let seen = self.seen.lock().unwrap();
        let keys: std::collections::BTreeSet<_> =
            seen.iter().filter(|s| s.path == path && s.applied).map(|s| s.key.clone()).collect();
        keys.len()
    }

    /// How often a path was asked.
    pub fn requests(&self, path: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|s| s.path == path).count()
    }
}

#[async_trait]
impl Caller for Outside {
    async fn call(&self, request: OutboundRequest) -> Result<OutboundResponse, CallError> {
        let url = request.url.clone();
        let path = url.split_once("test").map_or(url.as_str(), |(_, path)| path);
        let path = path.split('?').next().unwrap_or_default().to_owned();
        let key = request.headers.get("idempotency-key").map(|v| v.to_str().unwrap().to_owned());
        let body = request.body.collect(1 << 20).await?;
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let nth = self.requests(&path);
        let answer = (self.rule)(&path, nth);
        let applied = matches!(
            answer,
            Answer::Status(200..=299, _) | Answer::AppliedThenBroken | Answer::Slow(..)
        );
        if !matches!(answer, Answer::Unreachable) {
            self.seen.lock().unwrap().push(Seen { path, key, body, applied });
        }
        let broken = |kind, sent| CallError { kind, sent, message: "the test says so".to_owned() };
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        let (status, content) = match answer {
            Answer::Status(status, content) => (status, content),
            Answer::Throttle(seconds) => {
                headers.insert("retry-after", seconds.to_string().parse().unwrap());
                (429, json!({"error": "slow down"}))
            }
            Answer::AppliedThenBroken => return Err(broken(CallErrorKind::Reset, true)),
            Answer::Unreachable => return Err(broken(CallErrorKind::Connect, false)),
            Answer::Slow(pause, content) => {
                tokio::time::sleep(pause).await;
                (200, content)
            }
        };
        Ok(OutboundResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: Body::Bytes(content.to_string().into()),
        })
    }
}

const CONNECTOR: &str = "
name: desk
version: 1.0.0
title: A desk
owner: team-desk
openapi: openapi.yaml
base_urls:
  production: http://desk.test
auth: { none: {} }
operations:
  putState: { effect: { class: idempotent } }
  createTicket:
    effect: { class: keyed, key: { in: header, name: Idempotency-Key, window: 24h, then: once } }
  postMessage:
    effect:
      class: verify
      verify:
        operation: findMessages
        parameters: '{ ref: $arguments.body.ref }'
        applied_when: '.messages | length > 0'
        settle: 1s
        not_found_means: not_applied
  charge: { effect: { class: once } }
";

const OPENAPI: &str = "
openapi: 3.1.0
info: { title: Desk, version: 1.0.0 }
paths:
  /state:
    put:
      operationId: putState
      requestBody: { required: true, content: { application/json: { schema: { type: object } } } }
      responses: { '200': { description: ok } }
  /tickets:
    post:
      operationId: createTicket
      requestBody: { required: true, content: { application/json: { schema: { type: object } } } }
      responses: { '200': { description: ok } }
  /messages:
    post:
      operationId: postMessage
      requestBody: { required: true, content: { application/json: { schema: { type: object } } } }
      responses: { '200': { description: ok } }
  /find:
    get:
      operationId: findMessages
      parameters: [ { name: ref, in: query, schema: { type: string } } ]
      responses: { '200': { description: ok } }
  /charges:
    post:
      operationId: charge
      requestBody: { required: true, content: { application/json: { schema: { type: object } } } }
      responses: { '200': { description: ok } }
";

struct Bound<'a>(&'a Connectors);

impl Bindings for Bound<'_> {
    fn operation(&self, connector: &str, operation: &str) -> Option<CallPolicy> {
        self.0.policy(connector, operation)
    }
    fn operation_names(&self, connector: &str) -> Vec<String> {
        self.0.operation_names(connector)
    }
    fn http_default(&self, method: &str) -> CallPolicy {
        Connectors::http_default(method)
    }
    fn task_override(&self, _: &str, _: &str) -> Option<CallPolicy> {
        None
    }
    fn kept(&self) -> KeptNames {
        KeptNames { states: vec![COUNTERS.to_owned()], tables: Vec::new() }
    }
    fn openapi(&self, document: &str, operation: &str) -> Result<CallPolicy, Box<Finding>> {
        self.0.openapi_policy(document, operation)
    }
}

/// The one connector of all tests.
fn desk() -> Arc<Connectors> {
    static DESK: OnceLock<Arc<Connectors>> = OnceLock::new();
    let load = || {
        let files = BTreeMap::from([
            ("connectors/desk/connector.yaml".to_owned(), CONNECTOR.to_owned()),
            ("connectors/desk/openapi.yaml".to_owned(), OPENAPI.to_owned()),
        ]);
        let (connector, findings) = Connector::load(&files, "connectors/desk");
        let connector = connector.unwrap_or_else(|| panic!("{findings:#?}"));
        Arc::new(Connectors::new([connector], []))
    };
    DESK.get_or_init(load).clone()
}

/// A deployment of a workflow whose tasks stand under `do:`.
pub fn deployment(hash: &str, tasks: &str) -> Deployment {
    deployment_with(hash, tasks, desk())
}

/// A deployment of a workflow that calls these connectors.
pub fn deployment_with(hash: &str, tasks: &str, connectors: Arc<Connectors>) -> Deployment {
    deployment_of(&Written { hash, name: "test", tasks }, connectors)
}

/// What every integration keeps.
pub(crate) const COUNTERS: &str = "counters";

/// What is written in a project, as far as it differs.
pub(crate) struct Written<'a> {
    /// Of the release.
    pub(crate) hash: &'a str,
    /// Of the integration and of its workflow.
    pub(crate) name: &'a str,
    /// What stands under `do:`.
    pub(crate) tasks: &'a str,
}

/// A deployment of an integration.
pub(crate) fn deployment_of(written: &Written<'_>, connectors: Arc<Connectors>) -> Deployment {
    let Written { hash, name, tasks } = written;
    let text = format!(
        "document: {{ dsl: '1.0.3', namespace: test, name: {name}, version: '1.0.0' }}\ndo:\n{tasks}"
    );
    let document =
        qc_document::parse_yaml(Source::new("workflow.yaml", &*text), &ParseLimits::default())
            .unwrap();
    let (workflow, findings) = qc_workflow::load(&document);
    let workflow = workflow.unwrap_or_else(|| panic!("{findings:#?}"));
    let (program, findings) = qc_workflow::compile(&workflow, &Bound(&connectors));
    let program = program.unwrap_or_else(|| panic!("{findings:#?}"));
    let trigger = Trigger {
        name: Name::new("in").unwrap(),
        kind: TriggerKind::Json { event_type: "test".to_owned() },
        auth: TriggerAuth::Open,
        tenant: TenantRule::Fixed(Name::new("default").unwrap()),
        idempotency: None,
        subject: None,
        contract: None,
        versions: None,
        input: None,
        body_limit: 1 << 20,
        does: qc_engine::Does::Start,
        cost: 1,
        traffic: qc_engine::Traffic::default(),
    };
    Deployment {
        environment: EnvironmentName::new("production").unwrap(),
        vars: Arc::new(BTreeMap::new()),
        canaries: true,
        release: Arc::new(Release {
            hash: (*hash).to_owned(),
            integration: Name::new(name).unwrap(),
            version: "1.0.0".to_owned(),
            program: Arc::new(program),
            connectors,
            triggers: BTreeMap::from([(trigger.name.clone(), trigger)]),
            publications: BTreeMap::new(),
            kept: qc_engine::Kept {
                states: BTreeMap::from([(COUNTERS.to_owned(), StateRule::default())]),
                ..qc_engine::Kept::default()
            },
            ordering: None,
            bus: qc_engine::Bus::default(),
            secrets: Arc::new(BTreeMap::new()),
            owner: Some("team-a".to_owned()),
            search_keys: Vec::new(),
            people: qc_engine::People::default(),
            system_owners: BTreeMap::from([("desk".to_owned(), "team-desk".to_owned())]),
            data: qc_engine::DataRules::default(),
            limits: Vec::new(),
            deadline: None,
            quiet: BTreeMap::new(),
            class: qc_engine::ServiceClass::Standard,
        }),
    }
}

struct Fixed(Vec<Arc<Deployment>>);

#[async_trait]
impl ReleaseSource for Fixed {
    async fn deployment(
        &self,
        _: &EnvironmentName,
        hash: &str,
    ) -> Result<Option<Arc<Deployment>>, StoreError> {
        Ok(self.0.iter().find(|d| d.release.hash == hash).cloned())
    }
}

/// One event in four was too much for a limit: it begins within half a minute.
fn queued(key: &str, now: Timestamp) -> Option<Queued> {
    let bits = key.bytes().fold(0xcbf2_9ce4_8422_2325, |bits: u64, byte| {
        (bits ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let until = now + Duration::from_millis((bits >> 20) % 30_000);
    bits.is_multiple_of(4).then(|| Queued { until, limit: "per-tenant".to_owned() })
}

/// One who sends events to a process.
pub struct Sender {
    engine: Engine,
    clock: Arc<VirtualClock>,
    deployment: Arc<Deployment>,
    plug: Arc<Plug>,
}

impl Sender {
    /// Sends an event.
    pub async fn send(&self, key: Option<&str>, data: Value) -> Result<Accepted, EngineError> {
        let queued = key.and_then(|key| queued(key, self.clock.now()));
        let terms = Terms { queued, degraded: false };
        let incoming = Incoming { terms, ..self.incoming("1", "test", key, data) };
        self.heard(self.engine.accept(&self.deployment, incoming).await)
    }

    /// Publishes an event of this type under an id.
    pub(crate) async fn publish(
        &self,
        id: &str,
        kind: &str,
        data: Value,
    ) -> Result<Announced, EngineError> {
        let incoming = self.incoming(id, kind, Some(id), data);
        self.heard(self.engine.publish(&self.deployment, incoming).await)
    }

    fn incoming(&self, id: &str, kind: &str, key: Option<&str>, data: Value) -> Incoming {
        let event = Event {
            id: id.to_owned(),
            source: "/test".to_owned(),
            kind: kind.to_owned(),
            subject: None,
            time: None,
            datacontenttype: None,
            dataschema: None,
            extensions: BTreeMap::new(),
            data: EventData::Json(data.clone()),
        };
        let mut body_hash = [0; 32];
        let text = data.to_string();
        for (slot, byte) in body_hash.iter_mut().zip(text.bytes()) {
            *slot = byte;
        }
        Incoming {
            trigger: Name::new("in").unwrap(),
            tenant: Name::new("default").unwrap(),
            event,
            body_hash,
            key: key.map(str::to_owned),
            actor: Actor::platform("test"),
            received_at: self.clock.now(),
            traceparent: None,
            priority: qc_store::Priority::Normal,
            version: None,
            terms: Terms::default(),
            hops: 0,
        }
    }

    /// The answer, when it can be heard.
    fn heard<T>(&self, answer: Result<T, EngineError>) -> Result<T, EngineError> {
        if self.plug.is_in() {
            return answer;
        }
        Err(StoreError::Unknown("no answer came: the process cannot be heard".to_owned()).into())
    }
}

/// One process: an engine over a store that may outlive it.
pub struct World {
    /// The engine.
    pub engine: Engine,
    /// What it writes to, in the end.
    pub store: Arc<MemoryStore>,
    /// Time.
    pub clock: Arc<VirtualClock>,
    /// What is deployed.
    pub deployment: Arc<Deployment>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    plug: Arc<Plug>,
}

/// What a process is made of.
pub struct Parts {
    /// The store that outlives it.
    pub store: Arc<MemoryStore>,
    /// The way to it: the store itself, or something between.
    pub link: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<VirtualClock>,
    /// The first one is the current one; the others' releases are still to be had.
    pub deployments: Vec<Deployment>,
    /// The other systems.
    pub outside: Arc<dyn Caller>,
    /// What the credentials are.
    pub secrets: Arc<Secrets>,
    /// From what its randomness grows.
    pub seed: u64,
    /// The engine's settings.
    pub settings: EngineSettings,
}

impl World {
    /// The first process over an empty store.
    pub fn new(tasks: &str, outside: Arc<Outside>) -> Self {
        let clock = Arc::new(VirtualClock::now());
        let store = Arc::new(MemoryStore::with_clock(clock.clone()));
        Self::over(store, clock, deployment("r1", tasks), outside, 1)
    }

    /// A process over a store that another one may have left.
    pub fn over(
        store: Arc<MemoryStore>,
        clock: Arc<VirtualClock>,
        deployment: Deployment,
        outside: Arc<impl Caller + 'static>,
        seed: u64,
    ) -> Self {
        Self::with(store, clock, vec![deployment], outside, seed, EngineSettings::default())
    }

    /// A process with these settings. The first deployment is the current one; the others' releases
    /// are still to be had.
    pub fn with(
        store: Arc<MemoryStore>,
        clock: Arc<VirtualClock>,
        deployments: Vec<Deployment>,
        outside: Arc<dyn Caller>,
        seed: u64,
        settings: EngineSettings,
    ) -> Self {
        let (link, secrets) = (store.clone(), Arc::new(Secrets::none()));
        Self::of(Parts { store, link, clock, deployments, outside, secrets, seed, settings })
    }

    /// A process of these parts.
    pub fn of(parts: Parts) -> Self {
        let Parts { store, link, clock, deployments, outside, secrets, seed, settings } = parts;
        let plug = Arc::new(Plug::new(outside));
        let (committer, commits) = Committer::new(link.clone(), CommitLimits::default());
        let deployments: Vec<_> = deployments.into_iter().map(Arc::new).collect();
        let deployment = deployments[0].clone();
        let engine = Engine::new(EngineParts {
            committer,
            store: link,
            outbound: Outbound::new(plug.clone(), clock.clone(), secrets),
            clock: clock.clone(),
            entropy: Arc::new(Seeded::new(seed << 32)),
            releases: Arc::new(Fixed(deployments.clone())),
            settings,
        });
        // One for each integration: the first one.
        let mut current: Vec<Deployment> = Vec::new();
        for one in &deployments {
            if current.iter().all(|it| it.release.integration != one.release.integration) {
                current.push((**one).clone());
            }
        }
        engine.set_deployments(current);
        let running = engine.clone();
        let tasks = vec![tokio::spawn(commits), tokio::spawn(async move { running.run().await })];
        Self { engine, store, clock, deployment, tasks, plug }
    }

    /// From now on no answer comes from the outside any more, and nothing goes there: the process
    /// lives, and does not know that it is cut off.
    pub fn unplug(&self) {
        self.plug.pull();
    }

    /// One who sends events to this process, for as long as it lives.
    pub fn sender(&self) -> Sender {
        Sender {
            engine: self.engine.clone(),
            clock: self.clock.clone(),
            deployment: self.deployment.clone(),
            plug: self.plug.clone(),
        }
    }

    /// Sends an event, once the process may run.
    pub async fn send(&self, key: Option<&str>, data: Value) -> Result<Accepted, EngineError> {
        // Before it holds the lease a process leaves what it accepts to its first sweep.
        while !self.engine.gauges().leased {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.sender().send(key, data).await
    }

    /// Since the first process began.
    pub fn uptime(&self) -> Duration {
        self.clock.uptime()
    }

    /// Sends an event that must be new, and gives its run.
    pub async fn start(&self, data: Value) -> RunId {
        match self.send(None, data).await.unwrap() {
            Accepted::New { run } => run,
            Accepted::Repeat { run } => panic!("{run} is a repeat"),
        }
    }

    /// The run's end, within three days of virtual time.
    pub async fn end(&self, run: RunId) -> RunEnd {
        for _ in 0..400 {
            if let Some(end) = self.engine.wait(run, Duration::from_secs(600)).await.unwrap() {
                return end;
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        panic!("{run} does not end: {:#?}", self.engine.inspect(run).await.unwrap());
    }

    /// Waits until the run has this status.
    pub async fn until(&self, run: RunId, status: qc_store::RunStatus) {
        for _ in 0..10_000 {
            if self.store.run(run).await.unwrap().unwrap().state.status == status {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{run} never is {status:?}: {:#?}", self.engine.inspect(run).await.unwrap());
    }

    /// Ends the process at once: nothing that it still had in memory survives.
    pub fn kill(self) -> (Arc<MemoryStore>, Arc<VirtualClock>) {
        self.plug.cut();
        for task in &self.tasks {
            task.abort();
        }
        // What is left of it ends at its next look at the store.
        let engine = self.engine.clone();
        tokio::spawn(async move { engine.drain(Duration::ZERO).await });
        (self.store, self.clock)
    }
}

/// An answer with status 200.
pub fn ok(content: Value) -> Answer {
    Answer::Status(200, content)
}

/// The output of a run that must have completed.
pub fn output(end: RunEnd) -> Value {
    match end {
        RunEnd::Completed { output } => output,
        other => panic!("the run did not complete: {other:#?}"),
    }
}
