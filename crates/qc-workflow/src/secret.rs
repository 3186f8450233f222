//! Placeholders for secrets.
//!
//! A run never holds a secret. In its expressions `$secrets.name` evaluates to a placeholder, a
//! short text between two private-use characters, which flows through the data like any other
//! text; the sender replaces it in the last moment before a call leaves. The journal, the ledger
//! and every output therefore hold placeholders only.
//!
//! A placeholder also carries its run's [`SecretMark`], random bits that nobody outside knows: a
//! payload that merely looks like a placeholder (`"\ue000secret:…"` in a webhook) is never
//! replaced, so data from outside cannot pull a secret out.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

const OPEN: char = '\u{E000}';
const CLOSE: char = '\u{E001}';
const WORD: &str = "secret:";

/// What makes the placeholders of one run its own. Derived from the run's starting entropy.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretMark(u64);

/// The mark is kept out of logs: it is what keeps placeholders from being forged.
impl fmt::Debug for SecretMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretMark(..)")
    }
}

/// A placeholder names a secret that is not available.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingSecret {
    /// The secret's name, as declared in `use.secrets`.
    pub name: String,
}

impl fmt::Display for MissingSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the secret `{}` is not available", self.name)
    }
}

impl std::error::Error for MissingSecret {}

impl SecretMark {
    /// The mark of a run that starts with this entropy.
    pub fn new(entropy: u64) -> Self {
        Self(crate::chance::mix(entropy ^ 0x5ec2_e7a1_97b3_0d4f))
    }

    /// The placeholder of the secret `name`.
    pub fn placeholder(self, name: &str) -> String {
        format!("{OPEN}{WORD}{name}:{:016x}{CLOSE}", self.0)
    }

    /// The value of `$secrets`: an object with a placeholder for every declared name.
    pub(crate) fn secrets<'a>(self, names: impl Iterator<Item = &'a str>) -> Value {
        let entries = names.map(|name| (name.to_owned(), Value::String(self.placeholder(name))));
        Value::Object(entries.collect::<Map<_, _>>())
    }

    /// The text with every placeholder of this run replaced by what `lookup` gives for its name.
    /// `None` when there was nothing to replace.
    pub fn substitute_text(
        self,
        text: &str,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<String>, MissingSecret> {
        if !text.contains(OPEN) {
            return Ok(None);
        }
        let mut whole = String::with_capacity(text.len());
        let mut rest = text;
        let mut replaced = false;
        while let Some(at) = rest.find(OPEN) {
            let (before, from) = rest.split_at(at);
            whole.push_str(before);
            if let Some((name, length)) = self.recognise(from) {
                let value = lookup(name).ok_or_else(|| MissingSecret { name: name.to_owned() })?;
                whole.push_str(&value);
                rest = &from[length..];
                replaced = true;
            } else {
                whole.push(OPEN);
                rest = &from[OPEN.len_utf8()..];
            }
        }
        whole.push_str(rest);
        Ok(replaced.then_some(whole))
    }

    /// Replaces the placeholders in all texts of a value; keys of objects stay as they are.
    pub fn substitute(
        self,
        value: &mut Value,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(), MissingSecret> {
        match value {
            Value::String(text) => {
                if let Some(replaced) = self.substitute_text(text, lookup)? {
                    *text = replaced;
                }
                Ok(())
            }
            Value::Array(items) => {
                items.iter_mut().try_for_each(|item| self.substitute(item, lookup))
            }
            Value::Object(entries) => {
                entries.values_mut().try_for_each(|entry| self.substitute(entry, lookup))
            }
            _ => Ok(()),
        }
    }

    /// The name in the placeholder that `text` begins with, and the placeholder's length in bytes.
    fn recognise(self, text: &str) -> Option<(&str, usize)> {
        let inner = text.strip_prefix(OPEN)?.strip_prefix(WORD)?;
        let end = inner.find(CLOSE)?;
        let (name, mark) = inner[..end].rsplit_once(':')?;
        let length = OPEN.len_utf8() + WORD.len() + end + CLOSE.len_utf8();
        (mark == format!("{:016x}", self.0)).then_some((name, length))
    }
}

/// Whether a text holds something with a placeholder's form, of whichever run.
pub fn contains_placeholder(text: &str) -> bool {
    text.find(OPEN).is_some_and(|at| text[at..].starts_with(&format!("{OPEN}{WORD}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lookup(name: &str) -> Option<String> {
        (name == "token").then(|| "s3cret".to_owned())
    }

    #[test]
    fn placeholders_are_replaced_wherever_they_stand() {
        let mark = SecretMark::new(7);
        let mut value = json!({"a": [format!("Bearer {}!", mark.placeholder("token"))], "b": 1});
        mark.substitute(&mut value, &lookup).unwrap();
        assert_eq!(value, json!({"a": ["Bearer s3cret!"], "b": 1}));
    }

    #[test]
    fn a_foreign_or_forged_placeholder_stays_as_it_is() {
        let forged = "\u{E000}secret:token\u{E001}".to_owned();
        let other = SecretMark::new(8).placeholder("token");
        for text in [forged, other, "\u{E000}".to_owned(), "\u{E000}secret:".to_owned()] {
            assert_eq!(SecretMark::new(7).substitute_text(&text, &lookup), Ok(None), "{text}");
        }
    }

    #[test]
    fn a_missing_secret_is_named() {
        let mark = SecretMark::new(1);
        let text = mark.placeholder("nope");
        assert!(contains_placeholder(&text));
        let missing = mark.substitute_text(&text, &lookup).unwrap_err();
        assert_eq!(missing.name, "nope");
    }
}
