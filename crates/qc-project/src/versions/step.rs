//! The steps between two versions.

use qc_document::{Node, Reader, Span};
use qc_version::Path;
use serde_json::{Value, json};

use crate::shape::{Definitions, Fields, Jq, Named, Record, Shape, parse};

/// One step between two versions.
#[derive(Debug, Clone)]
pub struct StepSpec {
    /// What it does.
    pub change: Change,
    /// Where it stands.
    pub span: Span,
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum Change {
    /// A field has another name or place.
    Rename(RenameSpec),
    /// A field appears.
    Default(FillSpec),
    /// A field leaves.
    Drop(FillSpec),
    /// Words become others.
    Map(MapSpec),
    /// Whatever the others cannot say.
    Jq(JqSpec),
}

/// From where to where.
#[derive(Debug, Clone)]
pub struct RenameSpec {
    /// In the older version.
    pub from: Path,
    /// In the newer one.
    pub to: Path,
}

/// A field and its value.
#[derive(Debug, Clone)]
pub struct FillSpec {
    /// The field.
    pub at: Path,
    /// What it is filled with, where it is.
    pub value: Option<Value>,
}

/// Words that become others.
#[derive(Debug, Clone)]
pub struct MapSpec {
    /// The field.
    pub at: Path,
    /// From the older version's words to the newer one's.
    pub values: Named<String, String>,
    /// And back; the reverse when left out.
    pub down: Option<Named<String, String>>,
}

/// An expression for each way.
#[derive(Debug, Clone)]
pub struct JqSpec {
    /// From the older version to the newer one.
    pub up: Jq,
    /// And back.
    pub down: Jq,
    /// What does not come back.
    pub loses: Vec<Path>,
}

impl Shape for Path {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        parse(node, what, reader, Self::parse)
    }
    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "pattern": r"^\.", "examples": [".customer.name", ".lines[].sku"] })
    }
}

impl Record for StepSpec {
    const NAME: &'static str = "step_between_versions";
    const DOC: &'static str = "One step between two versions: exactly one of these.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let span = f.span();
        let rename = f.optional("rename", "A field has another name or place.");
        let default = f.optional::<Appearing>(
            "default",
            "A field appears going up, with this value where it is not there; going down it leaves.",
        );
        let drop = f.optional::<Leaving>(
            "drop",
            "A field leaves going up; going down it comes back with `restore`, if that is said.",
        );
        let map = f.optional("map", "Words of a field become others.");
        let jq = f.optional("jq", "An expression over the document, for each way.");
        let keys = ["rename", "default", "drop", "map", "jq"];
        if keys.iter().filter(|key| f.has(key)).count() != 1 {
            let message = "a step is exactly one of `rename`, `default`, `drop`, `map`, `jq`";
            let help = "write one list entry for each";
            f.report(qc_document::codes::CONFLICTING_KEYS, span, message, help);
            return None;
        }
        let change = rename
            .map(Change::Rename)
            .or_else(|| default.map(|it| Change::Default(it.0)))
            .or_else(|| drop.map(|it| Change::Drop(it.0)))
            .or_else(|| map.map(Change::Map))
            .or_else(|| jq.map(Change::Jq));
        Some(Self { change: change?, span })
    }
}

impl Record for RenameSpec {
    const NAME: &'static str = "rename";
    const DOC: &'static str = "A field has another name or place.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let from = f.required("from", "Where it is in the older version: `.customer_name`.");
        let to = f.required("to", "Where it is in the newer one: `.customer.name`.");
        Some(Self { from: from?, to: to? })
    }
}

struct Appearing(FillSpec);

impl Record for Appearing {
    const NAME: &'static str = "default";
    const DOC: &'static str = "A field that the older version does not have.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let at = f.required("at", "The field: `.severity`, `.lines[].currency`.");
        let value: Option<Value> = f.required("value", "Its value where it is not there.");
        Some(Self(FillSpec { at: at?, value: Some(value?) }))
    }
}

struct Leaving(FillSpec);

impl Record for Leaving {
    const NAME: &'static str = "drop";
    const DOC: &'static str = "A field that the newer version does not have.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let at = f.required("at", "The field.");
        let restore = f.optional("restore", "Its value going down; it stays away when left out.");
        Some(Self(FillSpec { at: at?, value: restore }))
    }
}

impl Record for MapSpec {
    const NAME: &'static str = "map";
    const DOC: &'static str = "Words of a field become others; words that are not named stay.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let at = f.required("at", "The field, or the items of a list: `.tags[]`.");
        let values = f.required("values", "What each word of the older version becomes.");
        let down = f.optional("down", "And back; the reverse when left out.");
        Some(Self { at: at?, values: values?, down })
    }
}

impl Record for JqSpec {
    const NAME: &'static str = "jq";
    const DOC: &'static str = "An expression over the document, for each way.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let up = f.required("up", "From the older version to the newer one.");
        let down = f.required("down", "And back.");
        let loses = f.several("loses", "The fields that do not come back as they were.");
        Some(Self { up: up?, down: down?, loses })
    }
}
