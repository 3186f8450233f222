//! Text, truth values, numbers, names and words.

use std::time::Duration;

use qc_document::{Node, NodeValue, Reader, closest, codes, parse_duration};
use qc_model::{Name, Timestamp};
use qc_vault::SecretRef;
use serde_json::{Value, json};

use super::{Definitions, Shape};
use crate::codes::LITERAL_SECRET;

pub(super) const NAME_PATTERN: &str = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$";
const DURATION_PATTERN: &str = r"^(P.+|([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+)$";

/// Text that is parsed; the error's text is the finding's. It is that of a number, too, which would be wrong as text.
pub(crate) fn parse<T, E: std::fmt::Display>(
    node: &Node,
    what: &str,
    reader: &Reader<'_>,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Option<T> {
    let parsed = match &node.value {
        NodeValue::Number(number) => match parse(&number.to_string()) {
            Ok(_) => parse(reader.text(node, what)?),
            error => error,
        },
        _ => parse(reader.text(node, what)?),
    };
    match parsed {
        Ok(value) => Some(value),
        Err(error) => {
            reader.invalid(node, format!("{what}: {error}"));
            None
        }
    }
}

impl Shape for String {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        let text = reader.text(node, what)?.trim();
        if text.is_empty() {
            reader.invalid(node, format!("{what} must not be empty"));
            return None;
        }
        Some(text.to_owned())
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "minLength": 1 })
    }
}

impl Shape for bool {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        let value = node.as_bool();
        if value.is_none() {
            reader.wrong_kind(node, what, "true or false");
        }
        value
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "boolean" })
    }
}

/// An integer within bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Integer<const MIN: i64, const MAX: i64>(pub i64);

impl<const MIN: i64, const MAX: i64> Shape for Integer<MIN, MAX> {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        let Some(value) = node.as_i64() else {
            reader.wrong_kind(node, what, "an integer");
            return None;
        };
        if (MIN..=MAX).contains(&value) {
            return Some(Self(value));
        }
        reader.invalid(node, format!("{what} must be from {MIN} to {MAX}, but is {value}"));
        None
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }
}

impl Shape for f64 {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        let value = node.as_f64();
        if value.is_none() {
            reader.wrong_kind(node, what, "a number");
        }
        value
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "number" })
    }
}

impl Shape for Name {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        parse(node, what, reader, Self::new)
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "pattern": NAME_PATTERN })
    }
}

impl Shape for Duration {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        parse(node, what, reader, parse_duration)
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "pattern": DURATION_PATTERN, "examples": ["30s", "1h30m", "7d"] })
    }
}

impl Shape for Timestamp {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        parse(node, what, reader, |text| {
            text.parse::<Self>().map_err(|_| "not a moment; write `2026-11-20T09:30:00Z`")
        })
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "format": "date-time" })
    }
}

impl Shape for SecretRef {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        // Never the value itself in the message: it may be the secret.
        match Self::parse(reader.text(node, what)?) {
            Ok(reference) => Some(reference),
            Err(error) => {
                let finding = reader.error(LITERAL_SECRET, node.span, format!("{what}: {error}"));
                reader.push(finding.help(
                    "put the value into the secrets of each environment and write `secret://<name>` here",
                ));
                None
            }
        }
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "pattern": "^secret://[a-z0-9_-]+(/[a-z0-9_-]+)*$" })
    }
}

impl Shape for Value {
    fn read(node: &Node, _: &str, _: &Reader<'_>) -> Option<Self> {
        Some(node.to_value())
    }

    fn schema(_: &mut Definitions) -> Self {
        json!({})
    }
}

impl Shape for Node {
    fn read(node: &Node, _: &str, _: &Reader<'_>) -> Option<Self> {
        Some(node.clone())
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({})
    }
}

/// Reads text that is one of a list of words.
pub(crate) fn read_word<T: Clone>(
    words: &[(&str, T)],
    node: &Node,
    what: &str,
    reader: &Reader<'_>,
) -> Option<T> {
    let text = reader.text(node, what)?;
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Some(value.clone());
    }
    let names: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
    let message = format!("{what} must be one of {}", names.join(", "));
    let mut finding = reader.error(codes::INVALID_VALUE, node.span, message);
    if let Some(word) = closest(text, words.iter().map(|(word, _)| *word)) {
        finding = finding.help(format!("did you mean `{word}`?"));
    }
    reader.push(finding);
    None
}

/// The JSON Schema of a list of words.
pub(crate) fn word_schema<T>(words: &[(&str, T)]) -> Value {
    let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    json!({ "type": "string", "enum": names })
}
