//! By what people find the runs of an integration.

use qc_document::{Node, Reader};
use serde_json::{Value, json};

use crate::shape::{Definitions, Jq, Shape, Spanned};

/// Something by which people find runs.
#[derive(Debug, Clone)]
pub struct SearchKeySpec {
    /// Its value, or several.
    pub value: Jq,
    /// The task whose call's answer it is over; the event when absent.
    pub task: Option<Spanned<String>>,
}

impl Shape for SearchKeySpec {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        if node.as_mapping().is_none() {
            return Some(Self { value: Jq::read(node, what, reader)?, task: None });
        }
        let mut object = reader.object(node, what)?;
        let task = object.required("task");
        let value = object.required("value");
        let task = task.and_then(|task| Spanned::read(task, "`task`", reader));
        let value = value.and_then(|value| Jq::read(value, "`value`", reader));
        object.finish();
        Some(Self { value: value?, task: Some(task?) })
    }

    fn schema(definitions: &mut Definitions) -> Value {
        let jq = Jq::schema(definitions);
        json!({ "anyOf": [
            jq,
            {
                "type": "object",
                "additionalProperties": false,
                "required": ["task", "value"],
                "properties": {
                    "task": {
                        "description": "The task, by name or pointer, whose call's answer the value is in.",
                        "type": "string",
                    },
                    "value": jq,
                },
            },
        ]})
    }
}
