//! What a run asks of the outside, as it is compared: a call, a question to a person, a write of what is kept, a child,
//! an event that goes out.

use qc_model::{Code, Failure, Name};
use qc_store::RunFacts;
use qc_workflow::{CallId, CallRequest, CallTarget, ChildRequest, Effect, Happening};
use serde_json::{Map, Value, json};

use crate::{Deployment, data::Custody};

/// One thing that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Deed {
    /// What, such as `tracker.createTicket`. Holds no data.
    pub(super) label: String,
    /// The task's name.
    pub(super) task: String,
    /// Where: the names of the tasks around it and its own, without their numbers, and which visit.
    pub(super) place: String,
    /// With what, as it would go out.
    pub(super) document: Value,
    /// The policy of the movement of data let nothing go.
    pub(super) refused: Option<Code>,
    /// Whether doing it twice is the same as doing it once.
    pub(super) harmless: bool,
    /// Whether somebody answers.
    pub(super) answered: bool,
}

/// Writes down what a run asks for as its release would let it go.
pub(super) struct Desk<'a> {
    facts: &'a RunFacts,
    deployment: &'a Deployment,
    custody: Custody,
}

impl<'a> Desk<'a> {
    pub(super) fn new(facts: &'a RunFacts, deployment: &'a Deployment, custody: Custody) -> Self {
        Self { facts, deployment, custody }
    }

    /// The run hears this: what is sensitive in it is known from now on.
    pub(super) fn hears(&mut self, told: &Happening) {
        if let Happening::CallSucceeded { call, output, .. } = told {
            self.custody.learn(&self.deployment.release.data, call, &output.content);
        }
    }

    /// A call, and why it may not go where that is so.
    pub(super) fn call(&mut self, request: &CallRequest) -> (Deed, Option<Failure>) {
        let mut request = request.clone();
        let mut sent = std::mem::take(&mut self.custody.sent);
        let (known, key) = (&self.custody.known, || self.custody.key(self.facts));
        let rules = &self.deployment.release.data;
        let moved = rules.let_out(&mut request, &self.facts.environment, known, &mut sent, key);
        self.custody.sent = sent;
        let refusal = moved.err().map(|failure| *failure);
        let (label, document) = of_target(&request.target);
        let deed = Deed {
            label,
            task: request.task.to_string(),
            place: place_of(&request.id),
            document: if refusal.is_some() { Value::Null } else { document },
            refused: refusal.as_ref().map(|failure| failure.code.clone()),
            harmless: request.effect == Effect::Idempotent,
            answered: true,
        };
        (deed, refusal)
    }

    /// A child. What goes to it stays within the platform.
    pub(super) fn child(request: &ChildRequest) -> Deed {
        Deed {
            label: format!("run {}.{}", request.workflow.namespace, request.workflow.name),
            task: request.task.to_string(),
            place: place_of(&request.id),
            document: json!({"input": request.input, "awaited": request.awaited}),
            refused: None,
            harmless: false,
            answered: true,
        }
    }

    /// An event, with what each publication of the release makes of it.
    pub(super) fn event(&self, id: &CallId, event: &Value) -> Deed {
        let kind = event["type"].as_str().unwrap_or_default();
        let release = &self.deployment.release;
        let wanted =
            release.publications.iter().filter(|(_, publication)| publication.kind == kind);
        let published: Map<String, Value> =
            wanted.map(|(name, _)| (name.to_string(), self.published(name, event))).collect();
        let mut shown = event.clone();
        if let Some(fields) = shown.as_object_mut() {
            // Made from the place in the workflow and from the clock.
            fields.remove("id");
            fields.remove("time");
        }
        Deed {
            label: format!("emit {kind}"),
            task: id.pointer.rsplit('/').next().unwrap_or_default().to_owned(),
            place: place_of(id),
            document: json!({"event": shown, "published": published}),
            refused: None,
            harmless: false,
            answered: false,
        }
    }

    fn published(&self, publication: &Name, event: &Value) -> Value {
        let mut data = event.get("data").cloned().unwrap_or_default();
        let (known, key) = (&self.custody.known, || self.custody.key(self.facts));
        let (rules, place) = (&self.deployment.release.data, &self.facts.environment);
        match rules.let_publish(publication, &mut data, place, known, key) {
            Ok(_) => json!({"data": data}),
            Err(failure) => json!({"refused": failure.code.to_string()}),
        }
    }

    /// The output as whoever sent the event gets it.
    pub(super) fn reply(&self, output: &Value) -> Value {
        let mut output = output.clone();
        let (rules, key) = (&self.deployment.release.data, || self.custody.key(self.facts));
        let place = &self.facts.environment;
        match rules.let_reply(&self.facts.trigger, &mut output, place, key) {
            Ok(()) => json!({"output": output}),
            Err(failure) => json!({"refused": failure.code.to_string()}),
        }
    }
}

/// What is called, in words without data, and with what.
fn of_target(target: &CallTarget) -> (String, Value) {
    match target {
        CallTarget::Connector { connector, operation, arguments, .. } => {
            (format!("{connector}.{operation}"), arguments.clone())
        }
        CallTarget::OpenApi { operation, arguments, .. } => {
            (format!("openapi {operation}"), arguments.clone())
        }
        CallTarget::Http { method, endpoint, headers, query, body, .. } => (
            format!("{method} {}", authority(endpoint)),
            json!({"endpoint": endpoint, "headers": headers, "query": query, "body": body}),
        ),
        CallTarget::Kept { deed, place, arguments } => {
            (format!("{}.{} {place}", deed.connector(), deed.operation()), arguments.clone())
        }
        CallTarget::Human { ask, arguments } => {
            (format!("human.{}", ask.as_str()), arguments.clone())
        }
    }
}

/// The host of an address: what follows may be data, and so may what stands before an `@`.
fn authority(endpoint: &str) -> &str {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    host.rsplit('@').next().unwrap_or_default()
}

/// The names on the way to a task, without the numbers of its neighbours, and which visit.
fn place_of(id: &CallId) -> String {
    format!("{}:{}", names_of(&id.pointer), id.visit)
}

/// The names on the way to a task, without the numbers of its neighbours.
pub(super) fn names_of(pointer: &str) -> String {
    let is_number = |step: &&str| step.bytes().all(|byte| byte.is_ascii_digit());
    pointer.split('/').filter(|step| !is_number(step)).collect::<Vec<_>>().join("/")
}
