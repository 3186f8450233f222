//! What the tests deploy: one integration with a trigger of every kind.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::HeaderName;
use qc_connect::{
    call::Connectors,
    connector::Connector,
    webhook::{
        Algorithm, Challenge, ChallengeKind, ContentPart, Encoding, HmacScheme, SignatureScheme,
        TimestampHeader, TimestampUnit,
    },
};
use qc_contract::Schema;
use qc_contract::pact::Pact;
use qc_data::{DataClass, Labels, Movement, Rule, Verdict};
use qc_document::{ParseLimits, Source};
use qc_engine::{
    DataRules, Deployment, Idempotency, Level, People, Release, SearchKey, TenantRule, Trigger,
    TriggerAuth, TriggerKind,
};
use qc_expression::Expression;
use qc_model::{Code, EnvironmentName, Finding, Name};
use qc_release::{Bundle, Draft, Effective};
use qc_server::Craft;
use qc_vault::SecretRef;
use qc_version::{
    Date, Semver,
    expectation::{Cell, Miss, Unmet},
    gate::{ChangeRecord, Circumstances, Evidence, Judgement, Notice, Numbers, Way, change_id},
};
use qc_workflow::{Bindings, CallPolicy};
use serde_json::{Value, json};

const CONNECTOR: &str = "
name: desk
version: 1.0.0
title: A desk
owner: team-desk
openapi: openapi.yaml
base_urls: { production: 'http://desk.test', sandbox: 'http://desk.test' }
auth: { none: {} }
operations:
  createTicket:
    effect: { class: keyed, key: { in: header, name: Idempotency-Key, window: 24h, then: once } }
  charge: { effect: { class: once } }
";

const OPENAPI: &str = "
openapi: 3.1.0
info: { title: Desk, version: 1.0.0 }
paths:
  /tickets:
    post:
      operationId: createTicket
      requestBody: { required: true, content: { application/json: { schema: { type: object } } } }
      responses: { '200': { description: ok } }
  /charges:
    post:
      operationId: charge
      requestBody: { required: true, content: { application/json: { schema: { type: object } } } }
      responses: { '200': { description: ok } }
";

/// An account that somebody has to consent for.
const CRM: &str = "
name: crm
version: 1.0.0
title: Customers
openapi: openapi.yaml
base_urls: { production: 'http://crm.test', sandbox: 'http://crm.test' }
auth:
  oauth2_authorization_code:
    authorization_url: https://login.test/authorize?tenant=1
    token_url: https://login.test/token
    redirect_uri: http://qc.test/connect/callback
    client_id: qc
    client_secret: secret://acme
    account: /account
    revocation_url: https://login.test/revoke
    rotating: true
    probe: { operation: listCustomers, every: 1h }
    authorization_params: { prompt: consent }
";

const CRM_API: &str = "
openapi: 3.1.0
info: { title: Customers, version: 1.0.0 }
components:
  securitySchemes:
    login:
      type: oauth2
      flows:
        authorizationCode:
          authorizationUrl: https://login.test/authorize
          tokenUrl: https://login.test/token
          scopes: { 'customers:read': reads }
paths:
  /customers:
    get:
      operationId: listCustomers
      security: [{ login: ['customers:read'] }]
      responses: { '200': { description: ok } }
";

/// What the event's `mode` says is done with it; without one it comes back.
const WORKFLOW: &str = "
document: { dsl: '1.0.3', namespace: test, name: doors, version: '1.0.0' }
do:
- decide:
    switch:
    - slow: { when: '${ (.mode? // \"\") == \"slow\" }', then: slow }
    - fault: { when: '${ (.mode? // \"\") == \"fault\" }', then: fault }
    - ask: { when: '${ (.mode? // \"\") == \"ask\" }', then: ask }
    - once: { when: '${ (.mode? // \"\") == \"once\" }', then: once }
    - crm: { when: '${ (.mode? // \"\") == \"crm\" }', then: crm }
    - plain: { then: plain }
- ask:
    call: human.approve
    with: { title: 'Pay?', of: { amount: 7, secret: private }, assignee: desk-team, deadline: 1h }
    then: end
- plain: { set: { echo: '${ . }' }, then: end }
- slow: { wait: { hours: 1 }, then: end }
- fault:
    call: desk.createTicket
    with: { body: { title: x } }
    then: end
- crm:
    call: crm.listCustomers
    with: {}
    then: end
- once:
    call: desk.charge
    with: { body: { amount: 1 } }
    then: end
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
    fn openapi(&self, document: &str, operation: &str) -> Result<CallPolicy, Box<Finding>> {
        self.0.openapi_policy(document, operation)
    }
}

/// Releases of these tests: any files give one, and all of them run the same.
pub(crate) const CRAFT: Craft = Craft {
    bundle,
    compile,
    judge,
    matrix: |release, circumstances| Ok(matrix(release, circumstances.expectations)),
};

pub(crate) fn bundle(
    files: BTreeMap<String, Bytes>,
    integration: &Name,
) -> Result<Bundle, Vec<Finding>> {
    if files.contains_key("broken") {
        return Err(vec![Finding::error(Code::new("QC-P999"), "it is broken")]);
    }
    let draft = Draft {
        integration: integration.clone(),
        version: "1.0.0".to_owned(),
        connectors: BTreeMap::new(),
        files,
        derived: BTreeMap::new(),
    };
    Bundle::build(draft).map_err(|error| vec![error.finding()])
}

/// The file of a release that says what it offers to others, as an OpenAPI description.
pub(crate) const OFFER: &str = "offer.json";
/// The file of a release that says that each break of it is written about, since this day.
pub(crate) const WRITTEN: &str = "written";
/// The file of a release that has the gate tell and hold nothing.
pub(crate) const TELLS: &str = "tells";

/// A release offers what its file says; its number is one minor step on, and a major one when it writes about breaks.
fn judge(
    old: &Effective,
    new: &Effective,
    Circumstances { now, usage, expectations, .. }: Circumstances<'_>,
) -> Result<Judgement, Vec<Finding>> {
    let offer = |release: &Effective| {
        let text = release.files().get(OFFER).map(|bytes| String::from_utf8_lossy(bytes));
        let nothing = r#"{"openapi":"3.1.0","info":{"title":"t","version":"1"},"paths":{}}"#;
        let files =
            BTreeMap::from([(OFFER.to_owned(), text.map_or(nothing.to_owned(), Into::into))]);
        let (api, findings) = qc_contract::OpenApi::load(&files, OFFER);
        api.ok_or(findings)
    };
    let profile = qc_contract::Profile::default();
    let options = qc_contract::Options { profile: &profile, today: None };
    let comparison = qc_contract::compare(&offer(old)?, &offer(new)?, options);
    let written = new.files().get(WRITTEN).map(|bytes| String::from_utf8_lossy(bytes));
    let record = |change: &qc_contract::Change, announced: &str| ChangeRecord {
        change: change_id(change),
        announced: Date::parse(announced).unwrap(),
        changelog: "CHANGELOG.md#2.0.0".to_owned(),
        migration: "migrations/1-to-2.md".to_owned(),
    };
    let records: Vec<ChangeRecord> = written
        .iter()
        .flat_map(|announced| {
            comparison.changes.iter().map(|change| record(change, announced)).collect::<Vec<_>>()
        })
        .collect();
    let number = |text| Semver::parse(text).unwrap();
    let numbers = Numbers {
        old: number("1.0.0"),
        new: number(if written.is_some() { "2.0.0" } else { "1.1.0" }),
    };
    let notice = Notice { before: Duration::from_secs(30 * 86_400), today: Date::of(now) };
    let before = unmet(old, expectations);
    let mut lost = unmet(new, expectations);
    lost.retain(|it| !before.contains(it));
    let mut judgement = Judgement::new(comparison, lost, numbers, &records, notice);
    // Each path of the offer ends with the name of a trigger.
    let operations = judgement.breaks.iter().flat_map(|it| it.cause.operations());
    let ways = operations.filter_map(|operation| {
        let trigger = operation.rsplit_once('/')?.1.to_owned();
        Some((operation, Way { trigger, version: String::new(), consumer: None }))
    });
    let ways: BTreeMap<String, Way> = ways.collect();
    if let Some(usage) = usage {
        let since = now - qc_version::usage::QUIET;
        judgement = judgement.with_evidence(Evidence { usage, ways: &ways, since });
    }
    Ok(if old.files().contains_key(TELLS) { judgement.telling() } else { judgement })
}

/// The file of a release that does not do what consumers expect.
pub(crate) const STUBBORN: &str = "stubborn";

/// What consumers expect goes with each release but a stubborn one.
fn matrix(release: &Effective, expectations: &[Pact]) -> Vec<Cell> {
    let is_stubborn = release.files().contains_key(STUBBORN);
    let cell = |pact: &Pact| {
        let all = pact.interactions.iter().filter(|_| is_stubborn);
        let miss = |it: &qc_contract::pact::Interaction| Miss {
            interaction: it.description.clone(),
            why: "it is stubborn".to_owned(),
        };
        Cell {
            consumer: pact.consumer.clone(),
            trigger: "json".to_owned(),
            version: String::new(),
            state: None,
            is_spoken: true,
            interactions: pact.interactions.len(),
            unmet: all.map(miss).collect(),
        }
    };
    expectations.iter().map(cell).collect()
}

fn unmet(release: &Effective, expectations: &[Pact]) -> Vec<Unmet> {
    matrix(release, expectations).into_iter().flat_map(Cell::unmet).collect()
}

fn compile(bundle: &Effective, environment: &EnvironmentName) -> Result<Deployment, Vec<Finding>> {
    let files = BTreeMap::from([
        ("connectors/desk/connector.yaml".to_owned(), CONNECTOR.to_owned()),
        ("connectors/desk/openapi.yaml".to_owned(), OPENAPI.to_owned()),
        ("connectors/crm/connector.yaml".to_owned(), CRM.to_owned()),
        ("connectors/crm/openapi.yaml".to_owned(), CRM_API.to_owned()),
    ]);
    let mut loaded = Vec::new();
    for name in ["desk", "crm"] {
        let (connector, findings) = Connector::load(&files, &format!("connectors/{name}"));
        loaded.push(connector.ok_or(findings)?);
    }
    let connectors = Connectors::new(loaded, []);
    let source = Source::new("workflow.yaml", WORKFLOW);
    let document = qc_document::parse_yaml(source, &ParseLimits::default())
        .map_err(|finding| vec![*finding])?;
    let (workflow, findings) = qc_workflow::load(&document);
    let (program, findings) = qc_workflow::compile(&workflow.ok_or(findings)?, &Bound(&connectors));
    let program = program.ok_or(findings)?;
    let strict = bundle.files().contains_key(STRICT);
    let triggers = if strict { stricter(triggers()) } else { triggers() };
    let released = bundle.files().contains_key(crate::versions::RELEASED);
    let triggers = triggers.into_iter().chain(crate::versions::triggers(released));
    let triggers = triggers.map(|trigger| (trigger.name.clone(), trigger));
    Ok(Deployment {
        environment: environment.clone(),
        vars: Arc::new(BTreeMap::new()),
        canaries: true,
        release: Arc::new(Release {
            hash: bundle.hash().to_owned(),
            integration: bundle.manifest().integration.clone(),
            version: bundle.manifest().version.clone(),
            program: Arc::new(program),
            connectors: Arc::new(connectors),
            triggers: triggers.collect(),
            publications: BTreeMap::new(),
            kept: qc_engine::Kept {
                states: [("notes".to_owned(), qc_engine::StateRule::default())].into(),
                tables: [("people".to_owned(), table())].into(),
                ..qc_engine::Kept::default()
            },
            ordering: None,
            secrets: Arc::new(secrets(bundle)),
            owner: Some("team-doors".to_owned()),
            search_keys: vec![SearchKey {
                name: Name::new("order").unwrap(),
                value: Expression::parse(".data.order", &[]).unwrap(),
                task: None,
            }],
            people: people(bundle),
            system_owners: BTreeMap::from([("desk".to_owned(), "team-desk".to_owned())]),
            data: data(bundle),
            limits: crate::limited::limits(|file| bundle.files().contains_key(file)),
            deadline: None,
            quiet: BTreeMap::new(),
            class: qc_engine::ServiceClass::Standard,
            bus: qc_engine::Bus { schedules: hourly(), ..qc_engine::Bus::default() },
        }),
    })
}

fn secrets(bundle: &Effective) -> BTreeMap<String, SecretRef> {
    let names = bundle.files().keys().filter_map(|path| path.strip_prefix(NEEDS));
    names
        .map(|name| (name.to_owned(), SecretRef::parse(&format!("secret://{name}")).unwrap()))
        .collect()
}

/// What may go to senders: everything, or what a file of the release says.
fn data(bundle: &Effective) -> DataRules {
    let verdict = match bundle.files() {
        files if files.contains_key(MASKED) => Verdict::Mask,
        files if files.contains_key(DENIED) => Verdict::Deny,
        _ => return DataRules::default(),
    };
    let rule = Rule {
        classes: [DataClass::Personal].into(),
        to: ["senders".to_owned()].into(),
        environments: [].into(),
        regions: [].into(),
        then: verdict,
    };
    let labels = Labels::new([("echo.person", DataClass::Personal)], Some(DataClass::Internal));
    DataRules {
        movement: Some(Movement::new(vec![rule], Verdict::Allow)),
        replies: [(Name::new("json").unwrap(), vec![labels])].into(),
        ..DataRules::default()
    }
}

fn table() -> qc_engine::TableRule {
    qc_engine::TableRule { systems: ["crm".to_owned(), "erp".to_owned()] }
}

/// Ada is asked, and bob is at once when a run cannot go on; until they are gone.
fn people(bundle: &Effective) -> People {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let unit = bundle.files().keys().find_map(|path| path.strip_prefix(UNIT));
    if bundle.files().contains_key(LEFT) {
        let teams = BTreeMap::from([("desk-team".to_owned(), names(&["carl"]))]);
        return People { people: names(&["carl"]), teams, ..People::default() };
    }
    let mut desk: BTreeSet<String> = names(&["ada"]);
    let joined = bundle.files().keys().filter_map(|path| path.strip_prefix(MEMBER));
    desk.extend(joined.map(str::to_owned));
    let rivals = if bundle.files().contains_key(ALONE) { &[][..] } else { &["eve", "mallory"] };
    People {
        contacts: BTreeMap::from([("team-desk".to_owned(), "desk@example.test".to_owned())]),
        people: names(&["ada", "bob"]),
        teams: BTreeMap::from([
            ("desk-team".to_owned(), desk),
            ("rivals".to_owned(), names(rivals)),
        ]),
        units: [("desk-team", "desk"), ("rivals", "rival")]
            .map(|(team, unit)| (team.to_owned(), unit.to_owned()))
            .into(),
        unit: Some(unit.unwrap_or("desk").to_owned()),
        asked: None,
        escalation: vec![Level { to: "bob".to_owned(), after: Duration::ZERO }],
        failure_modes: vec![],
    }
}

pub(crate) fn jq(source: &str) -> Expression {
    Expression::parse(source, &[]).unwrap()
}

pub(crate) fn trigger(name: &str, kind: TriggerKind, auth: TriggerAuth) -> Trigger {
    Trigger {
        name: Name::new(name).unwrap(),
        kind,
        auth,
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

pub(crate) fn json_trigger(name: &str) -> Trigger {
    trigger(name, TriggerKind::Json { event_type: "test".to_owned() }, TriggerAuth::Open)
}

pub(crate) fn events(name: &str, types: &[&str]) -> Trigger {
    let types = types.iter().map(|name| (*name).to_owned()).collect();
    trigger(name, TriggerKind::CloudEvents { types, challenge: None }, TriggerAuth::Open)
}

/// CloudEvents from senders that ask first.
fn asked(name: &str, kind: ChallengeKind, auth: TriggerAuth) -> Trigger {
    let challenge = Some(Challenge { kind, secret: None });
    trigger(name, TriggerKind::CloudEvents { types: Vec::new(), challenge }, auth)
}

fn webhook(name: &str, scheme: SignatureScheme, challenge: Option<ChallengeKind>) -> Trigger {
    let kind = TriggerKind::Webhook {
        event_type: jq(r#".body.type? // "delivery""#),
        event_id: None,
        challenge: challenge.map(|kind| Challenge { kind, secret: None }),
    };
    let secret = SecretRef::parse(&format!("secret://{name}")).unwrap();
    trigger(name, kind, TriggerAuth::Signature { scheme, secret })
}

fn github() -> Trigger {
    let kind = TriggerKind::Webhook {
        event_type: jq(
            r#"["github", .headers["x-github-event"], .body.action?] | map(select(. != null)) | join(".")"#,
        ),
        event_id: Some(jq(r#".headers["x-github-delivery"]"#)),
        challenge: None,
    };
    let secret = SecretRef::parse("secret://github").unwrap();
    let scheme = SignatureScheme::github();
    Trigger {
        body_limit: 25 << 20,
        ..trigger("github", kind, TriggerAuth::Signature { scheme, secret })
    }
}

/// A provider with habits of its own: SHA-512 in Base64 over time, id and body, time in milliseconds.
fn acme() -> SignatureScheme {
    let header = |name: &'static str| HeaderName::from_static(name);
    SignatureScheme::Hmac(HmacScheme {
        header: header("x-acme-signature"),
        algorithm: Algorithm::Sha512,
        encoding: Encoding::Base64,
        prefix: String::new(),
        content: vec![
            ContentPart::Timestamp,
            ContentPart::Text("|".to_owned()),
            ContentPart::Header(header("x-acme-id")),
            ContentPart::Text("|".to_owned()),
            ContentPart::Body,
        ],
        timestamp: Some(TimestampHeader {
            header: header("x-acme-time"),
            unit: TimestampUnit::Milliseconds,
            tolerance: Duration::from_secs(60),
        }),
    })
}

fn contract() -> Schema {
    let schema = json!({
        "type": "object",
        "required": ["id"],
        "properties": { "id": { "type": "string" }, "lines": { "items": { "type": "integer" } } },
    });
    Schema::compile(&schema, &BTreeMap::<String, String>::new()).unwrap()
}

/// Begins the file that says to which unit a release belongs; `desk` without one.
pub(crate) const UNIT: &str = "unit/";
/// Begins the files that say which secrets a release needs.
pub(crate) const NEEDS: &str = "needs/";
/// Begins the files that say who else is in the team of the desk.
pub(crate) const MEMBER: &str = "desk-team/";
/// The file of releases that know nobody of the rivals.
pub(crate) const ALONE: &str = "alone";

/// Releases with this file mask what is personal in what senders get back.
pub(crate) const MASKED: &str = "masked";
/// Releases with this one deny it.
pub(crate) const DENIED: &str = "denied";

/// The file that makes a release stricter than the one before it.
pub(crate) const STRICT: &str = "strict";
/// Releases with this file know other people.
pub(crate) const LEFT: &str = "left";

/// What a later release may do to its senders: contracts where there were none or looser ones, fewer types, and
/// expressions that do not do for every event.
fn stricter(triggers: Vec<Trigger>) -> Vec<Trigger> {
    let schema = json!({ "type": "object", "required": ["reason"] });
    let contract = Schema::compile(&schema, &BTreeMap::<String, String>::new()).unwrap();
    let strict = |trigger: Trigger| match trigger.name.as_str() {
        "keyed" | "agreed" | "events" | "keyed-events" => {
            Trigger { contract: Some(contract.clone()), ..trigger }
        }
        "typed" => Trigger {
            kind: TriggerKind::CloudEvents { types: vec!["case.closed".into()], challenge: None },
            ..trigger
        },
        "json" => Trigger { subject: Some(jq(r#".data.reason // error("no reason")"#)), ..trigger },
        _ => trigger,
    };
    triggers.into_iter().map(strict).collect()
}

fn triggers() -> Vec<Trigger> {
    let tolerance = Duration::from_secs(300);
    let key = || Some(Idempotency { key: jq(".data.id"), window: Duration::from_secs(3_600) });
    let from_event = TenantRule::FromEvent(jq(".data.tenant"));
    let open_form = TriggerKind::Webhook {
        event_type: jq(r#".body.type? // "form""#),
        event_id: Some(jq(".body.id?")),
        challenge: None,
    };
    let anywhere = ChallengeKind::CloudEvents { origins: vec!["good.example".to_owned()] };
    vec![
        json_trigger("json"),
        trigger("token", TriggerKind::Json { event_type: "test".to_owned() }, TriggerAuth::Token),
        Trigger { does: qc_engine::Does::Publish, ..json_trigger("published") },
        Trigger { idempotency: key(), ..json_trigger("keyed") },
        Trigger { contract: Some(contract()), ..json_trigger("contract") },
        Trigger { tenant: from_event, ..json_trigger("tenant") },
        Trigger {
            body_limit: 1_000,
            cost: 2,
            traffic: crate::limited::TRAFFIC,
            ..json_trigger("small")
        },
        events("events", &[]),
        events("typed", &["case.opened", "case.closed"]),
        Trigger { contract: Some(contract()), ..events("agreed", &[]) },
        Trigger { idempotency: key(), ..events("keyed-events", &[]) },
        github(),
        webhook("standard", SignatureScheme::standard_webhooks(), None),
        webhook("slack", SignatureScheme::slack(tolerance), Some(ChallengeKind::Slack)),
        webhook("stripe", SignatureScheme::Stripe { tolerance }, None),
        webhook("acme", acme(), None),
        webhook(
            "gitlab",
            SignatureScheme::Token { header: HeaderName::from_static("x-gitlab-token") },
            None,
        ),
        webhook("meta", SignatureScheme::github(), Some(ChallengeKind::Meta)),
        webhook("crc", SignatureScheme::github(), Some(ChallengeKind::Crc)),
        webhook("graph", SignatureScheme::github(), Some(ChallengeKind::MicrosoftGraph)),
        webhook("abuse", SignatureScheme::github(), Some(anywhere.clone())),
        asked("asked", anywhere, TriggerAuth::Token),
        asked(
            "asked-by-all",
            ChallengeKind::CloudEvents { origins: Vec::new() },
            TriggerAuth::Open,
        ),
        webhook("unconfigured", SignatureScheme::github(), None),
        trigger("form", open_form, TriggerAuth::Open),
    ]
}

/// What the workflow gives back for an event without a mode.
pub(crate) fn echo(data: &Value) -> Value {
    json!({ "echo": data })
}

fn hourly() -> BTreeMap<Name, qc_engine::Schedule> {
    let schedule = qc_engine::Schedule {
        tenant: Name::new("default").unwrap(),
        times: qc_engine::Times::Every { ms: 3_600_000 },
        overlap: qc_workflow::Overlap::Skip,
        catch_up: qc_workflow::CatchUp::Last,
        jitter: std::time::Duration::ZERO,
        subject: None,
        input: None,
    };
    BTreeMap::from([(Name::new("hourly").unwrap(), schedule)])
}
