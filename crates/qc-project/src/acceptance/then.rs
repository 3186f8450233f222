//! What must be true afterwards.

use std::time::Duration;

use qc_document::{Node, Reader};
use qc_model::Name;
use qc_store::RunStatus;
use serde_json::Value;

use super::TaskWanted;
use crate::shape::{
    Definitions, Fields, Integer, Jq, Named, Record, Shape, Spanned, read_word, word_schema,
};

/// What must be true afterwards.
#[derive(Debug, Clone)]
pub struct Then {
    /// How many runs there are; as many as different events were sent when left out.
    pub runs: Option<Spanned<Integer<0, 1_000_000>>>,
    /// How every run stands.
    pub ends: Spanned<End>,
    /// What holds for the output of every completed run.
    pub output: Vec<Jq>,
    /// What holds for the systems.
    pub systems: Named<Name, SystemWanted>,
    /// The codes of the open dead letters, in any order; none when left out.
    pub dead_letters: Vec<Spanned<String>>,
    /// All tasks of people, in any order; not judged when left out.
    pub tasks: Option<Vec<TaskWanted>>,
    /// How many runs of other integrations completed that it runs as children, by integration.
    pub children: Named<Name, Spanned<Integer<0, 1_000_000>>>,
    /// How many events of each type are on the bus. Types that are not named are not judged.
    pub published: Named<String, Spanned<Integer<0, 1_000_000>>>,
    /// The longest time, in virtual time, from the first event to the last end.
    pub elapsed_at_most: Option<Spanned<Duration>>,
    /// The shortest.
    pub elapsed_at_least: Option<Spanned<Duration>>,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End(pub RunStatus);

/// What holds for a system.
#[derive(Debug, Clone)]
pub struct SystemWanted {
    /// Over everything that it holds: an object of collections by path.
    pub state: Vec<Jq>,
    /// How many requests each operation received. Operations that are not named are not judged.
    pub requests: Named<String, Spanned<Integer<0, 1_000_000>>>,
    /// How many requests took effect, by operation. An operation that is not named must have had no effect.
    pub effects: Option<Named<String, Spanned<Integer<0, 1_000_000>>>>,
}

const ENDS: &[(&str, End)] = &[
    ("completed", End(RunStatus::Completed)),
    ("faulted", End(RunStatus::Faulted)),
    ("cancelled", End(RunStatus::Cancelled)),
    ("parked", End(RunStatus::Parked)),
    ("waiting", End(RunStatus::Waiting)),
];

impl Shape for End {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        read_word(ENDS, node, what, reader)
    }
    fn schema(_: &mut Definitions) -> Value {
        word_schema(ENDS)
    }
}

impl Record for Then {
    const NAME: &'static str = "then";
    const DOC: &'static str = "What must be true afterwards.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let runs = f.optional(
            "runs",
            "How many runs there are; as many as different events were sent when left out.",
        );
        let ends = f.required("ends", "How every run stands.");
        let output = f.several(
            "output",
            "What holds for the output of every completed run: jq that gives true.",
        );
        let systems = f.several("systems", "What holds for the systems.");
        let dead_letters = f.several(
            "dead_letters",
            "The codes of the open dead letters, in any order; none when left out.",
        );
        let tasks = f.optional(
            "tasks",
            "All tasks of people, in any order; they are not looked at when this is left out.",
        );
        let children = f.several(
            "children",
            "How many runs completed of the integrations whose workflows it runs, by integration.",
        );
        let published = f.several("published", "How many events of each type are on the bus.");
        let elapsed_at_most =
            f.optional("elapsed_at_most", "The longest time from the first event to the last end.");
        let elapsed_at_least = f.optional(
            "elapsed_at_least",
            "The shortest time from the first event to the last end.",
        );
        Some(Self {
            runs,
            ends: ends?,
            output,
            systems,
            dead_letters,
            tasks,
            children,
            published,
            elapsed_at_most,
            elapsed_at_least,
        })
    }
}

impl Record for SystemWanted {
    const NAME: &'static str = "system_wanted";
    const DOC: &'static str = "What holds for a system.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let state = f.several(
            "state",
            "jq that gives true over everything it holds: `.[\"/issues\"] | length == 1`.",
        );
        let requests = f.several("requests", "How many requests each operation received.");
        let effects = f.optional(
            "effects",
            "How many requests took effect, by operation; the others must have had none.",
        );
        Some(Self { state, requests, effects })
    }
}
