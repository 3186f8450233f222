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
    /// Whoever asks is of these units, and is shown what belongs to them or to none; absent: nothing is left out for that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of_units: Vec<String>,
}

impl<T> Page<T> {
    /// A page of at most `limit` entries; it has a next one when `items`, of which one more was asked for, holds that one.
    pub fn new(mut items: Vec<T>, limit: usize, key: impl Fn(&T) -> String) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(key) } else { None };
        Self { schema_version: 1, items, next, of_units: Vec::new() }
    }

    /// All that there is, or as much as is shown at once; `next` says what to do about the rest.
    pub fn whole(items: Vec<T>, next: Option<String>) -> Self {
        Self { schema_version: 1, items, next, of_units: Vec::new() }
    }

    /// Where the next page begins when this one is not full although there is more: behind the last that was looked at.
    #[must_use]
    pub fn or_behind(self, last: Option<impl ToString>) -> Self {
        let next = self.next.or_else(|| last.map(|last| last.to_string()));
        Self { next, ..self }
    }

    /// Says of which units it tells alone.
    #[must_use]
    pub fn of(self, units: &[String]) -> Self {
        Self { of_units: units.to_vec(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_next_one_only_when_there_is_more() {
        let page = |count: u32| Page::new((1..=count).collect(), 3, ToString::to_string);
        assert_eq!((page(2).items, page(2).next), (vec![1, 2], None));
        assert_eq!((page(3).items, page(3).next), (vec![1, 2, 3], None));
        assert_eq!((page(4).items, page(4).next), (vec![1, 2, 3], Some("3".to_owned())));
    }
}
