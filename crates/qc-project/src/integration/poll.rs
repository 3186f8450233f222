//! Polls: systems that send nothing by themselves are asked again and again.

use std::time::Duration;

use qc_model::Name;
use serde_json::Value;

use crate::shape::{Fields, Jq, Record, Spanned};

/// Another system that is asked for what is new.
#[derive(Debug, Clone)]
pub struct PollSpec {
    /// The connector that reaches it.
    pub connector: Spanned<Name>,
    /// The operation that lists what is new.
    pub operation: Spanned<String>,
    /// The operation's arguments, over `{cursor, vars}`.
    pub arguments: Option<Jq>,
    /// How often it is asked.
    pub every: Spanned<Duration>,
    /// The list of items, over the answer.
    pub items: Jq,
    /// The next cursor, over `{cursor, answer, items}`.
    pub cursor: Jq,
    /// The first cursor.
    pub start: Value,
}

impl Record for PollSpec {
    const NAME: &'static str = "poll";
    const DOC: &'static str = "Another system that is asked for what is new, again and again.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let connector = f.required("connector", "The connector that reaches the system.");
        let operation =
            f.required("operation", "The operation that lists what is new; it changes nothing.");
        let arguments = f.optional(
            "arguments",
            "The operation's arguments: jq over `{cursor, vars}`; none when left out.",
        );
        let every = f.required("every", "How often it is asked.");
        let items = f.required("items", "The list of items: jq over the answer.");
        let cursor = f.required("cursor", "The next cursor: jq over `{cursor, answer, items}`.");
        let start = f.required("start", "The first cursor.");
        Some(Self {
            connector: connector?,
            operation: operation?,
            arguments,
            every: every?,
            items: items?,
            cursor: cursor?,
            start: start?,
        })
    }
}
