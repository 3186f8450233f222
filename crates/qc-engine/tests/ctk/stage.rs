//! One engine for one workflow: in-memory store, wall clock, the real HTTP client.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use qc_connect::call::{Connectors, HttpCaller, HttpSettings, Outbound};
use qc_document::{ParseLimits, Source};
use qc_engine::{
    Accepted, Deployment, Engine, EngineParts, EngineSettings, Happening, Incoming, Release,
    ReleaseSource, RunEnd, TenantRule, Trigger, TriggerAuth, TriggerKind, What,
};
use qc_model::{
    Actor, Clock, EnvironmentName, Event, EventData, Finding, Name, RunId, Seeded, Timestamp,
};
use qc_store::{CommitLimits, Committer, Store, StoreError, memory::MemoryStore};
use qc_vault::Secrets;
use qc_workflow::{Bindings, CallPolicy};
use serde_json::Value;
use tokio::{sync::broadcast, time::timeout};

use crate::hosts::Hosts;

/// No scenario of the kit takes a second; one that hangs must not hang the suite.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a run came to rest.
#[expect(clippy::large_enum_variant, reason = "one at a time")]
#[derive(Debug)]
pub(crate) enum Fate {
    Ended(RunEnd),
    /// It waits for people, for this reason.
    Parked(String),
}

/// What came of a workflow.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) fate: Fate,
    /// The names of the tasks that began, in order.
    pub(crate) started: Vec<String>,
    /// The names of the tasks that completed, in order.
    pub(crate) completed: Vec<String>,
}

/// Deploys a workflow with the hosts rewritten, sends its input as an event, and waits until it rests.
pub(crate) async fn execute(definition: &str, input: Value, hosts: &Hosts) -> Played {
    let deployment = Arc::new(deployment(definition, hosts));
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let (committer, commits) = Committer::new(Arc::clone(&store), CommitLimits::default());
    let clock: Arc<dyn Clock> = Arc::new(Wall);
    let caller = HttpCaller::new(&on_loopback()).unwrap();
    let engine = Engine::new(EngineParts {
        committer,
        store,
        outbound: Outbound::new(Arc::new(caller), Arc::clone(&clock), Arc::new(Secrets::none())),
        clock: Arc::clone(&clock),
        entropy: Arc::new(Seeded::new(1)),
        releases: Arc::new(Only(Arc::clone(&deployment))),
        settings: EngineSettings::default(),
    });
    engine.set_deployments(vec![Deployment::clone(&deployment)]);
    let running = engine.clone();
    let tasks = [tokio::spawn(commits), tokio::spawn(async move { running.run().await })];
    timeout(PATIENCE, async {
        while !engine.gauges().leased {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the engine takes its lease");
    let happenings = engine.subscribe();
    let accepted = engine.accept(&deployment, incoming(input, clock.now())).await.unwrap();
    let Accepted::New { run } = accepted else { panic!("{accepted:?}") };
    let (started, completed, parked) =
        timeout(PATIENCE, tasks_until_rest(happenings, run)).await.expect("the run rests");
    let fate = match parked {
        Some(reason) => Fate::Parked(reason),
        None => Fate::Ended(engine.wait(run, PATIENCE).await.unwrap().expect("it is at its end")),
    };
    engine.drain(PATIENCE).await;
    for task in tasks {
        task.abort();
    }
    Played { fate, started, completed }
}

/// Which tasks began and which completed before the run rested, and why it is parked if it is.
async fn tasks_until_rest(
    mut happenings: broadcast::Receiver<Happening>,
    run: RunId,
) -> (Vec<String>, Vec<String>, Option<String>) {
    let (mut started, mut completed) = (Vec::new(), Vec::new());
    loop {
        let happening = happenings.recv().await.expect("few enough to miss none");
        assert_eq!(happening.run, run, "there is one run");
        match happening.what {
            What::Task { task, state: "started", .. } => started.push(task),
            What::Task { task, state: "completed", .. } => completed.push(task),
            What::Parked { reason } => return (started, completed, Some(reason)),
            What::Ended { .. } => return (started, completed, None),
            _ => {}
        }
    }
}

fn deployment(definition: &str, hosts: &Hosts) -> Deployment {
    let connectors = Connectors::new([], [hosts.document()]);
    let source = Source::new("workflow.yaml", hosts.rewritten(definition));
    let document = qc_document::parse_yaml(source, &ParseLimits::default()).expect("is YAML");
    let (workflow, findings) = qc_workflow::load(&document);
    let workflow = workflow.unwrap_or_else(|| panic!("{findings:#?}"));
    let (program, findings) = qc_workflow::compile(&workflow, &Documents(&connectors));
    let program = program.unwrap_or_else(|| panic!("{findings:#?}"));
    let trigger = Trigger {
        name: name("in"),
        kind: TriggerKind::Json { event_type: "kit".to_owned() },
        auth: TriggerAuth::Open,
        tenant: TenantRule::Fixed(name("default")),
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
            hash: "kit".to_owned(),
            integration: name("kit"),
            version: "1.0.0".to_owned(),
            program: Arc::new(program),
            connectors: Arc::new(connectors),
            triggers: BTreeMap::from([(trigger.name.clone(), trigger)]),
            publications: BTreeMap::new(),
            kept: qc_engine::Kept::default(),
            ordering: None,
            secrets: Arc::new(BTreeMap::new()),
            owner: None,
            search_keys: Vec::new(),
            people: qc_engine::People::default(),
            system_owners: BTreeMap::new(),
            data: qc_engine::DataRules::default(),
            limits: Vec::new(),
            deadline: None,
            quiet: BTreeMap::new(),
            class: qc_engine::ServiceClass::Standard,
            bus: qc_engine::Bus::default(),
        }),
    }
}

fn incoming(input: Value, now: Timestamp) -> Incoming {
    Incoming {
        trigger: name("in"),
        tenant: name("default"),
        event: Event {
            id: "1".to_owned(),
            source: "/kit".to_owned(),
            kind: "kit".to_owned(),
            subject: None,
            time: None,
            datacontenttype: None,
            dataschema: None,
            extensions: BTreeMap::new(),
            data: EventData::Json(input),
        },
        body_hash: [0; 32],
        key: None,
        actor: Actor::platform("kit"),
        received_at: now,
        traceparent: None,
        priority: qc_store::Priority::Normal,
        version: None,
        terms: qc_engine::Terms::default(),
        hops: 0,
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

struct Documents<'a>(&'a Connectors);

impl Bindings for Documents<'_> {
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
}

struct Only(Arc<Deployment>);

#[async_trait]
impl ReleaseSource for Only {
    async fn deployment(
        &self,
        _: &EnvironmentName,
        hash: &str,
    ) -> Result<Option<Arc<Deployment>>, StoreError> {
        Ok((hash == self.0.release.hash).then(|| Arc::clone(&self.0)))
    }
}

struct Wall;

impl Clock for Wall {
    #[expect(clippy::disallowed_methods, reason = "real connections need real time")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
    }
}

/// The other systems are simulated on the loopback interface, and workflows of tests compute their addresses.
fn on_loopback() -> HttpSettings {
    HttpSettings { private: vec!["127.0.0.0/8".parse().unwrap()], ..HttpSettings::default() }
}
