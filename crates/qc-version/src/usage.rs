//! Who uses a contract: which version each consumer speaks, which fields it sends, and when it did last. What nobody
//! uses can go; what somebody uses cannot go by itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasher, Hash, Hasher},
    time::Duration,
};

use qc_model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The most fields of one consumer in one version that are written down; beyond them nothing is known of any field.
pub const FIELDS: usize = 300;
/// So deep a document is looked at; what is deeper counts as sent.
const DEPTH: usize = 32;
/// The longest path of a field, in bytes.
const PATH_LONGEST: usize = 300;
/// Who has not been seen for so long is gone, where the policy says nothing.
pub const QUIET: Duration = Duration::from_secs(30 * 86_400);

/// The fields that a document has: `.customer.name`, `.lines[].sku`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shape {
    /// Their paths.
    pub fields: BTreeSet<String>,
    /// There are more.
    pub more: bool,
}

impl Shape {
    /// Of a document.
    pub fn of(document: &Value) -> Self {
        let mut shape = Self::default();
        shape.walk(document, &mut String::new(), 0);
        shape
    }

    /// A number that two documents share whose fields stand alike, so that what was looked at once need not be again.
    pub fn outline(document: &Value, hashing: &impl BuildHasher) -> u64 {
        fn walk(value: &Value, hasher: &mut impl Hasher, depth: usize) {
            if depth > DEPTH {
                return;
            }
            match value {
                Value::Object(fields) => {
                    hasher.write_u8(1);
                    for (name, value) in fields {
                        name.hash(hasher);
                        walk(value, hasher, depth + 1);
                    }
                    hasher.write_u8(2);
                }
                Value::Array(items) => {
                    hasher.write_u8(3);
                    for item in items {
                        walk(item, hasher, depth + 1);
                    }
                    hasher.write_u8(4);
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                    hasher.write_u8(5);
                }
            }
        }
        let mut hasher = hashing.build_hasher();
        walk(document, &mut hasher, 0);
        hasher.finish()
    }

    fn walk(&mut self, value: &Value, path: &mut String, depth: usize) {
        if depth > DEPTH {
            self.more = true;
            return;
        }
        let length = path.len();
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    path.push('.');
                    write_name(path, name);
                    self.add(path);
                    self.walk(value, path, depth + 1);
                    path.truncate(length);
                }
            }
            Value::Array(items) => {
                path.push_str("[]");
                for item in items {
                    self.walk(item, path, depth + 1);
                }
                path.truncate(length);
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn add(&mut self, path: &str) {
        if self.fields.contains(path) {
            return;
        }
        if self.fields.len() < FIELDS && path.len() <= PATH_LONGEST {
            self.fields.insert(path.to_owned());
        } else {
            self.more = true;
        }
    }
}

/// A name that holds what means something in a path is written in quotes.
fn write_name(path: &mut String, name: &str) {
    if name.is_empty() || name.contains(['.', '[', ']', '"', '*']) {
        path.push_str(&Value::from(name).to_string());
    } else {
        path.push_str(name);
    }
}

/// Which fields a place in a schema speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Whether the path begins at the top of the document. What is below a definition may be anywhere in it.
    is_whole: bool,
    /// Steps from the top: a name, or None for any.
    steps: Vec<Option<String>>,
}

impl Field {
    /// The field of which a JSON Pointer into a schema speaks: the innermost property that holds the place. None: it speaks
    /// of no field, but of the document, or of what cannot be told.
    pub fn at(pointer: &str) -> Option<Self> {
        let tokens: Vec<String> =
            pointer.split('/').skip(1).map(|it| it.replace("~1", "/").replace("~0", "~")).collect();
        let (mut is_whole, mut steps, mut told) = (true, Vec::new(), 0);
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            match (token.as_str(), tokens.get(at + 1)) {
                ("properties", Some(name)) => {
                    let mut step = ".".to_owned();
                    write_name(&mut step, name);
                    steps.push(Some(step));
                    told = steps.len();
                    at += 2;
                }
                ("patternProperties", Some(_)) => {
                    steps.push(None);
                    told = steps.len();
                    at += 2;
                }
                ("additionalProperties", _) => {
                    steps.push(None);
                    at += 1;
                }
                ("items", _) => {
                    steps.push(Some("[]".to_owned()));
                    at += 1;
                }
                ("prefixItems", Some(_)) => {
                    steps.push(Some("[]".to_owned()));
                    at += 2;
                }
                ("allOf" | "anyOf" | "oneOf", Some(_)) => at += 2,
                ("then" | "else" | "if" | "not", _) => at += 1,
                ("$defs" | "definitions" | "schemas", Some(_)) => {
                    (is_whole, told) = (false, 0);
                    steps.clear();
                    at += 2;
                }
                // A keyword of the field, or what stands around the schema in its file.
                _ if told > 0 => break,
                _ => {
                    (is_whole, at) = (false, at + 1);
                }
            }
        }
        // What is said of the items of a list, or of further properties, is said of the property that has them.
        steps.truncate(told);
        (told > 0).then_some(Self { is_whole, steps })
    }

    /// Whether a path of a document is this field.
    pub fn is(&self, path: &str) -> bool {
        let there = steps(path);
        if there.len() < self.steps.len() || self.is_whole && there.len() > self.steps.len() {
            return false;
        }
        let end = &there[there.len() - self.steps.len()..];
        self.steps.iter().zip(end).all(|(step, there)| match step {
            Some(step) => step == there,
            None => *there != "[]",
        })
    }

    /// The field as people read it.
    pub fn shown(&self) -> String {
        let steps: String = self.steps.iter().map(|step| step.as_deref().unwrap_or(".*")).collect();
        if self.is_whole { steps } else { format!("…{steps}") }
    }
}

/// The steps of a path, each with its dot.
fn steps(path: &str) -> Vec<&str> {
    let (mut steps, mut begin, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in path.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '.' | '[' if !quoted && at > begin => {
                steps.push(&path[begin..at]);
                begin = at;
            }
            _ => {}
        }
    }
    if begin < path.len() {
        steps.push(&path[begin..]);
    }
    steps
}

/// What one consumer did in one version of a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// When first.
    pub first: Timestamp,
    /// When last.
    pub last: Timestamp,
    /// How many events.
    pub count: u64,
    /// The fields that it sent, each with when it did last.
    #[serde(default)]
    pub fields: BTreeMap<String, Timestamp>,
    /// It sent more fields than are written down.
    #[serde(default)]
    pub more: bool,
}

impl Use {
    /// Of somebody who begins now.
    pub fn never(now: Timestamp) -> Self {
        Self { first: now, last: now, count: 0, fields: BTreeMap::new(), more: false }
    }

    /// Adds what an event had.
    pub fn has(&mut self, shape: &Shape, at: Timestamp) {
        self.more |= shape.more;
        for field in &shape.fields {
            if let Some(last) = self.fields.get_mut(field) {
                *last = at.max(*last);
            } else if self.fields.len() < FIELDS {
                self.fields.insert(field.clone(), at);
            } else {
                self.more = true;
            }
        }
    }

    /// Adds what was seen elsewhere.
    pub fn add(&mut self, other: &Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.count = self.count.saturating_add(other.count);
        self.more |= other.more;
        for (field, at) in &other.fields {
            if let Some(last) = self.fields.get_mut(field) {
                *last = (*at).max(*last);
            } else if self.fields.len() < FIELDS {
                self.fields.insert(field.clone(), *at);
            } else {
                self.more = true;
            }
        }
    }

    /// When a field was sent last. Where more fields were sent than are known, any may have been.
    fn sent(&self, field: &Field) -> Option<Timestamp> {
        let known = self.fields.iter().filter(|(path, _)| field.is(path)).map(|(_, at)| *at).max();
        if self.more { Some(self.last) } else { known }
    }
}

/// Somebody who is hit by a change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// Who.
    pub consumer: String,
    /// When it did last what does not go any more.
    pub last: Timestamp,
}

impl Hit {
    pub(crate) fn to_json(&self) -> Value {
        serde_json::json!({ "consumer": self.consumer, "last": self.last.to_string() })
    }
}

/// What is known of the use of an integration's contracts in an environment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    /// Since when it is looked at who uses a trigger.
    pub since: BTreeMap<String, Timestamp>,
    /// By trigger and version, which is empty where there is one only; by consumer.
    pub uses: BTreeMap<(String, String), BTreeMap<String, Use>>,
    /// Versions that people ended although somebody speaks them.
    pub ended: BTreeSet<(String, String)>,
}

impl Usage {
    /// Adds what a consumer did.
    pub fn add(&mut self, trigger: &str, version: &str, consumer: &str, used: &Use) {
        let of = self.uses.entry((trigger.to_owned(), version.to_owned())).or_default();
        match of.get_mut(consumer) {
            Some(known) => known.add(used),
            None => {
                of.insert(consumer.to_owned(), used.clone());
            }
        }
    }

    /// When somebody spoke a version last.
    pub fn last(&self, trigger: &str, version: &str) -> Option<Timestamp> {
        let of = self.uses.get(&(trigger.to_owned(), version.to_owned()))?;
        of.values().map(|used| used.last).max()
    }

    /// Whether a version whose end has come goes on, because somebody still speaks it and nobody ended it.
    pub fn outlives(&self, trigger: &str, version: &str, quiet: Duration, now: Timestamp) -> bool {
        let is_called = self.last(trigger, version).is_some_and(|last| now < last + quiet);
        is_called && !self.ended.contains(&(trigger.to_owned(), version.to_owned()))
    }

    /// Who spoke a version lately, or sent a field in it; `consumer`: only that one.
    pub fn hit(
        &self,
        (trigger, version): (&str, &str),
        consumer: Option<&str>,
        field: Option<&Field>,
        since: Timestamp,
    ) -> Vec<Hit> {
        let of = self.uses.get(&(trigger.to_owned(), version.to_owned()));
        let all = of.into_iter().flatten();
        let all = all.filter(|(name, _)| consumer.is_none_or(|only| only == name.as_str()));
        all.filter_map(|(name, used)| {
            let last = match field {
                Some(field) => used.sent(field)?,
                None => used.last,
            };
            (last >= since).then(|| Hit { consumer: name.clone(), last })
        })
        .collect()
    }

    /// Whether it has been looked at who uses a trigger from a moment on.
    pub fn covers(&self, trigger: &str, from: Timestamp) -> bool {
        self.since.get(trigger).is_some_and(|since| *since <= from)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_document_s_fields_are_paths() {
        let shape = Shape::of(&json!({"a": {"b": null, "x.y": 1}, "l": [{"s": 1}, {"t": [2]}]}));
        let expected = [".a", ".a.\"x.y\"", ".a.b", ".l", ".l[].s", ".l[].t"];
        assert_eq!(shape.fields.iter().map(String::as_str).collect::<Vec<_>>(), expected);
        assert!(!shape.more);
        let many: serde_json::Map<String, Value> =
            (0..=FIELDS).map(|n| (n.to_string(), json!(1))).collect();
        assert!(Shape::of(&Value::Object(many)).more);
        let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
        assert!(Shape::of(&deep).more);
    }

    #[test]
    fn a_place_in_a_schema_speaks_of_a_field() {
        let shown = |pointer: &str| Field::at(pointer).map(|field| field.shown());
        assert_eq!(shown("/properties/host").as_deref(), Some(".host"));
        assert_eq!(shown("/properties/a/properties/b/enum/3").as_deref(), Some(".a.b"));
        assert_eq!(shown("/properties/l/items/properties/s/type").as_deref(), Some(".l[].s"));
        assert_eq!(shown("/properties/l/items/type").as_deref(), Some(".l"));
        assert_eq!(shown("/allOf/0/then/properties/x").as_deref(), Some(".x"));
        assert_eq!(shown("/$defs/customer/properties/name/type").as_deref(), Some("….name"));
        assert_eq!(shown("/properties/a~1b/type").as_deref(), Some(".a/b"));
        assert_eq!(shown("/required/0"), None);
        assert_eq!(shown(""), None);
        assert_eq!(shown("/additionalProperties"), None);
        // A property of the name of a keyword.
        assert_eq!(shown("/properties/items/type").as_deref(), Some(".items"));
    }

    #[test]
    fn a_field_is_found_in_what_was_sent() {
        let is = |pointer: &str, path: &str| Field::at(pointer).unwrap().is(path);
        assert!(is("/properties/a/properties/b/type", ".a.b"));
        assert!(!is("/properties/b/type", ".a.b"));
        assert!(is("/$defs/x/properties/b/type", ".a.b"));
        assert!(is("/properties/l/items/properties/s", ".l[].s"));
        assert!(is("/properties/m/additionalProperties/properties/s", ".m.anything.s"));
        assert!(!is("/properties/m/additionalProperties/properties/s", ".m[].s"));
        assert!(is("/properties/x.y/type", ".\"x.y\""));
    }

    proptest! {
        /// Whatever a document has is found at the place that describes it.
        #[test]
        fn each_field_is_found_by_its_own_place(
            names in prop::collection::vec("[a-z.\"\\[\\]*/~]{1,4}", 1..5),
            lists in prop::collection::vec(any::<bool>(), 5),
        ) {
            let (mut document, mut pointer) = (json!(1), String::new());
            for (name, list) in names.iter().zip(&lists).rev() {
                let inner = if *list { json!([document]) } else { document };
                document = json!({ name.as_str(): inner });
            }
            for (at, (name, list)) in names.iter().zip(&lists).enumerate() {
                pointer += "/properties/";
                pointer += &name.replace('~', "~0").replace('/', "~1");
                if *list && at + 1 < names.len() {
                    pointer += "/items";
                }
            }
            let field = Field::at(&format!("{pointer}/type")).unwrap();
            let shape = Shape::of(&document);
            prop_assert_eq!(shape.fields.iter().filter(|path| field.is(path)).count(), 1);
        }
    }

    #[test]
    fn who_sent_a_field_is_hit_and_nobody_else() {
        let mut usage = Usage::default();
        let seen = |document: &Value, millis: i64| {
            let mut used = Use::never(at(millis));
            used.has(&Shape::of(document), at(millis));
            used
        };
        usage.add("alert", "1.0.0", "old", &seen(&json!({"host": "h"}), 1_000));
        usage.add("alert", "1.0.0", "old", &seen(&json!({"id": 1}), 9_000));
        usage.add("alert", "1.0.0", "new", &seen(&json!({"id": 1}), 5_000));
        usage.add("alert", "2.0.0", "new", &seen(&json!({"id": 1}), 6_000));
        let field = Field::at("/properties/host/type").unwrap();
        let of = ("alert", "1.0.0");
        let hit = |field: Option<&Field>, consumer: Option<&str>, since: i64| -> Vec<String> {
            let all = usage.hit(of, consumer, field, at(since));
            all.into_iter().map(|hit| hit.consumer).collect()
        };
        assert_eq!(hit(Some(&field), None, 0), ["old"]);
        assert_eq!(hit(Some(&field), None, 1_001), [""; 0], "it was sent before that");
        assert_eq!(hit(None, None, 5_001), ["old"]);
        assert_eq!(hit(None, Some("new"), 0), ["new"]);
        assert_eq!(usage.last("alert", "1.0.0"), Some(at(9_000)));
        let quiet = Duration::from_secs(5);
        assert!(usage.outlives("alert", "1.0.0", quiet, at(13_999)));
        assert!(!usage.outlives("alert", "1.0.0", quiet, at(14_000)));
        usage.ended.insert(("alert".to_owned(), "1.0.0".to_owned()));
        assert!(!usage.outlives("alert", "1.0.0", quiet, at(9_000)));
    }

    #[test]
    fn where_more_was_sent_than_is_known_each_field_may_have_been() {
        let mut used = Use::never(at(7));
        used.has(&Shape { fields: BTreeSet::new(), more: true }, at(7));
        assert_eq!(used.sent(&Field::at("/properties/x").unwrap()), Some(at(7)));
    }
}
