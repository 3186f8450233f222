//! What an integration offers to others, as an OpenAPI description: so that whatever tells two descriptions apart
//! tells two releases apart.
//!
//! Every way in which a sender may speak is an operation of its own: without saying a version, in each version that
//! answers, and as each consumer that has a pin somewhere. A version that takes the place of another one for somebody is thus seen
//! as what it is for them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use qc_contract::{Files, OpenApi};
use qc_model::{Finding, Severity, Timestamp};
use qc_version::{State, Usage, Versions, gate::Way};
use serde_json::{Map, Value, json};

use crate::{
    Project,
    integration::{Limit, TriggerAccess, TriggerForm, TriggerSpec},
    project::{FilesIn, IntegrationFolder},
    versions::VersionSpec,
};

/// The name of the description in the folder, which is no file.
const ENTRY: &str = "offer.json";

/// An integration of a project, of which somebody asks what it offers at a moment.
pub(crate) struct Offering<'a> {
    pub(crate) project: &'a Project,
    pub(crate) folder: &'a IntegrationFolder,
    pub(crate) integration: &'a str,
    /// To whom.
    pub(crate) audience: Audience<'a>,
    pub(crate) now: Timestamp,
    /// Who uses what: a version goes on after its end when somebody speaks it.
    pub(crate) usage: Option<&'a Usage>,
}

/// Whom an offer is made to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Audience<'a> {
    /// Everybody, and by themselves the consumers that have a pin in any of the releases that are compared.
    All(&'a BTreeSet<String>),
    /// One sender.
    One(Sender<'a>),
}

/// One who sends.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sender<'a> {
    /// The name of its key, client or queue, by which it may have a pin.
    pub consumer: Option<&'a str>,
    /// The trigger that it sends to; any when nothing is said.
    pub trigger: Option<&'a str>,
    /// The version that it says; none is said when it is left out.
    pub speaks: Option<&'a str>,
}

impl Audience<'_> {
    fn sends_to(&self, trigger: &str) -> bool {
        match self {
            Self::All(_) => true,
            Self::One(sender) => sender.trigger.is_none_or(|one| one == trigger),
        }
    }

    /// Those that are looked at by themselves.
    fn consumers(&self) -> impl Iterator<Item = &String> {
        let consumers = match self {
            Self::All(consumers) => Some(*consumers),
            Self::One(_) => None,
        };
        consumers.into_iter().flatten()
    }
}

/// What an integration offers.
pub(super) struct Offer {
    pub(super) api: OpenApi,
    /// What its operations stand for.
    pub(super) ways: BTreeMap<String, Way>,
}

impl Offering<'_> {
    /// Describes it.
    ///
    /// Errors: what cannot be read of it.
    pub(super) fn describe(&self) -> Result<Offer, Vec<Finding>> {
        let (mut paths, mut ways) = (Map::new(), BTreeMap::new());
        let triggers = self.folder.definition.iter().flat_map(|file| file.value.triggers.iter());
        for (name, trigger) in triggers {
            // Nobody sends to it.
            if !self.audience.sends_to(name.value.as_str()) {
                continue;
            }
            if matches!(trigger.form, TriggerForm::Schedule(_) | TriggerForm::Event(_)) {
                continue;
            }
            let address = self.address(name.value.as_str(), trigger);
            let mut add = |address: String, mut operation: Value, way: Way| {
                operation["operationId"] = json!(address);
                // Nobody sends to a poll: what it finds is the provider's.
                if !matches!(trigger.form, TriggerForm::Poll { .. }) {
                    ways.insert(format!("POST {address}"), way);
                }
                paths.insert(address, json!({ "post": operation }));
            };
            let trigger_name = name.value.to_string();
            let said =
                trigger.versions.as_ref().and_then(|path| self.folder.versions.get(&path.path));
            let Some(file) = said else {
                let contract = trigger.contract.as_ref().map(|path| path.path.as_str());
                let consumers = self.audience.consumers().cloned().map(Speaking::Pinned);
                for speaking in std::iter::once(Speaking::Silent).chain(consumers) {
                    let at = format!("{address}{speaking}");
                    let consumer = speaking.consumer();
                    let (trigger_name, version) = (trigger_name.clone(), String::new());
                    let way = Way { trigger: trigger_name, version, consumer };
                    add(at, operation(trigger, self.limits(), contract, None), way);
                }
                continue;
            };
            let versions = self.project.versions_of(self.integration, &trigger_name)?;
            for (speaking, index) in self.speaking(&trigger_name, &versions) {
                let Some((version, spec)) = file.value.versions.iter().nth(index) else { continue };
                let contract = Some(spec.contract.path.as_str());
                let reply = spec.reply.as_ref().map(|path| path.path.as_str());
                let mut operation = operation(trigger, self.limits(), contract, reply);
                // For one sender there is no other version that takes its place.
                if matches!(speaking, Speaking::Named(_))
                    || matches!(self.audience, Audience::One(_))
                {
                    life(&mut operation, spec, versions.state(index, self.now));
                }
                let way = Way {
                    trigger: trigger_name.clone(),
                    version: version.value.clone(),
                    consumer: speaking.consumer(),
                };
                add(format!("{address}{speaking}"), operation, way);
            }
        }
        let version = self.folder.definition.as_ref().and_then(|it| it.value.version.as_ref());
        let version = version.map(|version| version.value.to_string());
        let published = Value::Object(self.published());
        let api = self.load(version.as_deref(), &Value::Object(paths), &published)?;
        Ok(Offer { api, ways })
    }

    /// One version of a trigger's contract at one address: two of them are compared as two releases are.
    ///
    /// Errors: what cannot be read of it.
    pub(crate) fn of_version(
        &self,
        (name, trigger): (&str, &TriggerSpec),
        (version, spec): (&str, &VersionSpec),
    ) -> Result<OpenApi, Vec<Finding>> {
        let reply = spec.reply.as_ref().map(|path| path.path.as_str());
        let mut operation =
            operation(trigger, self.limits(), Some(spec.contract.path.as_str()), reply);
        let address = self.address(name, trigger);
        operation["operationId"] = json!(address);
        let paths = json!({ address: { "post": operation } });
        self.load(Some(version), &paths, &json!({}))
    }

    fn address(&self, name: &str, trigger: &TriggerSpec) -> String {
        match &trigger.form {
            TriggerForm::Amqp { source, .. } => format!("/queues/{}", source.queue.0),
            TriggerForm::Poll { poll, .. } => {
                format!("/polls/{}/{}", poll.connector.value, poll.operation.value)
            }
            _ => format!("/in/{}/{name}", self.integration),
        }
    }

    /// How somebody may speak, and the version that it means. What is not agreed is promised to nobody, and what does not
    /// answer is not offered.
    fn speaking(&self, trigger: &str, versions: &Versions) -> Vec<(Speaking, usize)> {
        let mut ways = Vec::new();
        match self.audience {
            Audience::All(consumers) => {
                ways.push((Speaking::Silent, versions.usual()));
                for (index, entry) in versions.entries().iter().enumerate() {
                    ways.push((Speaking::Named(entry.name.to_string()), index));
                }
                for consumer in consumers {
                    if let Ok(index) = versions.spoken(None, &[consumer]) {
                        ways.push((Speaking::Pinned(consumer.clone()), index));
                    }
                }
            }
            // Which version that is may change without anything that the sender does: the address stays.
            Audience::One(sender) => {
                let names: Vec<&str> = sender.consumer.into_iter().collect();
                let index = versions.spoken(sender.speaks, &names);
                ways.extend(index.ok().map(|index| (Speaking::Silent, index)));
            }
        }
        ways.retain(|(_, index)| match versions.state(*index, self.now) {
            State::Draft => false,
            State::Retired { .. } => self.usage.is_some_and(|usage| {
                let name = versions.entries()[*index].name.as_str();
                usage.outlives(trigger, name, versions.quiet, self.now)
            }),
            State::Current
            | State::Supported
            | State::Deprecated { .. }
            | State::Overdue { .. } => true,
        });
        ways
    }

    fn limits(&self) -> &[Limit] {
        self.folder.definition.as_ref().map_or(&[], |file| &file.value.limits)
    }

    /// What it publishes and promises something of, by the type of the events: whoever subscribes reads it, as the
    /// receiver of a webhook does.
    fn published(&self) -> Map<String, Value> {
        let mut published = Map::new();
        let all = self.folder.definition.iter().flat_map(|file| file.value.publishes.iter());
        for (name, publication) in all {
            let Some(contract) = &publication.contract else { continue };
            let schema = json!({ "$ref": contract.path });
            let operation = json!({
                "operationId": name.value.as_str(),
                "requestBody": {
                    "required": true, "content": { "application/json": { "schema": schema } },
                },
                "responses": { "200": { "description": "It is taken." } },
            });
            published.insert(publication.kind.value.0.clone(), json!({ "post": operation }));
        }
        published
    }

    fn load(
        &self,
        version: Option<&str>,
        paths: &Value,
        webhooks: &Value,
    ) -> Result<OpenApi, Vec<Finding>> {
        let description = json!({
            "openapi": "3.1.0",
            "info": { "title": self.integration, "version": version },
            "paths": paths,
            "webhooks": webhooks,
            "components": { "securitySchemes": schemes() },
        });
        let entry = self.folder.path(ENTRY);
        let inside = FilesIn { files: self.project.files(), folder: "" };
        let files = Described { entry: &entry, text: Arc::from(description.to_string()), inside };
        let (api, findings) = OpenApi::load(&files, &entry);
        let failed = findings.iter().any(|finding| finding.severity == Severity::Error);
        match api {
            Some(api) if !failed => Ok(api),
            _ => Err(findings),
        }
    }
}

/// How somebody says a version.
enum Speaking {
    /// Not at all.
    Silent,
    /// By its name.
    Named(String),
    /// By a pin.
    Pinned(String),
}

impl Speaking {
    /// Whose way it is, where it is one consumer's.
    fn consumer(&self) -> Option<String> {
        match self {
            Self::Pinned(consumer) => Some(consumer.clone()),
            Self::Silent | Self::Named(_) => None,
        }
    }
}

/// As the end of an address.
impl fmt::Display for Speaking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => Ok(()),
            Self::Named(version) => write!(f, "/{version}"),
            Self::Pinned(consumer) => write!(f, "/as:{consumer}"),
        }
    }
}

/// The description, over the files of the project.
struct Described<'a> {
    entry: &'a str,
    text: Arc<str>,
    inside: FilesIn<'a>,
}

impl Files for Described<'_> {
    fn text(&self, path: &str) -> Option<Arc<str>> {
        if path == self.entry { Some(Arc::clone(&self.text)) } else { self.inside.text(path) }
    }
}

fn operation(
    trigger: &TriggerSpec,
    limited: &[Limit],
    contract: Option<&str>,
    reply: Option<&str>,
) -> Value {
    let content = |path: Option<&str>| {
        let schema = path.map_or_else(|| json!({}), |path| json!({ "$ref": path }));
        json!({ "application/json": { "schema": schema } })
    };
    let mut taken = json!({ "description": "It is on disk." });
    if reply.is_some() {
        taken["content"] = content(reply);
    }
    let mut operation = json!({
        "requestBody": { "required": true, "content": content(contract) },
        "responses": { "202": taken },
    });
    limits(&mut operation, trigger, limited);
    if let Some(scheme) = scheme(&trigger.access.value) {
        operation["security"] = json!([{ scheme: [] }]);
    }
    let types = match &trigger.form {
        TriggerForm::CloudEvents { types, .. } | TriggerForm::Amqp { types, .. } => {
            types.as_slice()
        }
        _ => &[],
    };
    if !types.is_empty() {
        let types: Vec<&str> = types.iter().map(|kind| kind.value.as_str()).collect();
        operation["parameters"] = json!([{
            "name": "ce-type", "in": "header", "required": true,
            "schema": { "type": "string", "enum": types },
        }]);
    }
    operation
}

/// How much may be sent.
fn limits(operation: &mut Value, trigger: &TriggerSpec, limited: &[Limit]) {
    operation["x-quota-body"] = json!({ "bytes": trigger.body_limit.0 });
    for limit in limited {
        let mut said =
            json!({ "for": limit.scope.as_str(), "then": limit.on_excess.value.as_str() });
        if let Some(rate) = limit.rate.as_ref().map(|rate| rate.value) {
            said["events"] = json!(rate.count);
            said["in_seconds"] = json!(rate.per.as_secs_f64());
            said["at_once"] = json!(
                limit.burst.as_ref().map_or(rate.count, |burst| burst.value.0.unsigned_abs())
            );
        }
        if let Some(runs) = &limit.concurrency {
            said["at_a_time"] = json!(runs.0);
        }
        operation[format!("x-rate-limit-{}", limit.name.value)] = said;
    }
}

/// That a version ends. For who says no version that is no end: another one takes its place. One that outlives its day has
/// none any more: it goes on as long as it is spoken.
fn life(operation: &mut Value, spec: &VersionSpec, state: State) {
    if matches!(state, State::Retired { .. }) {
        return;
    }
    if spec.sunset.is_some() || matches!(state, State::Deprecated { .. }) {
        operation["deprecated"] = json!(true);
    }
    if let Some(sunset) = &spec.sunset {
        operation["x-sunset"] = json!(sunset.value.to_string());
    }
}

fn scheme(access: &TriggerAccess) -> Option<&'static str> {
    match access {
        TriggerAccess::Token => Some("token"),
        TriggerAccess::Signature { .. } => Some("signature"),
        TriggerAccess::Open | TriggerAccess::Fetched | TriggerAccess::Timed => None,
    }
}

fn schemes() -> Value {
    json!({
        "token": { "type": "http", "scheme": "bearer" },
        "signature": { "type": "apiKey", "in": "header", "name": "signature" },
    })
}
