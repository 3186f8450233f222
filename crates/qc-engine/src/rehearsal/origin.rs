//! Where a value comes from, so that a difference can be told without it: "the event's `/data/total`".

use std::collections::HashMap;

use serde_json::Value;

/// So many values are known at most, and so deep they are looked for.
const KNOWN_MAX: usize = 20_000;
const DEEPEST: usize = 32;
/// The longest name of a field that is shown.
const NAME_LONGEST: usize = 64;

/// The places of values. What came in first is where a value comes from: others may only repeat it. One that stands
/// there at several places is said of none.
#[derive(Debug, Default)]
pub(super) struct Origins {
    documents: usize,
    places: HashMap<String, (usize, Option<String>)>,
}

impl Origins {
    /// Takes in the values of a document; `of` names it: "the event's".
    pub(super) fn learn(&mut self, of: &str, document: &Value) {
        self.documents += 1;
        self.step(of, document, &mut String::new(), DEEPEST);
    }

    fn step(&mut self, of: &str, value: &Value, pointer: &mut String, left: usize) {
        match value {
            Value::Object(fields) if left > 0 => {
                for (name, field) in fields {
                    let length = pointer.len();
                    push(pointer, name);
                    self.step(of, field, pointer, left - 1);
                    pointer.truncate(length);
                }
            }
            Value::Array(items) if left > 0 => {
                for (index, item) in items.iter().enumerate() {
                    let length = pointer.len();
                    push(pointer, &index.to_string());
                    self.step(of, item, pointer, left - 1);
                    pointer.truncate(length);
                }
            }
            Value::String(_) | Value::Number(_) => {
                if self.places.len() >= KNOWN_MAX {
                    return;
                }
                let place = format!("{of} `{pointer}`");
                let (document, known) = self
                    .places
                    .entry(value.to_string())
                    .or_insert((self.documents, Some(place.clone())));
                if *document == self.documents && known.as_ref().is_some_and(|it| *it != place) {
                    *known = None;
                }
            }
            _ => {}
        }
    }

    /// A value in words that do not tell it.
    pub(super) fn tell(&self, value: &Value) -> String {
        let kind = kind_of(value);
        match self.places.get(&value.to_string()) {
            Some((_, Some(place))) if value.is_string() || value.is_number() => {
                format!("{kind}, {place}")
            }
            _ => kind.to_owned(),
        }
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// One step further down. Names that look like data are not shown: some documents have them as keys.
pub(super) fn push(pointer: &mut String, name: &str) {
    pointer.push('/');
    let letters = name.len() <= NAME_LONGEST
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'$'));
    let begins =
        name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_' || b == b'$');
    let is_index = name.len() <= 6 && name.bytes().all(|b| b.is_ascii_digit());
    pointer.push_str(if (letters && begins) || is_index { name } else { "*" });
}
