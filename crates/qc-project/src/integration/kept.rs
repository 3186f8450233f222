//! What an integration keeps between runs.

use std::time::Duration;

use qc_document::{Node, Reader};
use qc_model::Name;
use serde_json::{Value, json};

use crate::shape::{Definitions, Fields, ProjectPath, Record, Shape, Spanned};

/// A state: values by key.
#[derive(Debug, Clone)]
pub struct StateSpec {
    /// The JSON Schema of its values.
    pub schema: Option<ProjectPath>,
    /// How long a value is there after it was written.
    pub ttl: Option<Duration>,
}

/// A cross-reference table.
#[derive(Debug, Clone)]
pub struct CrossrefSpec {
    /// The two systems whose ids it holds.
    pub between: Pair,
}

/// Two systems.
#[derive(Debug, Clone)]
pub struct Pair(pub [Spanned<Name>; 2]);

impl Record for StateSpec {
    const NAME: &'static str = "state";
    const DOC: &'static str = "Values by key that runs of the integration read and write.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let schema = f.optional("schema", "The JSON Schema of every value.");
        let ttl = f.optional(
            "ttl",
            "How long a value is there after it was written last; for ever when left out.",
        );
        Some(Self { schema, ttl })
    }
}

impl Record for CrossrefSpec {
    const NAME: &'static str = "crossref";
    const DOC: &'static str =
        "A cross-reference table: which id in one system is which in another, one to one.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let between = f.required("between", "The two systems whose ids the table holds.");
        Some(Self { between: between? })
    }
}

impl Shape for Pair {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        let names = Vec::<Spanned<Name>>::read(node, what, reader)?;
        let count = names.len();
        let pair = <[Spanned<Name>; 2]>::try_from(names).ok();
        if pair.is_none() {
            reader.invalid(node, format!("{what} must name two systems, but names {count}"));
        }
        pair.map(Self)
    }

    fn schema(definitions: &mut Definitions) -> Value {
        json!({
            "type": "array", "minItems": 2, "maxItems": 2, "items": Name::schema(definitions),
        })
    }
}
