//! A change, while the trees that it was found in are at hand.

use qc_document::{Node, NodeValue};
use serde_json::Value;

use super::rules::{Level, Rule};
use super::side::Spot;

/// Longest text of an old or new value.
const TEXT_LIMIT: usize = 160;

/// One side of a change: where, and what is there; nothing when it is absent there.
#[derive(Clone, Debug)]
pub(super) struct Said<'d> {
    pub(super) spot: Spot<'d>,
    pub(super) text: Option<String>,
}

impl<'d> Said<'d> {
    pub(super) fn new(spot: Spot<'d>, text: impl Into<String>) -> Self {
        Self { spot, text: Some(text.into()) }
    }

    /// Absent; the spot is what lacks it.
    pub(super) fn absent(spot: Spot<'d>) -> Self {
        Self { spot, text: None }
    }

    /// The value at the spot.
    pub(super) fn value(spot: Spot<'d>) -> Self {
        Self { spot, text: Some(shown(spot.node)) }
    }

    /// The value when it is there, absence around it otherwise.
    pub(super) fn maybe(spot: Option<Spot<'d>>, around: Spot<'d>) -> Self {
        spot.map_or_else(|| Self::absent(around), Self::value)
    }
}

/// A change of a rule's kind.
#[derive(Clone, Debug)]
pub(super) struct Found<'d> {
    pub(super) rule: &'static Rule,
    /// The level, unless a profile says otherwise.
    pub(super) level: Level,
    pub(super) old: Said<'d>,
    pub(super) new: Said<'d>,
    /// What happened, in one line.
    pub(super) message: String,
    /// A value that shows it.
    pub(super) witness: Option<Value>,
}

impl<'d> Found<'d> {
    pub(super) fn new(
        rule: &'static Rule,
        old: Said<'d>,
        new: Said<'d>,
        message: impl Into<String>,
    ) -> Self {
        Self { rule, level: rule.level, old, new, message: message.into(), witness: None }
    }

    #[must_use]
    pub(super) fn witnessed(mut self, witness: Option<Value>) -> Self {
        self.witness = witness;
        self
    }

    /// Weighs this at most.
    #[must_use]
    pub(super) fn at_most(mut self, level: Level) -> Self {
        self.level = self.level.min(level);
        self
    }

    /// Weighs exactly this.
    #[must_use]
    pub(super) fn weighing(mut self, level: Level) -> Self {
        self.level = level;
        self
    }
}

/// A value, short enough for a line.
pub(super) fn shown(node: &Node) -> String {
    let text = match &node.value {
        NodeValue::String(text) => text.to_string(),
        NodeValue::Mapping(entries) if entries.len() > 12 => {
            let names: Vec<&str> = entries.iter().take(8).map(|(key, _)| &*key.name).collect();
            format!("{{{}, … {} in all}}", names.join(", "), entries.len())
        }
        NodeValue::Sequence(items) if items.len() > 40 => format!("a list of {}", items.len()),
        _ => {
            let mut text = String::new();
            write_json(node, &mut text);
            text
        }
    };
    shortened(&text)
}

/// Bytes after which no more of a value is written: enough for [`TEXT_LIMIT`] characters, and one more.
const WRITE_LIMIT: usize = 4 * (TEXT_LIMIT + 1);

/// The beginning of a value as JSON. Values are whole schemas at times, and only their beginning is shown.
fn write_json(node: &Node, text: &mut String) {
    if text.len() > WRITE_LIMIT {
        return;
    }
    match &node.value {
        NodeValue::Mapping(entries) => {
            text.push('{');
            for (at, (key, value)) in entries.iter().enumerate() {
                if text.len() > WRITE_LIMIT {
                    return;
                }
                text.push_str(if at == 0 { "" } else { "," });
                text.push_str(&Value::from(&*key.name).to_string());
                text.push(':');
                write_json(value, text);
            }
            text.push('}');
        }
        NodeValue::Sequence(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if text.len() > WRITE_LIMIT {
                    return;
                }
                text.push_str(if at == 0 { "" } else { "," });
                write_json(item, text);
            }
            text.push(']');
        }
        NodeValue::String(long) => {
            let end = long.char_indices().nth(TEXT_LIMIT + 1).map_or(long.len(), |(at, _)| at);
            text.push_str(&Value::from(&long[..end]).to_string());
        }
        _ => text.push_str(&node.to_value().to_string()),
    }
}

/// A text, short enough for a line.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(TEXT_LIMIT) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use qc_document::{ParseLimits, Source, parse};

    use super::*;

    #[test]
    fn a_shortened_value_begins_as_the_whole_one() {
        let long = "ä\"x".repeat(90);
        for text in [
            "{\"a\": [1, 2.50, null, true, {}], \"b\": \"x\"}".to_owned(),
            format!("[\"{}\", \"{}\"]", "é".repeat(158), "b".repeat(400)),
            format!("{{\"{}\": {{\"b\": [[\"{}\"]]}}}}", "k".repeat(100), "v".repeat(900)),
            serde_json::json!({ "a": long, "b": [long, long] }).to_string(),
            serde_json::json!([vec!["0123456789"; 40], vec!["0123456789"; 39]]).to_string(),
        ] {
            let document = parse(Source::new("a.json", &*text), &ParseLimits::default());
            let root = document.expect("is JSON").root;
            assert_eq!(shown(&root), shortened(&root.to_value().to_string()), "{text}");
        }
    }
}
