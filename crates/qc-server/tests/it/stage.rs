//! A server with one deployed integration that has a trigger of every kind.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Method};
use qc_access::{Access, IssueRequest, Role, TokenKind, issue};
use qc_capture::{CaptureParts, Captures};
use qc_connect::{
    call::{ConnectionTokens, Connectors, HttpCaller, HttpSettings, Outbound},
    webhook::{Challenge, ChallengeKind, SignatureScheme},
};
use qc_connection::{Connections, ConnectionsParts};
use qc_contract::Schema;
use qc_document::{ParseLimits, Source};
use qc_engine::{
    Deployment, Engine, EngineParts, EngineSettings, Idempotency, Release, ReleaseSource,
    TenantRule, Trigger, TriggerAuth, TriggerKind,
};
use qc_expression::Expression;
use qc_model::{
    Actor, Body, Caller, Clock, Entropy, EnvironmentName, Finding, Name, OutboundRequest, Reach,
    Seeded, Timestamp,
};
use qc_server::{
    Catalogue, Craft, Door, MeteredStore, ServerParts, ServerSettings, Service, State, bind, serve,
};
use qc_store::{CommitLimits, Committer, Store, StoreError, memory::MemoryStore};
use qc_vault::{SecretRef, Secrets, VariableRing, Vault, VaultParts};
use qc_workflow::{Bindings, CallPolicy};
use serde_json::{Value, json};
use tokio::sync::watch;

pub(crate) const SECRET: &str = "It's a Secret to Everybody";

struct Wall;
impl Clock for Wall {
    #[expect(clippy::disallowed_methods, reason = "connections and tokens need real time here")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
    }
}

/// Nothing is deployed here.
const CRAFT: Craft = Craft {
    bundle: |_, _| Err(Vec::new()),
    compile: |_, _| Err(Vec::new()),
    judge: |_, _, _| Err(Vec::new()),
    matrix: |_, _| Err(Vec::new()),
};

/// What wraps the vault's keys here.
const KEK: &str = "a2VrLWtlay1rZWsta2VrLWtlay1rZWsta2VrLWtlay0=";

/// No calls: workflows of these tests only compute.
struct NoCalls;
impl Bindings for NoCalls {
    fn operation(&self, _: &str, _: &str) -> Option<CallPolicy> {
        None
    }
    fn operation_names(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
    fn http_default(&self, method: &str) -> CallPolicy {
        Connectors::http_default(method)
    }
    fn task_override(&self, _: &str, _: &str) -> Option<CallPolicy> {
        None
    }
    fn openapi(&self, _: &str, _: &str) -> Result<CallPolicy, Box<Finding>> {
        Err(Box::new(Finding::error(qc_model::Code::new("QC-X001"), "no documents here")))
    }
}

/// Answers its input; fails or waits when the input asks for it.
const WORKFLOW: &str = "
document: { dsl: '1.0.3', namespace: test, name: test, version: '1.0.0' }
do:
  - pause:
      if: '${ (.mode? // null) == \"fail-later\" }'
      wait: { milliseconds: 1 }
  - refuse:
      if: '${ (.mode? // \"\") | startswith(\"fail\") }'
      raise:
        error:
          type: https://open-workflow-specification.org/dsl/errors/types/validation
          status: 400
          title: Refused
  - rest:
      if: '${ (.mode? // null) == \"wait\" }'
      wait: { hours: 1 }
  - answer:
      set: '${ { got: . } }'
";

struct Fixed(Arc<Deployment>);

#[async_trait]
impl ReleaseSource for Fixed {
    async fn deployment(
        &self,
        _: &EnvironmentName,
        hash: &str,
    ) -> Result<Option<Arc<Deployment>>, StoreError> {
        Ok((hash == self.0.release.hash).then(|| Arc::clone(&self.0)))
    }
}

pub(crate) struct Stage {
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) state: Arc<State>,
    committer: Committer,
    entropy: Arc<dyn Entropy>,
    caller: HttpCaller,
    stop: watch::Sender<bool>,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{:?}", self.body))
    }

    #[track_caller]
    pub(crate) fn is(&self, status: u16, code: &str) -> Value {
        let json = self.json();
        assert_eq!((self.status, json["code"].as_str()), (status, Some(code)), "{json:#}");
        assert_eq!(self.headers["content-type"], "application/problem+json");
        for key in ["type", "title", "detail", "next_action"] {
            assert!(json[key].is_string(), "{key} is missing in {json:#}");
        }
        json
    }

    #[track_caller]
    pub(crate) fn run(&self) -> String {
        let json = self.json();
        assert_eq!(self.status, 202, "{json:#}");
        json["run"].as_str().unwrap().to_owned()
    }
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(ServerSettings::default()).await
    }

    pub(crate) async fn with(settings: ServerSettings) -> Self {
        let store = Arc::new(MemoryStore::new());
        let metered = MeteredStore::new(Arc::<MemoryStore>::clone(&store));
        let commits = metered.numbers();
        let shared: Arc<dyn Store> = Arc::new(metered);
        let clock: Arc<dyn Clock> = Arc::new(Wall);
        let entropy: Arc<dyn Entropy> = Arc::new(Seeded::new(1));
        let (committer, looping) = Committer::new(Arc::clone(&shared), CommitLimits::default());
        tokio::spawn(looping);
        let secrets = Arc::new(Secrets::none().with_value("production", "hook", SECRET));
        let caller = HttpCaller::new(&on_loopback()).unwrap();
        let deployment = Arc::new(deployment());
        let ring = VariableRing::new("KEK", KEK, Arc::clone(&entropy)).unwrap();
        let vault = Arc::new(Vault::new(VaultParts {
            store: Arc::clone(&shared),
            committer: committer.clone(),
            ring: Some(Arc::new(ring)),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            secrets: &secrets,
        }));
        let connections = Connections::new(ConnectionsParts {
            production: vec!["production".parse().unwrap()],
            store: Arc::clone(&shared),
            committer: committer.clone(),
            vault: Arc::clone(&vault),
            caller: Arc::new(caller.clone()),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            node: "a".to_owned(),
            user_agent: "test".to_owned(),
        });
        let access = Arc::new(Access::new(true, vec!["production".parse().unwrap()]));
        let captures = Arc::new(Captures::new(CaptureParts {
            store: Arc::clone(&shared),
            committer: committer.clone(),
            vault: Arc::clone(&vault),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
        }));
        let engine = Engine::new(EngineParts {
            committer: committer.clone(),
            store: Arc::clone(&shared),
            outbound: Outbound::new(
                Arc::new(caller.clone()),
                Arc::clone(&clock),
                Arc::clone(&secrets),
            )
            .with_connections(ConnectionTokens::Kept(Arc::clone(&connections))),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            releases: Arc::new(Fixed(Arc::clone(&deployment))),
            settings: EngineSettings::default(),
        });
        engine.set_deployments(vec![Deployment::clone(&deployment)]);
        let running = engine.clone();
        tokio::spawn(async move { running.run().await });
        while !engine.gauges().leased {
            tokio::task::yield_now().await;
        }
        let catalogue = Catalogue::new(Arc::clone(&shared), CRAFT);
        let state = State::new(ServerParts {
            engine,
            store: shared,
            committer: committer.clone(),
            catalogue,
            secrets,
            vault,
            connections,
            captures,
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            commits,
            access,
            settings,
            provider: None,
            place: None,
        });
        state.set_ready(true);
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = watch::channel(false);
        let grace = Duration::from_secs(5);
        tokio::spawn(serve(listener, Service::new(&state, Door::All), None, stopped, grace));
        let mut stage =
            Self { url, token: String::new(), store, state, committer, entropy, caller, stop };
        stage.token = stage.issue_as(TokenKind::Local, Role::Admin, None, None).await;
        stage
    }

    /// A further token.
    pub(crate) async fn issue(
        &self,
        role: Role,
        environment: Option<&str>,
        scopes: Option<&[&str]>,
    ) -> String {
        self.issue_as(TokenKind::ApiKey, role, environment, scopes).await
    }

    async fn issue_as(
        &self,
        kind: TokenKind,
        role: Role,
        environment: Option<&str>,
        scopes: Option<&[&str]>,
    ) -> String {
        let request = IssueRequest {
            name: "test".into(),
            kind,
            person: None,
            environment: environment.map(|name| name.parse().unwrap()),
            role,
            scopes: scopes.map(|scopes| scopes.iter().map(|s| s.parse().unwrap()).collect()),
            lifetime: None,
            owner: "team".to_owned(),
            purpose: "tests".to_owned(),
        };
        let issued = issue(request, &Actor::platform("test"), Wall.now(), &*self.entropy);
        self.committer.change(issued.change).await.unwrap();
        issued.text.expose().to_owned()
    }

    /// Sends with the key of the machine's owner.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend_from_slice(headers);
        self.bare(method, path, &all, body).await
    }

    /// Sends only these header fields.
    pub(crate) async fn bare(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap());
        }
        let request = OutboundRequest {
            method,
            url: format!("{}{path}", self.url),
            headers: map,
            body: Body::Bytes(body.into()),
            timeout: Duration::from_secs(20),
            connect_timeout: None,
            reach: Reach::Anywhere,
            identity: None,
        };
        let response = self.caller.call(request).await.unwrap();
        let (status, headers) = (response.status.as_u16(), response.headers);
        Answer { status, headers, body: response.body.collect(16 << 20).await.unwrap() }
    }

    /// Sends JSON to the trigger `plain`.
    pub(crate) async fn plain(&self, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.send(Method::POST, "/in/production/test/plain", &all, body.to_string()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }
}

fn trigger(name: &str, kind: TriggerKind, auth: TriggerAuth) -> Trigger {
    Trigger {
        name: name.parse().unwrap(),
        kind,
        auth,
        tenant: TenantRule::Fixed("default".parse().unwrap()),
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

fn jq(text: &str) -> Expression {
    Expression::parse(text, &[]).unwrap()
}

fn deployment() -> Deployment {
    let document =
        qc_document::parse_yaml(Source::new("workflow.yaml", WORKFLOW), &ParseLimits::default())
            .unwrap();
    let (workflow, findings) = qc_workflow::load(&document);
    let workflow = workflow.unwrap_or_else(|| panic!("{findings:#?}"));
    let (program, findings) = qc_workflow::compile(&workflow, &NoCalls);
    let program = program.unwrap_or_else(|| panic!("{findings:#?}"));
    let triggers = triggers().into_iter().map(|trigger| (trigger.name.clone(), trigger)).collect();
    Deployment {
        environment: Name::new("production").unwrap(),
        vars: Arc::new(BTreeMap::new()),
        canaries: true,
        release: Arc::new(Release {
            hash: "r1".to_owned(),
            integration: Name::new("test").unwrap(),
            version: "1.0.0".to_owned(),
            program: Arc::new(program),
            connectors: Arc::new(Connectors::new([], [])),
            triggers,
            publications: BTreeMap::new(),
            kept: qc_engine::Kept::default(),
            ordering: None,
            secrets: Arc::new(BTreeMap::new()),
            owner: Some("team-a".to_owned()),
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

fn triggers() -> Vec<Trigger> {
    let signature = |scheme| TriggerAuth::Signature {
        scheme,
        secret: SecretRef::parse("secret://hook").unwrap(),
    };
    let events = TriggerKind::CloudEvents { types: vec!["a".into(), "b".into()], challenge: None };
    let mut events = trigger("events", events, TriggerAuth::Token);
    events.tenant = TenantRule::FromEvent(jq(".tenant // \"default\""));
    let json = || TriggerKind::Json { event_type: "plain".into() };
    let mut plain = trigger("plain", json(), TriggerAuth::Token);
    plain.body_limit = 4_096;
    let mut strict = trigger("strict", json(), TriggerAuth::Token);
    strict.idempotency =
        Some(Idempotency { key: jq(".data.id"), window: Duration::from_secs(3_600) });
    let schema = json!({
        "type": "object",
        "required": ["id", "amount"],
        "properties": { "id": { "type": "string" }, "amount": { "type": "integer", "minimum": 1 } },
    });
    let none: BTreeMap<String, String> = BTreeMap::new();
    strict.contract = Some(Schema::compile(&schema, &none).unwrap());
    let hook = |challenge| TriggerKind::Webhook {
        event_type: jq("\"github.\" + .headers[\"x-github-event\"]"),
        event_id: Some(jq(".headers[\"x-github-delivery\"]")),
        challenge,
    };
    let mut github = trigger("github", hook(None), signature(SignatureScheme::github()));
    github.input = Some(jq("{ type, action: .data.action }"));
    let slack = Challenge { kind: ChallengeKind::Slack, secret: None };
    let slack = TriggerKind::Webhook {
        event_type: jq(".body.type"),
        event_id: None,
        challenge: Some(slack),
    };
    let slack_scheme = SignatureScheme::slack(Duration::from_secs(300));
    let meta = Challenge { kind: ChallengeKind::Meta, secret: None };
    vec![
        events,
        plain,
        strict,
        github,
        trigger("slack", slack, signature(slack_scheme)),
        trigger("meta", hook(Some(meta)), signature(SignatureScheme::github())),
        trigger("open", json(), TriggerAuth::Open),
    ]
}

/// The other systems are simulated on the loopback interface, and workflows of tests compute their addresses.
fn on_loopback() -> HttpSettings {
    HttpSettings { private: vec!["127.0.0.0/8".parse().unwrap()], ..HttpSettings::default() }
}
