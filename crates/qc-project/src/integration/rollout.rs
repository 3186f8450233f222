//! The rollout plan.

use std::time::Duration;

use qc_document::{Node, Reader};
use qc_model::Name;
use serde_json::Value;

use crate::shape::{Definitions, Fields, Integer, Record, Shape, Spanned, read_word, word_schema};

/// How a new version goes live.
#[derive(Debug, Clone)]
pub struct Rollout {
    /// The stages, one after the other.
    pub stages: Vec<Stage>,
    /// What happens when a guard fails.
    pub fallback: Fallback,
    /// Who may take it back: id of a person or team.
    pub rollback_authority: Spanned<Name>,
}

/// One stage.
#[derive(Debug, Clone)]
pub struct Stage {
    /// Its name.
    pub name: Spanned<Name>,
    /// The share of the traffic, in percent.
    pub percent: Spanned<Integer<0, 100>>,
    /// How long it lasts at least.
    pub lasts: Duration,
    /// What must hold to go on: jq over the stage's figures.
    pub guards: Vec<String>,
}

/// What happens when a guard fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// Back to the version before.
    PreviousRelease,
    /// Stay where it is.
    Hold,
}

const FALLBACKS: &[(&str, Fallback)] =
    &[("previous_release", Fallback::PreviousRelease), ("hold", Fallback::Hold)];

impl Shape for Fallback {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        read_word(FALLBACKS, node, what, reader)
    }
    fn schema(_: &mut Definitions) -> Value {
        word_schema(FALLBACKS)
    }
}

impl Record for Rollout {
    const NAME: &'static str = "rollout";
    const DOC: &'static str = "How a new version goes live.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let stages = f.required("stages", "The stages, one after the other.");
        let fallback = f.required("fallback", "What happens when a guard fails.");
        let rollback_authority =
            f.required("rollback_authority", "Who may take it back: id of a person or team.");
        Some(Self { stages: stages?, fallback: fallback?, rollback_authority: rollback_authority? })
    }
}

impl Record for Stage {
    const NAME: &'static str = "stage";
    const DOC: &'static str = "One stage of a rollout.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let name = f.required("name", "The stage's name.");
        let percent = f.required("percent", "The share of the traffic, in percent.");
        let lasts = f.required("lasts", "How long it lasts at least.");
        let guards = f.several("guards", "What must hold to go on.");
        Some(Self { name: name?, percent: percent?, lasts: lasts?, guards })
    }
}
