//! Lists.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A page of a list.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub struct Page<T> {
    /// The version of this form.
    pub schema_version: u32,
    /// The entries.
    pub items: Vec<T>,
    /// Where the next page begins, when there is one: pass it on as `before` or `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A page; it has a next one when it is full.
    pub fn new(items: Vec<T>, limit: usize, key: impl Fn(&T) -> String) -> Self {
        let next = if items.len() >= limit { items.last().map(key) } else { None };
        Self { schema_version: 1, items, next }
    }
}
