//! What happens.

use std::time::Duration;

use qc_model::{Name, TenantName};
use serde_json::Value;

use super::{SystemFault, TaskDeed};
use crate::shape::{Fields, Integer, ProjectPath, Record, Spanned};

/// One thing that happens.
#[derive(Debug, Clone)]
pub enum Step {
    /// An event is sent.
    Send(Box<Sending>),
    /// An event is published on the bus, as another integration would.
    Publish(Box<Publishing>),
    /// Time passes.
    Wait(Duration),
    /// The platform ends without warning and starts again.
    Restart,
    /// Something more goes wrong.
    Fault(Box<SystemFault>),
    /// A system is well again.
    Mend(Spanned<Name>),
    /// A person does something with a task.
    Task(Box<TaskDeed>),
}

/// An event that is sent.
#[derive(Debug, Clone)]
pub struct Sending {
    /// To which trigger.
    pub trigger: Spanned<Name>,
    /// The event's data or body, from a file of the integration.
    pub file: Option<ProjectPath>,
    /// The event's data or body, written here.
    pub data: Option<Spanned<Value>>,
    /// The event's type, for `cloudevents`; the trigger's first type when left out.
    pub event_type: Option<String>,
    /// The event's id, for `cloudevents`; a new one for each sending when left out.
    pub id: Option<String>,
    /// The version of the contract that its sender speaks.
    pub version: Option<Spanned<String>>,
    /// How often it is sent.
    pub times: Integer<1, 1000>,
    /// Whether it must be refused at the door.
    pub refused: bool,
    /// Whether it comes when a limit that degrades is used up.
    pub degraded: bool,
}

/// An event that is published on the bus.
#[derive(Debug, Clone)]
pub struct Publishing {
    /// Its type.
    pub event_type: Spanned<String>,
    /// Its data.
    pub data: Option<Spanned<Value>>,
    /// Its id; a new one when left out.
    pub id: Option<String>,
    /// Its source; the scenario when left out.
    pub source: Option<String>,
    /// On whose bus; the one of the integration's triggers when left out.
    pub tenant: Option<TenantName>,
    /// How often it is published, the same each time.
    pub times: Integer<1, 1000>,
}

impl Record for Publishing {
    const NAME: &'static str = "publishing";
    const DOC: &'static str = "An event that is published on the bus.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let event_type = f.required("type", "The event's type.");
        let data = f.optional("data", "The event's data.");
        let id = f.optional("id", "The event's id; a new one when left out.");
        let source = f.optional("source", "The event's source; the scenario when left out.");
        let tenant = f.optional(
            "tenant",
            "On whose bus; the one of the integration's triggers when left out.",
        );
        let times = f.optional("times", "How often it is published, the same each time.");
        Some(Self {
            event_type: event_type?,
            data,
            id,
            source,
            tenant,
            times: times.unwrap_or(Integer(1)),
        })
    }
}

impl Record for Step {
    const NAME: &'static str = "step_of_when";
    const DOC: &'static str = "One thing that happens: exactly one of these.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let send = f.optional::<Sending>("event", "An event is sent.");
        let publish = f.optional::<Publishing>(
            "publish",
            "An event is published on the bus by somebody else.",
        );
        let wait = f.optional("wait", "So much time passes.");
        let restart =
            f.optional::<bool>("restart", "The platform ends without warning and starts again.");
        let fault = f.optional::<SystemFault>("fault", "Something more goes wrong.");
        let mend = f.optional("mend", "This system is well again: its faults end.");
        let task = f.optional::<TaskDeed>("task", "A person does something with a task.");
        let keys = ["event", "publish", "wait", "restart", "fault", "mend", "task"];
        if keys.iter().filter(|key| f.has(key)).count() != 1 {
            let message = "a step of `when` is exactly one of `event`, `publish`, `wait`, `restart`, `fault`, `mend`, `task`";
            f.report(
                qc_document::codes::CONFLICTING_KEYS,
                f.span(),
                message,
                "write one list entry for each thing",
            );
            return None;
        }
        send.map(|send| Self::Send(Box::new(send)))
            .or_else(|| publish.map(|publish| Self::Publish(Box::new(publish))))
            .or_else(|| wait.map(Self::Wait))
            .or_else(|| restart.map(|_| Self::Restart))
            .or_else(|| fault.map(|fault| Self::Fault(Box::new(fault))))
            .or_else(|| mend.map(Self::Mend))
            .or_else(|| task.map(|task| Self::Task(Box::new(task))))
    }
}

impl Record for Sending {
    const NAME: &'static str = "sending";
    const DOC: &'static str = "An event that is sent.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let trigger = f.required("trigger", "To which trigger.");
        let file = f.optional("file", "The event's data, a JSON file of the integration's folder.");
        let data = f.optional("data", "The event's data, written here.");
        let event_type =
            f.optional("type", "The event's type; the trigger's first one when left out.");
        let id = f.optional("id", "The event's id; a new one when left out.");
        let version = f.optional(
            "version",
            "The version of the contract that its sender says it speaks; it says none when left out.",
        );
        let refused = f
            .optional("refused", "Whether the door must refuse it; false when left out.")
            .unwrap_or(false);
        let degraded = f
            .optional(
                "degraded",
                "Whether it comes when a limit that degrades is used up: its run does its work in the lesser way. False when left out.",
            )
            .unwrap_or(false);
        let times = f.optional("times", "How often it is sent, the same each time.");
        if f.has("file") == f.has("data") {
            let message = "an event needs either `file` or `data`";
            f.report(
                qc_document::codes::MISSING_KEY,
                f.span(),
                message,
                "name a file such as `contracts/examples/valid/a.json`",
            );
        }
        Some(Self {
            trigger: trigger?,
            file,
            data,
            event_type,
            id,
            version,
            times: times.unwrap_or(Integer(1)),
            refused,
            degraded,
        })
    }
}
