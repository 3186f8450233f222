//! Which events a release publishes and which it takes, as far as its files say it: what the catalogue of events lists.

use qc_workflow::Program;
use serde_json::Value;

use crate::{Does, Release, Takes, TriggerKind};

/// What a release does with the events of a type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Topic {
    /// The type; None when it is known only when the event is there.
    pub event_type: Option<String>,
    /// What is done.
    pub role: Role,
    /// By which trigger or task.
    pub place: String,
}

/// What a release does with events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It publishes them: a task emits them, or a trigger takes them in.
    Publishes,
    /// They begin its runs.
    Subscribes,
    /// Its runs wait for them.
    Listens,
}

impl Role {
    /// As shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Publishes => "publishes",
            Self::Subscribes => "subscribes",
            Self::Listens => "listens",
        }
    }
}

/// Everything that a release does with events, in the order of types.
pub fn topics(release: &Release) -> Vec<Topic> {
    let mut found = Vec::new();
    for (name, trigger) in &release.triggers {
        if trigger.does == Does::Start {
            continue;
        }
        let types = match &trigger.kind {
            TriggerKind::CloudEvents { types, .. } if types.is_empty() => vec![None],
            TriggerKind::CloudEvents { types, .. } => types.iter().cloned().map(Some).collect(),
            TriggerKind::Json { event_type } => vec![Some(event_type.clone())],
            TriggerKind::Webhook { .. } | TriggerKind::Amqp(_) | TriggerKind::Poll(_) => {
                vec![None]
            }
        };
        let place = format!("trigger {name}");
        found.extend(types.into_iter().map(|kind| topic(kind, Role::Publishes, &place)));
    }
    for (name, subscription) in &release.bus.subscriptions {
        let types = match &subscription.takes {
            Takes::Types { types, .. } => types.iter().cloned().map(Some).collect(),
            Takes::Workflow => match release.program.schedule() {
                Some(qc_workflow::Schedule::On(start)) => {
                    start.filters().into_iter().map(|filter| filter.event_type).collect()
                }
                _ => Vec::new(),
            },
        };
        let place = format!("trigger {name}");
        found.extend(types.into_iter().map(|kind| topic(kind, Role::Subscribes, &place)));
    }
    found.extend(of_tasks(&release.program));
    if release.bus.lifecycle {
        let place = "lifecycle_events";
        for kind in ["io.serverlessworkflow.workflow.*", "io.serverlessworkflow.task.*"] {
            found.push(topic(Some(kind.to_owned()), Role::Publishes, place));
        }
    }
    found.sort();
    found.dedup();
    found
}

fn of_tasks(program: &Program) -> Vec<Topic> {
    let mut found = Vec::new();
    for task in program.tasks() {
        let place = format!("task {}", task.name);
        let Some(written) = program.definition().pointer(&task.pointer) else { continue };
        match task.kind {
            "emit" => {
                let kind = plain(written.pointer("/emit/event/with/type"));
                found.push(topic(kind, Role::Publishes, &place));
            }
            "listen" => {
                let to = &written["listen"]["to"];
                let one = to.get("one").into_iter();
                let many = ["any", "all"].iter().filter_map(|word| to[*word].as_array()).flatten();
                let kinds = one.chain(many).map(|filter| plain(filter.pointer("/with/type")));
                found.extend(kinds.map(|kind| topic(kind, Role::Listens, &place)));
            }
            _ => {}
        }
    }
    found
}

/// A type that is written, and not computed.
fn plain(written: Option<&Value>) -> Option<String> {
    let text = written?.as_str()?;
    (!text.contains("${")).then(|| text.to_owned())
}

fn topic(event_type: Option<String>, role: Role, place: &str) -> Topic {
    Topic { event_type, role, place: place.to_owned() }
}
