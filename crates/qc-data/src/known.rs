use std::{borrow::Cow, collections::BTreeMap};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::{DataClass, Labels, labels::visit};

/// Stands for what may not be seen.
pub const MASK: &str = "***";
/// Shorter texts and numbers are found in other texts by chance.
const SHORTEST: usize = 5;
/// So many values are remembered. Beyond them nothing is told apart any more, and whole texts are masked.
const MOST: usize = 2_000;

/// Values with their classes, as documents that were seen have them. Finds them again wherever they stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    values: BTreeMap<String, DataClass>,
    too_many: bool,
}

impl Known {
    /// Takes in the sensitive values of a document.
    pub fn learn(&mut self, document: &Value, labels: &[&Labels]) {
        if labels.iter().all(|labels| labels.highest().is_none_or(|class| !class.is_sensitive())) {
            return;
        }
        visit(&mut document.clone(), labels, &mut |_, leaf, class| {
            let Some(class) = class.filter(|class| class.is_sensitive()) else { return };
            let text = text_of(leaf);
            if text.len() < SHORTEST {
                return;
            }
            if self.values.len() >= MOST && !self.values.contains_key(&*text) {
                self.too_many = true;
                return;
            }
            let known = self.values.entry(text.into_owned()).or_insert(class);
            *known = (*known).max(class);
        });
    }

    /// The highest class of what stands in a value; None when nothing known does.
    pub fn class_in(&self, value: &Value) -> Option<DataClass> {
        if self.values.is_empty() {
            return None;
        }
        let text = text_of(value);
        let found = self.values.iter().filter(|(known, _)| text.contains(known.as_str()));
        found.map(|(_, class)| *class).max()
    }

    /// A text with `***` in place of everything known, also where it is percent-encoded or stands in JSON.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.too_many && !text.is_empty() {
            return Cow::Borrowed(MASK);
        }
        let mut clean = Cow::Borrowed(text);
        // The longest first: one may be a part of another.
        let mut values: Vec<&String> = self.values.keys().collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        for spelling in values.into_iter().flat_map(|value| spellings(value)) {
            if clean.contains(&spelling) {
                clean = Cow::Owned(clean.replace(&spelling, MASK));
            }
        }
        clean
    }

    /// The same within a document: in its texts, its numbers, and the names of its fields.
    pub fn redact_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(clean) = self.redact(text) {
                    *text = clean;
                } else if self.too_many {
                    MASK.clone_into(text);
                }
            }
            Value::Number(number) => {
                if self.values.contains_key(&number.to_string()) {
                    *value = Value::from(MASK);
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.redact_value(item);
                }
            }
            Value::Object(fields) => {
                let before = std::mem::take(fields);
                for (name, mut field) in before {
                    self.redact_value(&mut field);
                    fields.insert(self.redact_name(name), field);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Names of fields stay what they are, unless they are what is known: a program reads them.
    fn redact_name(&self, name: String) -> String {
        let known = self.values.keys().any(|value| name.contains(value.as_str()));
        if known { self.redact(&name).into_owned() } else { name }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

fn text_of(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

/// A value as it stands in a text, in JSON and in an address.
pub fn spellings(value: &str) -> Vec<String> {
    let json = |text: &str| {
        let json = Value::from(text).to_string();
        json[1..json.len() - 1].to_owned()
    };
    let once = json(value);
    let mut all = vec![
        value.to_owned(),
        json(&once),
        once,
        utf8_percent_encode(value, NON_ALPHANUMERIC).to_string(),
        utf8_percent_encode(value, IN_PATHS).to_string(),
        value.replace(' ', "+"),
    ];
    all.dedup();
    all
}

/// What is encoded in the path of an address, as most do it: all but RFC 3986's unreserved characters.
const IN_PATHS: &percent_encoding::AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
