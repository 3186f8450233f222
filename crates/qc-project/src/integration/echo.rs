//! Which changes of a system are the integration's own.

use std::time::Duration;

use qc_model::Name;

use crate::shape::{Fields, Jq, Named, Record};

/// The echoes of one system.
#[derive(Debug, Clone)]
pub struct EchoSpec {
    /// How long the system may take to tell of a change.
    pub window: Option<Duration>,
    /// What tasks write into it, by task name or pointer.
    pub tasks: Named<String, EchoOf>,
    /// What triggers hear from it, by name.
    pub triggers: Named<Name, EchoOf>,
}

/// How an object and its version are told.
#[derive(Debug, Clone)]
pub struct EchoOf {
    /// Which object.
    pub object: Jq,
    /// What of it.
    pub version: Jq,
}

impl Record for EchoSpec {
    const NAME: &'static str = "echo";
    const DOC: &'static str =
        "How a system that the integration writes into tells of those changes, which begin no run.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let window = f.optional(
            "window",
            "How long the system may take to tell of a change; 10 minutes when left out.",
        );
        let tasks = f.required("tasks", "What tasks write into it, by task name or pointer.");
        let triggers = f.required("triggers", "What triggers hear from it, by name.");
        Some(Self {
            window,
            tasks: tasks.unwrap_or_default(),
            triggers: triggers.unwrap_or_default(),
        })
    }
}

impl Record for EchoOf {
    const NAME: &'static str = "echo_of";
    const DOC: &'static str = "How an object and its version are told.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let object = f.required(
            "object",
            "Which object: over `{arguments, answer}` of the call, or over the event; null: none.",
        );
        let version = f.required(
            "version",
            "What was written of it, over the same: a value that is the same on both sides.",
        );
        Some(Self { object: object?, version: version? })
    }
}
