//! Systems.

use qc_document::{Node, Reader};
use qc_model::Name;
use serde_json::Value;

use super::{BindingSpec, OnUnavailable};
use crate::shape::{Definitions, Fields, Record, Shape, Spanned, read_word, word_schema};

/// A system that the integration touches.
#[derive(Debug, Clone)]
pub struct System {
    /// The connector that reaches it; the system's own name when left out and such a connector exists.
    pub connector: Option<Spanned<Name>>,
    /// Hosts that are called without a connector (`call: http`): a host, or a whole `${vars.x}`.
    pub hosts: Vec<Spanned<String>>,
    /// Which way data flows.
    pub direction: Direction,
    /// How much depends on it.
    pub criticality: Criticality,
    /// Who owns it.
    pub owner: Spanned<Name>,
    /// What the integration may do with it, and see of it; everything when left out.
    pub binding: Option<Spanned<BindingSpec>>,
    /// In which region its data is, as `data_movement` names regions.
    pub region: Option<Spanned<Name>>,
    /// What happens while it cannot be reached.
    pub on_unavailable: Spanned<OnUnavailable>,
}

/// Which way data flows, seen from the integration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the system to us.
    Inbound,
    /// From us to the system.
    Outbound,
    /// Both ways.
    Both,
}

/// How much depends on a system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Criticality {
    /// Nobody waits for it.
    Low,
    /// Work is slower without it.
    Medium,
    /// Work stands still without it.
    High,
    /// The business stands still without it.
    Critical,
}

const DIRECTIONS: &[(&str, Direction)] = &[
    ("inbound", Direction::Inbound),
    ("outbound", Direction::Outbound),
    ("both", Direction::Both),
];
const CRITICALITIES: &[(&str, Criticality)] = &[
    ("low", Criticality::Low),
    ("medium", Criticality::Medium),
    ("high", Criticality::High),
    ("critical", Criticality::Critical),
];
impl Shape for Direction {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        read_word(DIRECTIONS, node, what, reader)
    }
    fn schema(_: &mut Definitions) -> Value {
        word_schema(DIRECTIONS)
    }
}

impl Shape for Criticality {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        read_word(CRITICALITIES, node, what, reader)
    }
    fn schema(_: &mut Definitions) -> Value {
        word_schema(CRITICALITIES)
    }
}

impl Record for System {
    const NAME: &'static str = "system";
    const DOC: &'static str = "A system that the integration touches.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let connector = f.optional(
            "connector",
            "The connector that reaches the system; its own name when left out.",
        );
        let hosts = f.several("hosts", "Hosts that are called without a connector.");
        let direction = f.required("direction", "Which way data flows, seen from the integration.");
        let criticality = f.required("criticality", "How much depends on the system.");
        let owner = f.required("owner", "Who owns the system: id of a person or team.");
        let region = f.optional(
            "region",
            "In which region its data is, as the rules of `data_movement` name it.",
        );
        let on_unavailable =
            f.required("on_unavailable", "What happens while it cannot be reached.");
        let binding = f.optional(
            "binding",
            "What the integration may do with the system, and see of it; everything when left out.",
        );
        Some(Self {
            connector,
            hosts,
            binding,
            direction: direction?,
            criticality: criticality?,
            owner: owner?,
            region,
            on_unavailable: on_unavailable?,
        })
    }
}
