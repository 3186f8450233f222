//! What undoes tasks when a run fails.

use qc_document::{Node, Reader};
use serde_json::{Value, json};

use crate::shape::{Definitions, Fields, Record, Shape, Spanned};

/// What undoes one task.
#[derive(Debug, Clone)]
pub struct CompensationSpec {
    /// A function of the workflow's `use.functions`, or `<connector>.<operation>`.
    pub call: Spanned<String>,
    /// Its arguments, with expressions over `{input, output}` of the task.
    pub with: Option<Arguments>,
}

/// The arguments of a call, as the workflow would write them.
#[derive(Debug, Clone)]
pub struct Arguments(pub Node);

impl Record for CompensationSpec {
    const NAME: &'static str = "compensation";
    const DOC: &'static str = "What undoes one task.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let call = f.required(
            "do",
            "What undoes it: a function of the workflow's `use.functions`, or `<connector>.<operation>`.",
        );
        let with = f.optional(
            "with",
            "The arguments; expressions `${ … }` in them see `{input, output}` of the task.",
        );
        Some(Self { call: call?, with })
    }
}

impl Shape for Arguments {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        reader.entries(node, what)?;
        Some(Self(node.clone()))
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "object" })
    }
}
