//! What the integration may do with a system and see of it: its binding of a connector that others use, too.

use std::time::Duration;

use qc_document::{Node, Reader};
use serde_json::{Value, json};

use crate::shape::{Definitions, Fields, Integer, Jq, Named, Record, Shape, Spanned};

/// A binding.
#[derive(Debug, Clone)]
pub struct BindingSpec {
    /// The only operations that may be called; all when there are none.
    pub operations: Named<String, ViewSpec>,
    /// How often it may call.
    pub quota: Option<QuotaSpec>,
}

/// What is seen of an operation's answers.
#[derive(Debug, Clone)]
pub struct ViewSpec {
    /// Where the items are.
    pub items: Option<Spanned<FieldText>>,
    /// Which items are seen.
    pub rows: Option<Jq>,
    /// Which fields of them.
    pub fields: Vec<Spanned<FieldText>>,
    /// What is seen beside the items.
    pub beside: Vec<Spanned<FieldText>>,
}

/// How often.
#[derive(Debug, Clone)]
pub struct QuotaSpec {
    /// How many calls.
    pub calls: Integer<1, 1_000_000_000>,
    /// In which time.
    pub per: Spanned<Duration>,
}

/// The way to a field: keys, parted by dots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldText(pub String);

impl FieldText {
    /// The keys.
    pub fn keys(&self) -> Vec<String> {
        self.0.split('.').map(str::to_owned).collect()
    }
}

impl Record for BindingSpec {
    const NAME: &'static str = "binding";
    const DOC: &'static str = "What the integration may do with the system, and see of it.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let operations = f.several(
            "operations",
            "The only operations that may be called, each with what is seen of its answers; all when left out.",
        );
        let quota = f.optional("quota", "How often the integration may call the system.");
        Some(Self { operations, quota })
    }
}

impl Record for ViewSpec {
    const NAME: &'static str = "view";
    const DOC: &'static str = "What is seen of an operation's answers; everything when empty.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let items = f.optional(
            "items",
            "Where the items are, such as `data.cases`; the answer itself, or each item of the list that it is, when left out.",
        );
        let rows = f.optional("rows", "Which items are seen: jq over each.");
        let fields = f.several(
            "fields",
            "Which fields of an item are seen, such as `customer.name`; all when left out.",
        );
        let beside = f.several(
            "beside",
            "Which fields of the answer are seen beside its items, such as `next_cursor`.",
        );
        Some(Self { items, rows, fields, beside })
    }
}

impl Record for QuotaSpec {
    const NAME: &'static str = "binding quota";
    const DOC: &'static str = "So many calls in each window of a length.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let calls = f.required("calls", "How many attempts of calls.");
        let per = f.required("per", "The length of a window; windows follow each other.");
        Some(Self { calls: calls?, per: per? })
    }
}

impl Shape for FieldText {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        let text = reader.text(node, what)?;
        if !text.is_empty() && text.split('.').all(|key| !key.is_empty()) {
            return Some(Self(text.to_owned()));
        }
        reader
            .invalid(node, format!("{what} must be keys parted by dots, such as `customer.name`"));
        None
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "pattern": r"^[^.]+(\.[^.]+)*$" })
    }
}
