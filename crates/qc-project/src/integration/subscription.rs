//! Triggers that an event of the bus pulls.

use qc_document::{Node, Reader};
use serde_json::Value;

use crate::shape::{Definitions, Fields, Jq, Rate, Shape, Spanned, read_word, word_schema};

/// Which events of the bus begin a run.
#[derive(Debug, Clone)]
pub struct EventSpec {
    /// Their types.
    pub types: Vec<Spanned<String>>,
    /// What else must hold, over the event.
    pub filter: Option<Jq>,
    /// Where a new subscription begins.
    pub from: Beginning,
    /// How many runs begin at most.
    pub max_rate: Option<Rate>,
}

/// Where a new subscription begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Beginning {
    /// With the next event.
    #[default]
    Now,
    /// With the oldest event that is kept.
    Oldest,
}

/// The keys that only an event of the bus has.
pub(super) const EVENT_KEYS: [&str; 3] = ["filter", "from", "max_rate"];

const FROM: &[(&str, Beginning)] = &[("now", Beginning::Now), ("beginning", Beginning::Oldest)];

impl EventSpec {
    /// Reads its keys but `types`, which others have, too; they are asked for whatever the trigger's kind is.
    pub(super) fn of_fields(f: &mut Fields<'_, '_>) -> Self {
        let filter = f.optional(
            "filter",
            "For `event`: what must hold, too; jq over the event that gives true.",
        );
        let from = f.optional(
            "from",
            "For `event`: where a new subscription begins, `now` or at the `beginning` of what is kept; `now` when left out.",
        );
        let max_rate = f.optional("max_rate", "For `event`: how many runs begin at most.");
        Self { types: Vec::new(), filter, from: from.unwrap_or_default(), max_rate }
    }
}

impl Shape for Beginning {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        read_word(FROM, node, what, reader)
    }
    fn schema(_: &mut Definitions) -> Value {
        word_schema(FROM)
    }
}
