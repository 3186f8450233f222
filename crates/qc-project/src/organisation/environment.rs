//! Environments.

use qc_document::{Node, Reader};
use qc_model::Name;
use serde_json::Value;

use crate::shape::{Definitions, Fields, Named, Record, Shape, Spanned, read_word, word_schema};

/// An environment: own keys, own connections, own values of the variables.
#[derive(Debug, Clone)]
pub struct Environment {
    /// What it is for.
    pub description: Option<String>,
    /// The values of the declared variables.
    pub vars: Named<String, Spanned<Value>>,
    /// What the gate does there.
    pub gate: GateMode,
    /// Whether canary calls are made there.
    pub canaries: bool,
    /// Whose events it takes.
    pub tenants: Option<Tenants>,
}

/// What the gate does with a release that breaks what others rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GateMode {
    /// It holds it.
    #[default]
    Hold,
    /// It says so, and lets it pass.
    Tell,
}

impl GateMode {
    const WORDS: &'static [(&'static str, Self)] = &[("hold", Self::Hold), ("tell", Self::Tell)];
}

impl Shape for GateMode {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        read_word(Self::WORDS, node, what, reader)
    }
    fn schema(_: &mut Definitions) -> Value {
        word_schema(Self::WORDS)
    }
}

/// The tenants of an environment.
#[derive(Debug, Clone)]
pub struct Tenants {
    /// The only tenants whose events it takes.
    pub only: Vec<Spanned<Name>>,
}

impl Record for Environment {
    const NAME: &'static str = "environment";
    const DOC: &'static str =
        "An environment: own keys, own connections, own values of the variables.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let description = f.optional("description", "What the environment is for.");
        let vars = f.several("vars", "Values of the declared variables.");
        let tenants = f
            .optional("tenants", "Whose events the environment takes; any tenant's when left out.");
        let gate = f.optional(
            "gate",
            "What becomes of a release that breaks what others rely on: `hold` (when left out), or `tell`.",
        );
        let canaries = f.optional(
            "canaries",
            "Whether the canary calls that connectors declare are made there; `true` when left out.",
        );
        let (gate, canaries) = (gate.unwrap_or_default(), canaries.unwrap_or(true));
        Some(Self { description, vars, gate, canaries, tenants })
    }
}

impl Record for Tenants {
    const NAME: &'static str = "tenants";
    const DOC: &'static str = "The tenants of an environment.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let only = f.required("only", "The only tenants whose events it takes.");
        Some(Self { only: only? })
    }
}
