//! What happens to what is too much for a limit.

use std::time::Duration;

use qc_document::{Node, Reader};
use serde_json::{Value, json};

use crate::shape::{
    Definitions, Fields, Integer, Rate, Record, Shape, Spanned, read_word, word_schema,
};

/// So many units are waited for when nothing else is said.
const WAITING: u64 = 1_000;
/// For so long.
const TTL: Duration = Duration::from_secs(600);

/// What happens to what is too much.
#[derive(Debug, Clone)]
pub enum Excess {
    /// It is refused.
    Reject,
    /// It is accepted, and begins when there is room for it.
    Queue {
        /// So many units wait at most.
        max: u64,
        /// For so long at most.
        ttl: Duration,
    },
    /// It is done in a lesser way.
    Degrade(Lesser),
}

/// How much is done in the lesser way.
#[derive(Debug, Clone)]
pub struct Lesser {
    /// How many events.
    pub rate: Option<Spanned<Rate>>,
    /// How many of them at once.
    pub burst: Option<Spanned<Integer<1, 1_000_000_000>>>,
    /// How many runs at a time, those beside them included.
    pub concurrency: Option<Integer<1, 100_000>>,
}

/// What is done, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Reject,
    Queue,
    Degrade,
}

const WORDS: &[(&str, Word)] =
    &[("reject", Word::Reject), ("queue", Word::Queue), ("degrade", Word::Degrade)];

impl Excess {
    /// As it is written.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Queue { .. } => "queue",
            Self::Degrade(_) => "degrade",
        }
    }
}

struct QueueSpec {
    max: Option<Integer<1, 1_000_000>>,
    ttl: Option<Duration>,
}

impl Record for QueueSpec {
    const NAME: &'static str = "excess_queue";
    const DOC: &'static str = "It is accepted, and begins when there is room for it.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let max = f.optional(
            "max",
            "How many units wait at most; what is beyond is refused. 1,000 when left out.",
        );
        let ttl = f.optional(
            "ttl",
            "How long an event waits at most; one that would wait longer is refused. 10 minutes when left out.",
        );
        Some(Self { max, ttl })
    }
}

impl Record for Lesser {
    const NAME: &'static str = "excess_degrade";
    const DOC: &'static str =
        "It is done in a lesser way: `$runtime.metadata.degraded` says so to the workflow.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let rate = f.optional(
            "rate",
            "How many events besides, of a limit with `rate`; what is beyond is refused.",
        );
        let burst =
            f.optional("burst", "How many of them at once; as many as `rate` says when left out.");
        let concurrency = f.optional(
            "concurrency",
            "How many runs at a time in all, of a limit with `concurrency`; what is beyond is refused.",
        );
        if f.has("rate") == f.has("concurrency") {
            f.report(
                qc_document::codes::INVALID_VALUE,
                f.span(),
                "`degrade` says how much is done in the lesser way: `rate` or `concurrency`, as its limit does",
                "write `{degrade: {rate: 200/s}}` for a limit with `rate`, `{degrade: {concurrency: 400}}` for one with `concurrency`",
            );
            return None;
        }
        Some(Self { rate, burst, concurrency })
    }
}

struct Choice {
    made: Option<Excess>,
}

impl Record for Choice {
    const NAME: &'static str = "on_excess";
    const DOC: &'static str = "What happens to what is too much; one of these.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let queue: Option<QueueSpec> =
            f.optional("queue", "It is accepted, and begins when there is room for it.");
        let degrade: Option<Lesser> = f.optional(
            "degrade",
            "It is done in a lesser way: `$runtime.metadata.degraded` says so to the workflow.",
        );
        if f.has("queue") == f.has("degrade") {
            f.report(
                qc_document::codes::INVALID_VALUE,
                f.span(),
                "`on_excess` is `reject`, or one of `queue` and `degrade`",
                "write one of them, such as `{queue: {max: 1000, ttl: 10m}}`",
            );
            return Some(Self { made: None });
        }
        let queue = queue.map(|it| Excess::Queue {
            max: it.max.map_or(WAITING, |max| max.0.unsigned_abs()),
            ttl: it.ttl.unwrap_or(TTL),
        });
        Some(Self { made: queue.or(degrade.map(Excess::Degrade)) })
    }
}

impl Shape for Excess {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        if node.as_mapping().is_some() {
            return Choice::read(node, what, reader)?.made;
        }
        match read_word(WORDS, node, what, reader)? {
            Word::Reject => Some(Self::Reject),
            Word::Queue => Some(Self::Queue { max: WAITING, ttl: TTL }),
            Word::Degrade => {
                reader.invalid(
                    node,
                    format!(
                        "{what}: `degrade` says how much of it: `{{degrade: {{rate: 200/s}}}}`"
                    ),
                );
                None
            }
        }
    }

    fn schema(definitions: &mut Definitions) -> Value {
        let choice = Choice::schema(definitions);
        let keys: Vec<Value> =
            ["queue", "degrade"].iter().map(|key| json!({ "required": [key] })).collect();
        json!({ "anyOf": [word_schema(&WORDS[..2]), { "allOf": [choice, { "oneOf": keys }] }] })
    }
}
