//! What happens while a system cannot be reached.

use std::time::Duration;

use qc_document::{Node, Reader};
use qc_model::Name;
use serde_json::{Value, json};

use super::Arguments;
use crate::shape::{
    Definitions, Fields, Integer, Record, Shape, Spanned, parse, read_word, word_schema,
};

/// So many runs wait for a system when nothing else is said.
const WAITING: u32 = 10_000;

/// What happens while a system cannot be reached.
#[derive(Debug, Clone)]
pub enum OnUnavailable {
    /// A word that does not say how: of projects that were written before that was needed.
    Bare(Answer),
    /// Work waits for it.
    Queue {
        /// For so long at most.
        ttl: Duration,
        /// So many runs at most.
        max: u32,
    },
    /// Another operation is called.
    Fallback(FallbackSpec),
    /// The task is left out.
    Degrade {
        /// What stands for its output.
        value: Option<Node>,
    },
    /// The run ends in failure.
    Fail {
        /// Who takes over; the system's owner when left out.
        escalate: Option<Spanned<Name>>,
    },
}

/// Another operation that is called.
#[derive(Debug, Clone)]
pub struct FallbackSpec {
    /// Which one.
    pub call: Spanned<OperationRef>,
    /// Its arguments; those of the call when left out.
    pub with: Option<Arguments>,
}

/// `<connector>.<operation>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationRef(pub String);

/// What is done, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Work waits.
    Queue,
    /// Another way is taken.
    Fallback,
    /// The step is left out.
    Degrade,
    /// The run ends in failure.
    Fail,
}

const ANSWERS: &[(&str, Answer)] = &[
    ("queue", Answer::Queue),
    ("fallback", Answer::Fallback),
    ("degrade", Answer::Degrade),
    ("fail", Answer::Fail),
];

impl Answer {
    /// The word.
    pub fn as_str(self) -> &'static str {
        ANSWERS.iter().find(|(_, answer)| *answer == self).map_or("fail", |(word, _)| word)
    }
}

impl OnUnavailable {
    /// In a word.
    pub fn answer(&self) -> Answer {
        match self {
            Self::Bare(answer) => *answer,
            Self::Queue { .. } => Answer::Queue,
            Self::Fallback(_) => Answer::Fallback,
            Self::Degrade { .. } => Answer::Degrade,
            Self::Fail { .. } => Answer::Fail,
        }
    }
}

impl Shape for Answer {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        read_word(ANSWERS, node, what, reader)
    }
    fn schema(_: &mut Definitions) -> Value {
        word_schema(ANSWERS)
    }
}

impl Shape for OperationRef {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        parse(node, what, reader, |text| match text.split_once('.') {
            Some((connector, operation)) if !connector.is_empty() && !operation.is_empty() => {
                Ok(Self(text.to_owned()))
            }
            _ => Err("not an operation; write `<connector>.<operation>`"),
        })
    }
    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "pattern": r"^[^.]+\..+$" })
    }
}

/// What stands for an output: anything.
struct Anything(Node);

impl Shape for Anything {
    fn read(node: &Node, _: &str, _: &Reader<'_>) -> Option<Self> {
        Some(Self(node.clone()))
    }
    fn schema(_: &mut Definitions) -> Value {
        json!({})
    }
}

struct QueueSpec {
    ttl: Duration,
    max: Option<Integer<1, 1_000_000>>,
}

impl Record for QueueSpec {
    const NAME: &'static str = "on_unavailable_queue";
    const DOC: &'static str = "Runs wait until the system answers again.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let ttl = f.required(
            "ttl",
            "How long a call waits at most; then its run ends as a dead letter of the class `expired`.",
        );
        let max = f.optional(
            "max",
            "How many runs wait for the system at most; further ones fail at once. 10,000 when left out.",
        );
        Some(Self { ttl: ttl?, max })
    }
}

impl Record for FallbackSpec {
    const NAME: &'static str = "on_unavailable_fallback";
    const DOC: &'static str = "Another operation is called, under an effect key of its own.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let call = f.required("call", "The operation: `<connector>.<operation>`.");
        let with = f.optional(
            "with",
            "Its arguments; expressions `${ … }` in them see `{input, arguments}` of the task. Those of the call when left out.",
        );
        Some(Self { call: call?, with })
    }
}

struct DegradeSpec {
    value: Option<Anything>,
}

impl Record for DegradeSpec {
    const NAME: &'static str = "on_unavailable_degrade";
    const DOC: &'static str = "The task is left out, and the run is marked as degraded.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let value = f.optional(
            "value",
            "What stands for the task's output; expressions `${ … }` in it see `{input, arguments}` of the task. `null` when left out.",
        );
        Some(Self { value })
    }
}

struct FailSpec {
    escalate: Option<Spanned<Name>>,
}

impl Record for FailSpec {
    const NAME: &'static str = "on_unavailable_fail";
    const DOC: &'static str = "The run ends as a dead letter.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let escalate = f.optional(
            "escalate",
            "Who takes over: id of a person or team. The system's owner when left out.",
        );
        Some(Self { escalate })
    }
}

struct Choice {
    made: Option<OnUnavailable>,
}

impl Record for Choice {
    const NAME: &'static str = "on_unavailable";
    const DOC: &'static str = "What happens while a system cannot be reached; one of these.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let queue: Option<QueueSpec> = f.optional("queue", "Runs wait for it, for a time.");
        let fallback: Option<FallbackSpec> = f.optional("fallback", "Another operation is called.");
        let degrade: Option<DegradeSpec> = f.optional("degrade", "The task is left out.");
        let fail: Option<FailSpec> = f.optional("fail", "The run ends as a dead letter.");
        let named = ANSWERS.iter().filter(|(key, _)| f.has(key)).count();
        if named != 1 {
            f.report(
                qc_document::codes::INVALID_VALUE,
                f.span(),
                "`on_unavailable` is one of `queue`, `fallback`, `degrade` and `fail`",
                "write one of them, such as `{queue: {ttl: 24h}}`",
            );
            return Some(Self { made: None });
        }
        let queue = queue.map(|it| OnUnavailable::Queue {
            ttl: it.ttl,
            max: it.max.and_then(|max| u32::try_from(max.0).ok()).unwrap_or(WAITING),
        });
        let fallback = fallback.map(OnUnavailable::Fallback);
        let degrade =
            degrade.map(|it| OnUnavailable::Degrade { value: it.value.map(|value| value.0) });
        let fail = fail.map(|it| OnUnavailable::Fail { escalate: it.escalate });
        Some(Self { made: queue.or(fallback).or(degrade).or(fail) })
    }
}

impl Shape for OnUnavailable {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        if node.as_mapping().is_some() {
            return Choice::read(node, what, reader)?.made;
        }
        Some(match Answer::read(node, what, reader)? {
            Answer::Fail => Self::Fail { escalate: None },
            word => Self::Bare(word),
        })
    }

    fn schema(definitions: &mut Definitions) -> Value {
        let choice = Choice::schema(definitions);
        let keys: Vec<Value> =
            ANSWERS.iter().map(|(key, _)| json!({ "required": [key] })).collect();
        json!({ "anyOf": [word_schema(ANSWERS), { "allOf": [choice, { "oneOf": keys }] }] })
    }
}
