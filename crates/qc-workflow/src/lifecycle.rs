//! The standard's lifecycle events: what is told of runs and tasks as CloudEvents. Source: DSL
//! 1.0.3, "Lifecycle Events". Pure: whoever publishes them says of which run and when.

use std::fmt::Display;

use qc_model::Timestamp;
use serde_json::{Map, Value, json};

use crate::{NoteKind, Outcome, Program, TaskNote};

/// A run, as its lifecycle events name it.
#[derive(Debug, Clone, Copy)]
pub struct Lifecycle<'r> {
    /// What the run executes.
    pub program: &'r Program,
    /// The run's id.
    pub run: &'r str,
}

/// Something in the life of a run.
#[derive(Debug, Clone, Copy)]
pub enum LifecycleFact<'f> {
    /// It started.
    Started,
    /// Something happened to a task.
    Task(&'f TaskNote),
    /// It waits for a person, or for something outside to be mended.
    Suspended,
    /// It goes on: after that, or after it had failed.
    Resumed,
    /// It is over.
    Ended(&'f Outcome),
}

const WORKFLOW: &str = "io.serverlessworkflow.workflow";
const TASK: &str = "io.serverlessworkflow.task";

impl Lifecycle<'_> {
    /// The events that a fact is told by, in order; none for what the standard has no event for.
    /// The same fact at the same moment gives the same events, ids included.
    pub fn events(&self, fact: LifecycleFact<'_>, at: Timestamp) -> Vec<Value> {
        match fact {
            LifecycleFact::Started => {
                let definition = json!({
                    "name": self.program.name(),
                    "namespace": self.program.namespace(),
                    "version": self.program.version(),
                });
                vec![self.workflow("started", "startedAt", at, &[("definition", definition)])]
            }
            LifecycleFact::Suspended => vec![self.workflow("suspended", "suspendedAt", at, &[])],
            LifecycleFact::Resumed => vec![self.workflow("resumed", "resumedAt", at, &[])],
            LifecycleFact::Task(note) => self.task_events(note, at),
            LifecycleFact::Ended(outcome) => vec![match outcome {
                Outcome::Completed { .. } => self.workflow("completed", "completedAt", at, &[]),
                Outcome::Cancelled { .. } => self.workflow("cancelled", "cancelledAt", at, &[]),
                Outcome::Faulted { error, .. } => {
                    self.workflow("faulted", "faultedAt", at, &[("error", error.clone())])
                }
            }],
        }
    }

    fn task_events(&self, note: &TaskNote, at: Timestamp) -> Vec<Value> {
        let listens =
            self.program.tasks().any(|fact| fact.kind == "listen" && fact.pointer == note.pointer);
        let mut events = match note.kind {
            NoteKind::Started => vec![
                self.task(note, "created", "createdAt", at, &[]),
                self.task(note, "started", "startedAt", at, &[]),
            ],
            NoteKind::Completed => vec![self.task(note, "completed", "completedAt", at, &[])],
            NoteKind::Cancelled => vec![self.task(note, "cancelled", "cancelledAt", at, &[])],
            NoteKind::Retrying { .. } => vec![self.task(note, "retried", "retriedAt", at, &[])],
            NoteKind::Faulted => {
                let error = note.error.clone().unwrap_or_default();
                vec![self.task(note, "faulted", "faultedAt", at, &[("error", error)])]
            }
            // It never was, or goes on in another way: the standard has no word for it.
            NoteKind::Skipped
            | NoteKind::PutOff { .. }
            | NoteKind::Held { .. }
            | NoteKind::Diverted
            | NoteKind::LeftOut => Vec::new(),
        };
        // The run as a whole waits for events while a task of it listens.
        if listens && note.kind == NoteKind::Started {
            events.push(self.workflow("correlation-started", "startedAt", at, &[]));
        } else if listens && note.kind == NoteKind::Completed {
            events.push(self.workflow("correlation-completed", "completedAt", at, &[]));
        }
        events
    }

    /// `orders-01jd….acme`: the workflow's name, the run, the namespace.
    fn qualified_name(&self) -> String {
        format!("{}-{}.{}", self.program.name(), self.run, self.program.namespace())
    }

    fn workflow(&self, word: &str, moment: &str, at: Timestamp, more: &[(&str, Value)]) -> Value {
        let mut data = Map::new();
        data.insert("name".to_owned(), json!(self.qualified_name()));
        data.insert(moment.to_owned(), json!(at));
        data.extend(more.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        self.event(&format!("{WORKFLOW}.{word}.v1"), word, at, data)
    }

    fn task(
        &self,
        note: &TaskNote,
        word: &str,
        moment: &str,
        at: Timestamp,
        more: &[(&str, Value)],
    ) -> Value {
        let mut data = Map::new();
        data.insert("workflow".to_owned(), json!(self.qualified_name()));
        data.insert("task".to_owned(), json!(*note.pointer));
        data.insert(moment.to_owned(), json!(at));
        data.extend(more.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        let attempt = match note.kind {
            NoteKind::Retrying { attempt, .. } => format!(":{attempt}"),
            _ => String::new(),
        };
        let what = format!("{}:{}:{word}{attempt}", note.pointer, note.visit);
        self.event(&format!("{TASK}.{word}.v1"), what, at, data)
    }

    fn event(
        &self,
        kind: &str,
        what: impl Display,
        at: Timestamp,
        data: Map<String, Value>,
    ) -> Value {
        json!({
            "specversion": "1.0",
            "id": format!("{}:{what}:{}", self.run, at.as_millis()),
            "source": format!("/{}/{}", self.program.namespace(), self.program.name()),
            "subject": self.run,
            "type": kind,
            "time": at,
            "datacontenttype": "application/json",
            "data": data,
        })
    }
}
