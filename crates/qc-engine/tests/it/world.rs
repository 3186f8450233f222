//! A small world for one engine: virtual time, a store that can fail, an outside that answers as
//! the test says and remembers every request.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use qc_connect::call::{Connectors, Outbound};
use qc_document::{ParseLimits, Source};
use qc_engine::{
    Accepted, Deployment, Engine, EngineError, EngineParts, EngineSettings, Incoming, Release,
    ReleaseSource, RunEnd, SearchKey, TenantRule, Trigger, TriggerAuth, TriggerKind,
};
use qc_model::{
    Actor, Body, CallError, CallErrorKind, Caller, Clock, EnvironmentName, Event, EventData,
    Finding, Name, OutboundRequest, OutboundResponse, RunId, Seeded, Timestamp,
};
use qc_store::{
    CommitLimits, Committer, Store, StoreError, blobs::MemoryBlobs, memory::MemoryStore,
};
use qc_vault::Secrets;
use qc_workflow::{Bindings, CallPolicy, Unavailable, WhenUnavailable};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{
    desk,
    link::{Link, Mode, Reached},
};

/// Virtual time: tokio's paused clock, which jumps when everybody waits.
pub(crate) struct VirtualClock {
    began: tokio::time::Instant,
    /// In milliseconds: how wrong it is.
    jumped: AtomicI64,
}

impl VirtualClock {
    pub(crate) fn now() -> Self {
        Self { began: tokio::time::Instant::now(), jumped: AtomicI64::new(0) }
    }

    /// Another one, which may become wrong by itself.
    pub(crate) fn beside(&self) -> Self {
        Self { began: self.began, jumped: AtomicI64::new(0) }
    }

    /// Makes the clock wrong by so many milliseconds more.
    pub(crate) fn jump(&self, millis: i64) {
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
pub(crate) enum Answer {
    /// With this status and body.
    Status(u16, Value),
    /// With bytes that are no JSON.
    Bytes(Bytes),
    /// Throttled: try again after so many seconds.
    Throttle(u64),
    /// Overloaded: it may have taken the request; try again after so many seconds.
    Overloaded(u64),
    /// It takes the request, and the connection breaks before the answer.
    AppliedThenBroken,
    /// The connection cannot be made.
    Unreachable,
    /// It answers after so long.
    Slow(Duration, Value),
}

/// One request as the outside saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) key: Option<String>,
    pub(crate) hops: Option<String>,
    pub(crate) body: Value,
    pub(crate) raw: Bytes,
    pub(crate) applied: bool,
}

/// What a path answers to its n-th request.
type Rule = Box<dyn Fn(&str, usize, &Value) -> Answer + Send + Sync>;

/// The outside: answers by the test's rule, remembers every request, and honours keys.
pub(crate) struct Outside {
    rule: Rule,
    pub(crate) seen: Mutex<Vec<Seen>>,
}

impl Outside {
    pub(crate) fn new(rule: impl Fn(&str, usize) -> Answer + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            rule: Box::new(move |path, nth, _| rule(path, nth)),
            seen: Mutex::default(),
        })
    }

    /// One that looks at the requests' bodies.
    pub(crate) fn judging(rule: impl Fn(&Value) -> Answer + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { rule: Box::new(move |_, _, body| rule(body)), seen: Mutex::default() })
    }

    /// One that looks at everything.
    pub(crate) fn seeing(
        rule: impl Fn(&str, usize, &Value) -> Answer + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { rule: Box::new(rule), seen: Mutex::default() })
    }

    /// How often a path took effect, a repeat under one key counted once.
    pub(crate) fn effects(&self, path: &str) -> usize {
        let seen = self.seen.lock().unwrap();
        let keys: std::collections::BTreeSet<_> =
            seen.iter().filter(|s| s.path == path && s.applied).map(|s| s.key.clone()).collect();
        keys.len()
    }

    pub(crate) fn requests(&self, path: &str) -> usize {
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
        let hops = request.headers.get("qc-hops").map(|v| v.to_str().unwrap().to_owned());
        let raw = request.body.collect(1 << 20).await?;
        let body = serde_json::from_slice(&raw).unwrap_or(Value::Null);
        let nth = self.requests(&path);
        let answer = (self.rule)(&path, nth, &body);
        let applied = matches!(
            answer,
            Answer::Status(200..=299, _)
                | Answer::Bytes(_)
                | Answer::AppliedThenBroken
                | Answer::Slow(..)
        );
        if !matches!(answer, Answer::Unreachable) {
            self.seen.lock().unwrap().push(Seen { path, key, hops, body, raw, applied });
        }
        let broken = |kind, sent| CallError { kind, sent, message: "the test says so".to_owned() };
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        let (status, content) = match answer {
            Answer::Status(status, content) => (status, content),
            Answer::Bytes(bytes) => {
                headers.insert("content-type", "application/pdf".parse().unwrap());
                let (status, body) = (StatusCode::OK, Body::Bytes(bytes));
                return Ok(OutboundResponse { status, headers, body });
            }
            Answer::Throttle(seconds) => {
                headers.insert("retry-after", seconds.to_string().parse().unwrap());
                (429, json!({"error": "slow down"}))
            }
            Answer::Overloaded(seconds) => {
                headers.insert("retry-after", seconds.to_string().parse().unwrap());
                (504, json!({"error": "too much to do"}))
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

struct Bound<'a>(&'a Connectors, Option<Unavailable>);

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
    fn openapi(&self, document: &str, operation: &str) -> Result<CallPolicy, Box<Finding>> {
        self.0.openapi_policy(document, operation)
    }
    fn unavailable(&self, _: &str) -> Option<Unavailable> {
        self.1.clone()
    }

    fn kept(&self) -> qc_workflow::KeptNames {
        crate::kept::names()
    }
}

/// The same with what the desk documents of its limits.
pub(crate) fn limited(mut deployment: Deployment, limits: &str) -> Deployment {
    let release = Arc::get_mut(&mut deployment.release).unwrap();
    release.connectors = desk::limited(limits);
    deployment
}

/// A deployment with a desk that takes few requests, and many calls in one.
pub(crate) fn batching(hash: &str, tasks: &str) -> Deployment {
    connected(hash, tasks, &desk::batching())
}

/// A deployment with another desk.
pub(crate) fn connected(hash: &str, tasks: &str, connector: &str) -> Deployment {
    deployment_at(desk::of(connector), hash, "test", tasks, door(), ("{}", None))
}

/// A deployment of a workflow whose tasks stand under `do:`.
pub(crate) fn deployment(hash: &str, tasks: &str) -> Deployment {
    deployment_with(hash, tasks, door())
}

/// One that says what undoes its tasks: `<task>: {do: <call>, with: <arguments>}`.
pub(crate) fn compensated(hash: &str, tasks: &str, undo: &str) -> Deployment {
    deployment_of(hash, "test", tasks, door(), undo, None)
}

/// One that says what is done while the desk is not there.
pub(crate) fn absent(hash: &str, tasks: &str, answer: WhenUnavailable) -> Deployment {
    let source = Source::new("integration.yaml", "");
    let span = qc_document::Span::default();
    let unavailable = Unavailable { system: Arc::from("desk"), source, span, answer };
    deployment_of(hash, "test", tasks, door(), "{}", Some(unavailable))
}

/// One whose integration has people.
pub(crate) fn peopled(mut deployment: Deployment, people: qc_engine::People) -> Deployment {
    let release = Arc::get_mut(&mut deployment.release).unwrap();
    release.people = people;
    deployment
}

/// The same with something on the bus.
pub(crate) fn with_bus(mut deployment: Deployment, bus: qc_engine::Bus) -> Deployment {
    Arc::get_mut(&mut deployment.release).unwrap().bus = bus;
    deployment
}

/// One of an integration and a workflow of this name.
pub(crate) fn named_deployment(hash: &str, name: &str, tasks: &str) -> Deployment {
    deployment_of(hash, name, tasks, door(), "{}", None)
}

fn door() -> Trigger {
    Trigger {
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
    }
}

/// The same, with a trigger of the test's own.
pub(crate) fn deployment_with(hash: &str, tasks: &str, trigger: Trigger) -> Deployment {
    deployment_of(hash, "test", tasks, trigger, "{}", None)
}

fn deployment_of(
    hash: &str,
    name: &str,
    tasks: &str,
    trigger: Trigger,
    undo: &str,
    unavailable: Option<Unavailable>,
) -> Deployment {
    deployment_at(desk::usual(), hash, name, tasks, trigger, (undo, unavailable))
}

fn deployment_at(
    connectors: Arc<Connectors>,
    hash: &str,
    name: &str,
    tasks: &str,
    trigger: Trigger,
    (undo, unavailable): (&str, Option<Unavailable>),
) -> Deployment {
    let text = format!(
        "document: {{ dsl: '1.0.3', namespace: test, name: {name}, version: '1.0.0' }}\ndo:\n{tasks}"
    );
    let document =
        qc_document::parse_yaml(Source::new("workflow.yaml", &*text), &ParseLimits::default())
            .unwrap();
    let (workflow, findings) = qc_workflow::load(&document);
    let workflow = workflow.unwrap_or_else(|| panic!("{findings:#?}"));
    let undo = Source::new("integration.yaml", undo);
    let undo = qc_document::parse_yaml(undo, &ParseLimits::default()).unwrap();
    let entries = undo.root.as_mapping().unwrap();
    let word = |node: &qc_document::Node, key: &str| node.get(key).cloned();
    let specs: Vec<_> = entries
        .iter()
        .map(|(name, spec)| {
            let call = word(spec, "do").unwrap();
            (name.name.to_string(), name.span, call, word(spec, "with"))
        })
        .collect();
    let tasks = specs.iter().map(|(task, span, call, with)| qc_workflow::Compensation {
        task,
        task_span: *span,
        call: call.as_str().unwrap(),
        call_span: call.span,
        with: with.as_ref(),
    });
    let undo = qc_workflow::Compensations { source: &undo.source, tasks: tasks.collect() };
    let bound = Bound(&connectors, unavailable);
    let (program, findings) = qc_workflow::compile_compensated(&workflow, &bound, Some(&undo));
    let program = program.unwrap_or_else(|| panic!("{findings:#?}"));
    Deployment {
        environment: EnvironmentName::new("production").unwrap(),
        vars: Arc::new(BTreeMap::new()),
        canaries: true,
        release: Arc::new(Release {
            hash: hash.to_owned(),
            integration: Name::new(name).unwrap(),
            version: "1.0.0".to_owned(),
            program: Arc::new(program),
            connectors,
            triggers: BTreeMap::from([(trigger.name.clone(), trigger)]),
            publications: BTreeMap::new(),
            kept: crate::kept::rules(),
            ordering: None,
            secrets: Arc::new(BTreeMap::new()),
            owner: Some("team-a".to_owned()),
            search_keys: search_keys(),
            people: qc_engine::People::default(),
            system_owners: BTreeMap::from([("desk".to_owned(), "team-desk".to_owned())]),
            data: qc_engine::DataRules::default(),
            limits: Vec::new(),
            deadline: None,
            quiet: BTreeMap::new(),
            class: qc_engine::ServiceClass::Standard,
            bus: qc_engine::Bus::default(),
        }),
    }
}

/// By what the runs of all tests are found.
fn search_keys() -> Vec<SearchKey> {
    let key = |name: &str, value: &str, task: Option<&str>| SearchKey {
        name: Name::new(name).unwrap(),
        value: qc_expression::Expression::parse(value, &[]).unwrap(),
        task: task.map(str::to_owned),
    };
    vec![
        key("order", ".data.order", None),
        key("line", ".data.lines[].sku", None),
        key("wrong", ".data.lines.sku", None),
        key("ticket", ".ticket", Some("createTicket")),
    ]
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

/// One who sends events to a process.
pub(crate) struct Sender {
    engine: Engine,
    clock: Arc<VirtualClock>,
    deployment: Arc<Deployment>,
    tenant: Name,
    priority: qc_store::Priority,
    terms: qc_engine::Terms,
    hops: u32,
}

impl Sender {
    /// The same, for another tenant.
    pub(crate) fn of(self, tenant: &str) -> Self {
        Self { tenant: Name::new(tenant).unwrap(), ..self }
    }

    /// The same, with what came through so many hops.
    pub(crate) fn through(self, hops: u32) -> Self {
        Self { hops, ..self }
    }

    /// The same, let in on these terms.
    pub(crate) fn on(self, terms: qc_engine::Terms) -> Self {
        Self { terms, ..self }
    }

    /// The same, at low priority.
    pub(crate) fn low(self) -> Self {
        Self { priority: qc_store::Priority::Low, ..self }
    }

    pub(crate) async fn send(
        &self,
        key: Option<&str>,
        data: Value,
    ) -> Result<Accepted, EngineError> {
        self.engine.accept(&self.deployment, self.incoming(key, data)).await
    }

    /// Asks whether it has come before.
    pub(crate) async fn repeat(
        &self,
        key: Option<&str>,
        data: Value,
    ) -> Result<Option<Accepted>, EngineError> {
        self.engine.repeat(&self.deployment, &self.incoming(key, data)).await
    }

    /// Sends an event to another deployment; its run.
    pub(crate) async fn to(&self, deployment: &Arc<Deployment>, data: Value) -> RunId {
        while !self.engine.gauges().leased {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        match self.engine.accept(deployment, self.incoming(None, data)).await.unwrap() {
            Accepted::New { run } | Accepted::Repeat { run } => run,
        }
    }

    /// Publishes it.
    pub(crate) async fn publish(
        &self,
        key: &str,
        data: Value,
    ) -> Result<qc_engine::Announced, EngineError> {
        self.engine.publish(&self.deployment, self.incoming(Some(key), data)).await
    }

    fn incoming(&self, key: Option<&str>, data: Value) -> Incoming {
        let event = Event {
            id: "1".to_owned(),
            source: "/test".to_owned(),
            kind: "test".to_owned(),
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
            tenant: self.tenant.clone(),
            event,
            body_hash,
            key: key.map(str::to_owned),
            actor: Actor::platform("test"),
            received_at: self.clock.now(),
            traceparent: None,
            priority: self.priority,
            version: None,
            terms: self.terms.clone(),
            hops: self.hops,
        }
    }
}

/// One process: an engine over a store that may outlive it.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) blobs: Arc<MemoryBlobs>,
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) deployment: Arc<Deployment>,
    /// What lies between it and the rest, when it is one of several.
    pub(crate) link: Option<Arc<Link>>,
    /// Group commit, and the engine.
    tasks: [tokio::task::JoinHandle<()>; 2],
    dead: watch::Sender<bool>,
}

/// A process as the outside sees it: once it is dead, nothing more comes from it.
struct Process {
    outside: Arc<dyn Caller>,
    dead: watch::Receiver<bool>,
    link: Option<Arc<Link>>,
}

#[async_trait]
impl Caller for Process {
    async fn call(&self, request: OutboundRequest) -> Result<OutboundResponse, CallError> {
        let Some(link) = &self.link else { return self.living(request).await };
        if link.mode() == Mode::Frozen {
            // A node that stands still comes to no such point; it has not been sent.
            link.awake().await;
            let message = "the node stood still".to_owned();
            return Err(CallError { kind: CallErrorKind::Connect, sent: false, message });
        }
        let answer = self.living(request).await;
        link.awake().await;
        answer
    }
}

impl Process {
    async fn living(&self, request: OutboundRequest) -> Result<OutboundResponse, CallError> {
        let mut dead = self.dead.clone();
        tokio::select! {
            biased;
            _ = dead.wait_for(|dead| *dead) => Err(CallError {
                kind: CallErrorKind::Connect,
                sent: false,
                message: "the process is dead".to_owned(),
            }),
            answer = self.outside.call(request) => answer,
        }
    }
}

impl World {
    pub(crate) fn new(tasks: &str, outside: Arc<Outside>) -> Self {
        let clock = Arc::new(VirtualClock::now());
        let store = Arc::new(MemoryStore::with_clock(clock.clone()));
        Self::over(store, clock, deployment("r1", tasks), outside, 1)
    }

    /// A process over a store that another one may have left.
    pub(crate) fn over(
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
    pub(crate) fn with(
        store: Arc<MemoryStore>,
        clock: Arc<VirtualClock>,
        deployments: Vec<Deployment>,
        outside: Arc<dyn Caller>,
        seed: u64,
        settings: EngineSettings,
    ) -> Self {
        Self::with_blobs(store, Arc::default(), clock, deployments, outside, seed, settings)
    }

    /// The same, over the large bodies that another process may have left.
    pub(crate) fn with_blobs(
        store: Arc<MemoryStore>,
        blobs: Arc<MemoryBlobs>,
        clock: Arc<VirtualClock>,
        deployments: Vec<Deployment>,
        outside: Arc<dyn Caller>,
        seed: u64,
        settings: EngineSettings,
    ) -> Self {
        let as_store: Arc<dyn Store> = store.clone();
        Self::wired(store, as_store, blobs, None, clock, deployments, outside, seed, settings)
    }

    /// One of several processes over a shared store, which it reaches over a link of its own.
    pub(crate) fn node(
        reached: Reached,
        clock: Arc<VirtualClock>,
        deployments: Vec<Deployment>,
        outside: Arc<dyn Caller>,
        seed: u64,
        settings: EngineSettings,
    ) -> Self {
        let (store, link) = (reached.store.clone(), Some(reached.link.clone()));
        Self::wired(
            store,
            Arc::new(reached),
            Arc::default(),
            link,
            clock,
            deployments,
            outside,
            seed,
            settings,
        )
    }

    #[expect(clippy::too_many_arguments, reason = "everything that a process is made of")]
    fn wired(
        store: Arc<MemoryStore>,
        as_store: Arc<dyn Store>,
        blobs: Arc<MemoryBlobs>,
        link: Option<Arc<Link>>,
        clock: Arc<VirtualClock>,
        deployments: Vec<Deployment>,
        outside: Arc<dyn Caller>,
        seed: u64,
        settings: EngineSettings,
    ) -> Self {
        let (dead, dies) = watch::channel(false);
        let outside = Arc::new(Process { outside, dead: dies, link: link.clone() });
        let (committer, commits) = Committer::new(as_store.clone(), CommitLimits::default());
        let deployments: Vec<_> = deployments.into_iter().map(Arc::new).collect();
        let deployment = deployments[0].clone();
        let engine = Engine::new(EngineParts {
            committer,
            store: as_store,
            outbound: Outbound::new(outside, clock.clone(), Arc::new(Secrets::none()))
                .with_blobs(blobs.clone(), 1 << 20),
            clock: clock.clone(),
            entropy: Arc::new(Seeded::new(seed << 32)),
            releases: Arc::new(Fixed(deployments)),
            settings,
        });
        engine.set_deployments(vec![(*deployment).clone()]);
        let running = engine.clone();
        let tasks = [tokio::spawn(commits), tokio::spawn(async move { running.run().await })];
        Self { engine, store, blobs, clock, deployment, link, tasks, dead }
    }

    /// One who sends events to this process, for as long as it lives.
    pub(crate) fn sender(&self) -> Sender {
        Sender {
            engine: self.engine.clone(),
            clock: self.clock.clone(),
            deployment: self.deployment.clone(),
            tenant: Name::new("default").unwrap(),
            priority: qc_store::Priority::Normal,
            terms: qc_engine::Terms::default(),
            hops: 0,
        }
    }

    pub(crate) async fn send(
        &self,
        key: Option<&str>,
        data: Value,
    ) -> Result<Accepted, EngineError> {
        // Before it holds the lease a process leaves what it accepts to its first sweep.
        while !self.engine.gauges().leased {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.sender().send(key, data).await
    }

    /// Since the first process began.
    pub(crate) fn uptime(&self) -> Duration {
        self.clock.began.elapsed()
    }

    /// Sends an event that must be new, and gives its run.
    pub(crate) async fn start(&self, data: Value) -> RunId {
        match self.send(None, data).await.unwrap() {
            Accepted::New { run } => run,
            Accepted::Repeat { run } => panic!("{run} is a repeat"),
        }
    }

    /// The run's end, within three days of virtual time.
    pub(crate) async fn end(&self, run: RunId) -> RunEnd {
        for _ in 0..400 {
            if let Some(end) = self.engine.wait(run, Duration::from_secs(600)).await.unwrap() {
                return end;
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        panic!("{run} does not end: {:#?}", self.engine.inspect(run).await.unwrap());
    }

    /// Waits until the run has this status.
    pub(crate) async fn until(&self, run: RunId, status: qc_store::RunStatus) {
        for _ in 0..10_000 {
            if self.store.run(run).await.unwrap().unwrap().state.status == status {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{run} never is {status:?}: {:#?}", self.engine.inspect(run).await.unwrap());
    }

    /// Ends the process in peace: what is in flight gets so long.
    pub(crate) async fn leave(mut self, limit: Duration) {
        self.engine.drain(limit).await;
        drop(tokio::time::timeout(limit, &mut self.tasks[1]).await);
        self.kill();
    }

    /// Ends the process at once: nothing that it still had in memory survives.
    pub(crate) fn kill(self) -> (Arc<MemoryStore>, Arc<VirtualClock>) {
        self.dead.send_replace(true);
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
pub(crate) fn ok(content: Value) -> Answer {
    Answer::Status(200, content)
}

/// The output of a run that must have completed.
pub(crate) fn output(end: RunEnd) -> Value {
    match end {
        RunEnd::Completed { output } => output,
        other => panic!("the run did not complete: {other:#?}"),
    }
}
