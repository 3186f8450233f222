//! How the world is at the beginning, and what goes wrong in it.

use qc_document::{Node, Reader, Span};
use qc_model::{Name, Timestamp};
use qc_simulator::Fault;
use serde_json::{Value, json};

use crate::shape::{Definitions, Fields, Named, Record, Shape, Spanned};

/// How the world is at the beginning.
#[derive(Debug, Clone)]
pub struct Given {
    /// What time it is.
    pub at: Option<Timestamp>,
    /// Values of variables that differ from the environment's.
    pub vars: Named<String, Spanned<Value>>,
    /// What the systems hold: collection path to resources, by system.
    pub state: Named<Name, Named<String, Vec<Value>>>,
}

/// A fault at a system.
#[derive(Debug, Clone)]
pub struct SystemFault {
    /// At which.
    pub system: Spanned<Name>,
    /// What.
    pub fault: Fault,
    /// Where it is written.
    pub span: Span,
}

impl Record for Given {
    const NAME: &'static str = "given";
    const DOC: &'static str = "How the world is at the beginning.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let at = f.optional("at", "What time it is.");
        let vars = f.several("vars", "Values of variables that differ from the environment's.");
        let state = f.several(
            "state",
            "What the systems hold: resources by collection path (`/customers`), by system.",
        );
        Some(Self { at, vars, state })
    }
}

impl Shape for SystemFault {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        let mut object = reader.object(node, what)?;
        let system =
            object.required("system").and_then(|node| Spanned::read(node, "`system`", reader));
        // The fault's own keys are the simulator's.
        let fault = Fault::read(&mut object);
        object.finish();
        Some(Self { system: system?, fault: fault?, span: node.span })
    }

    fn schema(definitions: &mut Definitions) -> Value {
        json!({
            "type": "object",
            "required": ["system", "then"],
            "additionalProperties": false,
            "properties": {
                "system": Name::schema(definitions),
                "when": { "type": "object", "description": "Which requests it strikes; all when left out." },
                "then": { "type": ["string", "object"], "description": "What goes wrong." },
                "times": { "description": "How often at most; once when left out, or `always`." },
            },
        })
    }
}
