//! What an integration offers to others, as an OpenAPI description: so that whatever tells two descriptions apart
//! tells two releases apart.
//!
//! Every way in which a sender may speak is an operation of its own: without saying a version, in each version that
//! answers, and as each consumer with a pin. A version that takes the place of another one for somebody is thus seen
//! as what it is for them.

use std::{collections::BTreeSet, sync::Arc};

use qc_contract::{Files, OpenApi};
use qc_model::{Finding, Severity, Timestamp};
use qc_version::{State, Versions};
use serde_json::{Map, Value, json};

use crate::{
    Project,
    integration::{TriggerAccess, TriggerForm, TriggerSpec},
    project::{FilesIn, IntegrationFolder},
    versions::VersionSpec,
};

/// The name of the description in the folder, which is no file.
const ENTRY: &str = "offer.json";

/// What an integration offers at a moment.
///
/// Errors: what cannot be read of it.
pub(crate) fn describe(
    project: &Project,
    folder: &IntegrationFolder,
    integration: &str,
    audience: &Audience<'_>,
    now: Timestamp,
) -> Result<OpenApi, Vec<Finding>> {
    let mut paths = Map::new();
    let triggers = folder.definition.iter().flat_map(|file| file.value.triggers.iter());
    for (name, trigger) in triggers {
        if !audience.sends_to(name.value.as_str()) {
            continue;
        }
        // Nobody sends to it.
        if matches!(trigger.form, TriggerForm::Schedule(_) | TriggerForm::Event(_)) {
            continue;
        }
        let address = match &trigger.form {
            TriggerForm::Amqp { source, .. } => format!("/queues/{}", source.queue.0),
            TriggerForm::Poll { poll, .. } => {
                format!("/polls/{}/{}", poll.connector.value, poll.operation.value)
            }
            _ => format!("/in/{integration}/{}", name.value),
        };
        let said = trigger.versions.as_ref().and_then(|path| folder.versions.get(&path.path));
        let Some(file) = said else {
            let contract = trigger.contract.as_ref().map(|path| path.path.as_str());
            let mut operation = operation(trigger, contract, None);
            operation["operationId"] = json!(address);
            paths.insert(address, json!({ "post": operation }));
            continue;
        };
        let versions = project.versions_of(integration, name.value.as_str())?;
        let ways = audience.ways(&versions, now);
        for (suffix, index) in ways {
            let Some((_, spec)) = file.value.versions.iter().nth(index) else { continue };
            let contract = Some(spec.contract.path.as_str());
            let reply = spec.reply.as_ref().map(|path| path.path.as_str());
            let mut operation = operation(trigger, contract, reply);
            let ends = file.value.versions.iter().any(|(it, _)| suffix == format!("/{}", it.value));
            if ends || matches!(audience, Audience::One(_)) {
                life(&mut operation, spec, versions.state(index, now));
            }
            let address = format!("{address}{suffix}");
            operation["operationId"] = json!(address);
            paths.insert(address, json!({ "post": operation }));
        }
    }
    let version = folder.definition.as_ref().and_then(|file| file.value.version.as_ref());
    let version = version.map(|version| version.value.to_string());
    loaded(project, folder, (integration, version.as_deref()), paths)
}

/// One version of a trigger's contract at one address: two of them are compared as two releases are.
///
/// Errors: what cannot be read of it.
pub(crate) fn of_version(
    project: &Project,
    folder: &IntegrationFolder,
    integration: &str,
    (name, trigger): (&str, &TriggerSpec),
    (version, spec): (&str, &VersionSpec),
) -> Result<OpenApi, Vec<Finding>> {
    let reply = spec.reply.as_ref().map(|path| path.path.as_str());
    let mut operation = operation(trigger, Some(spec.contract.path.as_str()), reply);
    let address = format!("/in/{integration}/{name}");
    operation["operationId"] = json!(address);
    let paths = Map::from_iter([(address, json!({ "post": operation }))]);
    loaded(project, folder, (integration, Some(version)), paths)
}

fn loaded(
    project: &Project,
    folder: &IntegrationFolder,
    (integration, version): (&str, Option<&str>),
    paths: Map<String, Value>,
) -> Result<OpenApi, Vec<Finding>> {
    let description = json!({
        "openapi": "3.1.0",
        "info": { "title": integration, "version": version },
        "paths": paths,
        "components": { "securitySchemes": schemes() },
    });
    let entry = folder.path(ENTRY);
    let inside = FilesIn { files: project.files(), folder: "" };
    let files = Described { entry: &entry, text: Arc::from(description.to_string()), inside };
    let (api, findings) = OpenApi::load(&files, &entry);
    let failed = findings.iter().any(|finding| finding.severity == Severity::Error);
    match api {
        Some(api) if !failed => Ok(api),
        _ => Err(findings),
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

/// Whom an offer is made to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Audience<'a> {
    /// Everybody, and the consumers that have a pin before or after.
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

    /// How they may speak, as the end of an address, and the version that it means. What is not agreed is promised to
    /// nobody, and what does not answer is not offered.
    fn ways(&self, versions: &Versions, now: Timestamp) -> Vec<(String, usize)> {
        let mut ways = Vec::new();
        match self {
            Self::All(consumers) => {
                ways.push((String::new(), versions.usual()));
                for (index, entry) in versions.entries().iter().enumerate() {
                    ways.push((format!("/{}", entry.name), index));
                }
                for consumer in *consumers {
                    if let Ok(index) = versions.spoken(None, &[consumer]) {
                        ways.push((format!("/as:{consumer}"), index));
                    }
                }
            }
            Self::One(sender) => {
                // Which version that is may change without anything that the sender does: the address stays.
                let names: Vec<&str> = sender.consumer.into_iter().collect();
                if let Ok(index) = versions.spoken(sender.speaks, &names) {
                    ways.push((String::new(), index));
                }
            }
        }
        let answers =
            |index| !matches!(versions.state(index, now), State::Draft | State::Retired { .. });
        ways.retain(|(_, index)| answers(*index));
        ways
    }
}

fn operation(trigger: &TriggerSpec, contract: Option<&str>, reply: Option<&str>) -> Value {
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

/// That a version ends. For all who say no version that is no end: another one takes its place.
fn life(operation: &mut Value, spec: &VersionSpec, state: State) {
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
