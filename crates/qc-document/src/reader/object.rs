//! One object of a schema, read field by field.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::codes;
use crate::duration::{DurationError, parse_duration};
use crate::node::{Key, Node, NodeValue};
use crate::source::Span;
use crate::suggest::closest;

use super::Reader;

/// Reads the fields of one object. Every getter marks its key as known; [`ObjectReader::finish`] reports the keys that
/// nobody asked for. `null` counts as absent for optional fields and as missing for required ones.
#[derive(Debug)]
#[must_use = "`finish` reports the unknown keys"]
pub struct ObjectReader<'r, 'n> {
    reader: &'r Reader<'r>,
    node: &'n Node,
    entries: &'n [(Key, Node)],
    what: String,
    read: Vec<bool>,
    known: Vec<&'static str>,
}

impl<'r, 'n> ObjectReader<'r, 'n> {
    pub(super) fn new(
        reader: &'r Reader<'_>,
        node: &'n Node,
        entries: &'n [(Key, Node)],
        what: &str,
    ) -> Self {
        let read = vec![false; entries.len()];
        Self { reader, node, entries, what: what.to_owned(), read, known: Vec::new() }
    }

    /// The span of the whole object.
    pub fn span(&self) -> Span {
        self.node.span
    }

    /// The node that is read.
    pub fn node(&self) -> &'n Node {
        self.node
    }

    /// The reader that collects the findings.
    pub fn reader(&self) -> &'r Reader<'r> {
        self.reader
    }

    /// The key and value of an optional field, `null` included.
    pub fn entry(&mut self, key: &'static str) -> Option<(&'n Key, &'n Node)> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        let at = self.entries.iter().position(|(name, _)| &*name.name == key)?;
        self.read[at] = true;
        let (name, node) = &self.entries[at];
        Some((name, node))
    }

    /// Whether the key is there (also as `null`).
    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, _)| &*name.name == key)
    }

    /// Whether the key is there with a value, right or wrong: what is wrong of it is a finding already.
    pub fn has_value(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, node)| &*name.name == key && !node.is_null())
    }

    /// The value of an optional field; `null` is absent.
    pub fn optional(&mut self, key: &'static str) -> Option<&'n Node> {
        self.entry(key).map(|(_, node)| node).filter(|node| !node.is_null())
    }

    /// The value of a required field; its absence is reported.
    pub fn required(&mut self, key: &'static str) -> Option<&'n Node> {
        let found = self.optional(key);
        if found.is_none() {
            let message = format!("{} needs `{key}`", self.what);
            let span = self.heading();
            self.reader.report(codes::MISSING_KEY, span, message);
        }
        found
    }

    /// Where to point for the object as a whole: its first line, not its whole body.
    fn heading(&self) -> Span {
        let Some((first, _)) = self.entries.first() else { return self.node.span };
        Span { start: self.node.span.start.min(first.span.start), end: first.span.end }
    }

    fn kind<T>(&self, key: &str, node: &Node, read: Option<T>, expected: &str) -> Option<T> {
        if read.is_none() {
            self.reader.wrong_kind(node, &format!("`{key}`"), expected);
        }
        read
    }

    /// Required text.
    pub fn string(&mut self, key: &'static str) -> Option<&'n str> {
        let node = self.required(key)?;
        self.kind(key, node, node.as_str(), "a string")
    }

    /// Optional text.
    pub fn optional_string(&mut self, key: &'static str) -> Option<&'n str> {
        let node = self.optional(key)?;
        self.kind(key, node, node.as_str(), "a string")
    }

    /// Optional truth value.
    pub fn optional_bool(&mut self, key: &'static str) -> Option<bool> {
        let node = self.optional(key)?;
        self.kind(key, node, node.as_bool(), "true or false")
    }

    /// Required truth value.
    pub fn bool(&mut self, key: &'static str) -> Option<bool> {
        let node = self.required(key)?;
        self.kind(key, node, node.as_bool(), "true or false")
    }

    /// Required integer within a range.
    pub fn integer(&mut self, key: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        let node = self.required(key)?;
        self.integer_of(key, node, &range)
    }

    /// Optional integer within a range.
    pub fn optional_integer(
        &mut self,
        key: &'static str,
        range: RangeInclusive<i64>,
    ) -> Option<i64> {
        let node = self.optional(key)?;
        self.integer_of(key, node, &range)
    }

    fn integer_of(&self, key: &str, node: &Node, range: &RangeInclusive<i64>) -> Option<i64> {
        let value = self.kind(key, node, node.as_i64(), "an integer")?;
        if range.contains(&value) {
            return Some(value);
        }
        let message =
            format!("`{key}` must be from {} to {}, but is {value}", range.start(), range.end());
        self.reader.invalid(node, message);
        None
    }

    /// Optional number within a range.
    pub fn optional_number(
        &mut self,
        key: &'static str,
        range: RangeInclusive<f64>,
    ) -> Option<f64> {
        let node = self.optional(key)?;
        let value = self.kind(key, node, node.as_f64(), "a number")?;
        if range.contains(&value) {
            return Some(value);
        }
        let message =
            format!("`{key}` must be from {} to {}, but is {value}", range.start(), range.end());
        self.reader.invalid(node, message);
        None
    }

    /// Required duration (`30s`, `1h30m`, `PT30S`).
    pub fn duration(&mut self, key: &'static str) -> Option<Duration> {
        self.parse(key, parse_duration)
    }

    /// Optional duration (`30s`, `1h30m`, `PT30S`).
    pub fn optional_duration(&mut self, key: &'static str) -> Option<Duration> {
        let node = self.optional(key)?;
        if matches!(node.value, NodeValue::Number(_)) {
            // Its unit is missing: quotes would not help.
            self.reader.invalid(node, format!("`{key}`: {}", DurationError::Form));
            return None;
        }
        self.parsed(key, node, parse_duration)
    }

    /// Required text that is parsed into a typed value; the error's text is the finding's.
    pub fn parse<T, E: std::fmt::Display>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&'n str) -> Result<T, E>,
    ) -> Option<T> {
        let node = self.required(key)?;
        self.parsed(key, node, parse)
    }

    /// Optional text that is parsed into a typed value; the error's text is the finding's.
    pub fn optional_parse<T, E: std::fmt::Display>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&'n str) -> Result<T, E>,
    ) -> Option<T> {
        let node = self.optional(key)?;
        self.parsed(key, node, parse)
    }

    fn parsed<T, E: std::fmt::Display>(
        &self,
        key: &str,
        node: &'n Node,
        parse: impl FnOnce(&'n str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.kind(key, node, node.as_str(), "a string")?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.reader.invalid(node, format!("`{key}`: {error}"));
                None
            }
        }
    }

    /// Required text that is one of a list of words.
    pub fn choice<T: Clone>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let node = self.required(key)?;
        self.chosen(key, node, words)
    }

    /// Optional text that is one of a list of words.
    pub fn optional_choice<T: Clone>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
    ) -> Option<T> {
        let node = self.optional(key)?;
        self.chosen(key, node, words)
    }

    fn chosen<T: Clone>(&self, key: &str, node: &Node, words: &[(&str, T)]) -> Option<T> {
        let text = self.kind(key, node, node.as_str(), "a string")?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(value.clone());
        }
        let names: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        let message = format!("`{key}` must be one of {}", names.join(", "));
        let mut finding = self.reader.error(codes::INVALID_VALUE, node.span, message);
        if let Some(word) = closest(text, words.iter().map(|(word, _)| *word)) {
            finding = finding.help(format!("did you mean `{word}`?"));
        }
        self.reader.push(finding);
        None
    }

    /// Required object.
    pub fn object(&mut self, key: &'static str) -> Option<ObjectReader<'r, 'n>> {
        let node = self.required(key)?;
        self.nested(key, node)
    }

    /// Optional object.
    pub fn optional_object(&mut self, key: &'static str) -> Option<ObjectReader<'r, 'n>> {
        let node = self.optional(key)?;
        self.nested(key, node)
    }

    fn nested(&self, key: &str, node: &'n Node) -> Option<ObjectReader<'r, 'n>> {
        let what = format!("`{key}`");
        let entries = self.kind(key, node, node.as_mapping(), "an object")?;
        Some(ObjectReader::new(self.reader, node, entries, &what))
    }

    /// Items of an optional list; empty when absent or wrong (which is reported).
    pub fn list(&mut self, key: &'static str) -> &'n [Node] {
        let Some(node) = self.optional(key) else { return &[] };
        self.kind(key, node, node.as_sequence(), "a list").unwrap_or_default()
    }

    /// Items of an optional list of texts, each with its node; items of another kind are reported and left out.
    pub fn strings(&mut self, key: &'static str) -> Vec<(&'n Node, &'n str)> {
        let mut texts = Vec::new();
        for node in self.list(key) {
            if let Some(text) = self.kind(key, node, node.as_str(), "a list of strings") {
                texts.push((node, text));
            }
        }
        texts
    }

    /// Items of an optional list of objects.
    pub fn objects(&mut self, key: &'static str) -> Vec<ObjectReader<'r, 'n>> {
        let items = self.list(key).iter().enumerate();
        items
            .filter_map(|(at, node)| {
                let what = format!("`{key}[{at}]`");
                let entries = node.as_mapping();
                if entries.is_none() {
                    self.reader.wrong_kind(node, &what, "an object");
                }
                entries.map(|entries| ObjectReader::new(self.reader, node, entries, &what))
            })
            .collect()
    }

    /// Entries of an optional object whose keys are names of the user's choosing; empty when absent or wrong.
    pub fn entries(&mut self, key: &'static str) -> &'n [(Key, Node)] {
        let Some(node) = self.optional(key) else { return &[] };
        self.kind(key, node, node.as_mapping(), "an object").unwrap_or_default()
    }

    /// Entries of an optional object of objects: a name of the user's choosing and what it names.
    pub fn named_objects(&mut self, key: &'static str) -> Vec<(&'n Key, ObjectReader<'r, 'n>)> {
        let entries = self.entries(key).iter();
        entries
            .filter_map(|(name, node)| {
                let what = format!("`{key}.{}`", name.name);
                let inner = node.as_mapping();
                if inner.is_none() {
                    self.reader.wrong_kind(node, &what, "an object");
                }
                inner.map(|inner| (name, ObjectReader::new(self.reader, node, inner, &what)))
            })
            .collect()
    }

    /// The one of these keys that is there. None, or more than one, is reported.
    pub fn exactly_one(&mut self, keys: &[&'static str]) -> Option<(&'static str, &'n Node)> {
        let found = self.at_most_one(keys);
        if found.is_none() && !keys.iter().any(|key| self.has(key)) {
            let message = format!("{} needs one of {}", self.what, in_ticks(keys));
            let span = self.heading();
            self.reader.report(codes::MISSING_KEY, span, message);
        }
        found
    }

    /// The one of these keys that is there, if any. More than one is reported; then the first in the file is answered.
    pub fn at_most_one(&mut self, keys: &[&'static str]) -> Option<(&'static str, &'n Node)> {
        let mut found: Vec<(&'n Key, &'static str, &'n Node)> = Vec::new();
        for key in keys {
            if let Some((name, node)) = self.entry(key) {
                found.push((name, key, node));
            }
        }
        found.sort_by_key(|(name, _, _)| name.span.start);
        if let [(first, ..), (second, ..), ..] = &found[..] {
            let message = format!("{} may have only one of {}", self.what, in_ticks(keys));
            let place = self.reader.source().place(first.span);
            let finding = self.reader.error(codes::CONFLICTING_KEYS, second.span, message);
            self.reader.push(finding.label(place, "one is here"));
        }
        found.first().map(|(_, key, node)| (*key, *node))
    }

    /// Marks the keys with this prefix (`x-`) as known and answers them.
    pub fn with_prefix(&mut self, prefix: &str) -> Vec<(&'n Key, &'n Node)> {
        let mut found = Vec::new();
        for (at, (key, node)) in self.entries.iter().enumerate() {
            if key.name.starts_with(prefix) {
                self.read[at] = true;
                found.push((key, node));
            }
        }
        found
    }

    /// All entries that nobody has asked for yet; they count as known from here on.
    pub fn rest(&mut self) -> Vec<(&'n Key, &'n Node)> {
        let mut found = Vec::new();
        for (at, (key, node)) in self.entries.iter().enumerate() {
            if !std::mem::replace(&mut self.read[at], true) {
                found.push((key, node));
            }
        }
        found
    }

    /// Refuses a key with a message of its own (something that was left out on purpose).
    pub fn refuse(&mut self, key: &'static str, code: qc_model::Code, message: &str, help: &str) {
        if let Some(at) = self.entries.iter().position(|(name, _)| &*name.name == key) {
            self.read[at] = true;
            let span = self.entries[at].0.span;
            self.reader.push(self.reader.error(code, span, message).help(help));
        }
    }

    /// Ends the object: every key that nobody asked for is reported, with the closest known one.
    pub fn finish(self) {
        for ((key, node), read) in self.entries.iter().zip(&self.read) {
            if *read {
                continue;
            }
            let message = format!("{} has no key `{}`", self.what, key.name);
            let mut finding = self.reader.error(codes::UNKNOWN_KEY, key.span, message);
            if matches!(node.value, NodeValue::Mapping(_)) {
                finding = finding.cause("nothing reads this object");
            }
            let free = self.known.iter().copied().filter(|known| !self.has(known));
            if let Some(known) = closest(&key.name, free) {
                finding = finding.help(format!("did you mean `{known}`?"));
            } else if !self.known.is_empty() {
                finding = finding.help(format!("known keys: {}", in_ticks(&self.known)));
            }
            self.reader.push(finding);
        }
    }
}

fn in_ticks(keys: &[&str]) -> String {
    let ticked: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
    ticked.join(", ")
}
