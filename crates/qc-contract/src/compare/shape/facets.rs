//! What the parts of one alternative say together, keyword by keyword, the tightest of each, with where it stands.

use std::collections::{BTreeMap, BTreeSet};

use qc_document::Node;
use serde_json::Value;

use super::super::side::{Side, Spot};
use super::{Conj, Flat};

/// A value and the node that says it.
#[derive(Clone, Debug)]
pub(in super::super) struct Held<'d, T> {
    pub(in super::super) value: T,
    pub(in super::super) spot: Spot<'d>,
}

/// A bound of numbers.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(in super::super) struct Limit {
    pub(in super::super) value: f64,
    pub(in super::super) is_open: bool,
}

/// What may be in an object besides its named properties.
#[derive(Clone, Debug)]
pub(in super::super) enum Additional<'d> {
    /// Nothing is said.
    Unsaid,
    /// Said to be anything.
    Anything(Spot<'d>),
    /// Nothing at all.
    Nothing(Spot<'d>),
    /// What satisfies a schema.
    Schema(Conj<'d>),
}

/// All keywords of an alternative.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Facets<'d> {
    pub(in super::super) values: Option<Held<'d, Vec<&'d Node>>>,
    pub(in super::super) minimum: Option<Held<'d, Limit>>,
    pub(in super::super) maximum: Option<Held<'d, Limit>>,
    pub(in super::super) multiple_of: BTreeMap<String, Held<'d, f64>>,
    pub(in super::super) counts: BTreeMap<&'static str, Held<'d, u64>>,
    pub(in super::super) patterns: BTreeMap<&'d str, Spot<'d>>,
    /// `format`, `contentEncoding` and `contentMediaType`.
    pub(in super::super) words: BTreeMap<&'static str, BTreeMap<&'d str, Spot<'d>>>,
    pub(in super::super) unique_items: Option<Spot<'d>>,
    pub(in super::super) items: Vec<Spot<'d>>,
    pub(in super::super) prefix_items: BTreeMap<usize, Vec<Spot<'d>>>,
    pub(in super::super) properties: BTreeMap<&'d str, Vec<Spot<'d>>>,
    pub(in super::super) required: BTreeMap<&'d str, Spot<'d>>,
    pub(in super::super) additional: Vec<Spot<'d>>,
    /// Keywords that are compared by what they admit: their name and where they stand.
    pub(in super::super) extras: BTreeMap<&'static str, Vec<Spot<'d>>>,
    pub(in super::super) content_schema: Vec<Spot<'d>>,
}

/// Bounds of sizes: the name, and whether the greater is the tighter.
const COUNTS: [(&str, bool); 8] = [
    ("minLength", true),
    ("maxLength", false),
    ("minItems", true),
    ("maxItems", false),
    ("minProperties", true),
    ("maxProperties", false),
    ("minContains", true),
    ("maxContains", false),
];

const WORDS: [&str; 3] = ["format", "contentEncoding", "contentMediaType"];

/// Keywords that only a proof compares.
pub(super) const EXTRAS: [&str; 12] = [
    "not",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "patternProperties",
    "dependentRequired",
    "dependentSchemas",
    "dependencies",
    "unevaluatedItems",
    "unevaluatedProperties",
];

impl<'d> Facets<'d> {
    pub(super) fn of(side: &Side<'d>, flat: &Flat<'d>) -> Self {
        let mut facets = Self::default();
        for part in &flat.parts {
            facets.scalars(*part);
            facets.sizes(*part);
            facets.containers(*part);
        }
        for list in &flat.unspread {
            facets.extras.entry("anyOf").or_default().push(*list);
        }
        facets.read_tuples(side, flat);
        facets
    }

    fn scalars(&mut self, part: Spot<'d>) {
        let listed = part.get("enum").filter(|list| list.node.as_sequence().is_some());
        for spot in listed.into_iter().chain(part.get("const")) {
            let own: Vec<&Node> = match spot.node.as_sequence() {
                Some(items) if listed.is_some_and(|list| list.id() == spot.id()) => {
                    items.iter().collect()
                }
                _ => vec![spot.node],
            };
            self.values = Some(match self.values.take() {
                None => Held { value: own, spot },
                Some(held) => {
                    let both = |value: &&'d Node| own.iter().any(|own| same_value(own, value));
                    Held { value: held.value.into_iter().filter(both).collect(), spot: held.spot }
                }
            });
        }
        self.bound(part, "minimum", "exclusiveMinimum", true);
        self.bound(part, "maximum", "exclusiveMaximum", false);
        if let Some(spot) = part.get("multipleOf")
            && let Some(step) = spot.node.as_f64()
            && step > 0.0
        {
            self.multiple_of.entry(step.to_string()).or_insert(Held { value: step, spot });
        }
        if let Some(spot) = part.get("pattern")
            && let Some(pattern) = spot.node.as_str()
        {
            self.patterns.entry(pattern).or_insert(spot);
        }
        for word in WORDS {
            if let Some(spot) = part.get(word)
                && let Some(text) = spot.node.as_str()
            {
                self.words.entry(word).or_default().entry(text).or_insert(spot);
            }
        }
        if part.text("type") == Some("file") {
            self.words.entry("format").or_default().entry("binary").or_insert(part);
        }
    }

    fn bound(&mut self, part: Spot<'d>, closed: &str, open: &str, is_lower: bool) {
        let number = |key: &str| {
            let spot = part.get(key)?;
            spot.node.as_f64().map(|value| (value, spot))
        };
        let flagged = part.flag(open);
        let mut limits = Vec::new();
        limits.extend(number(closed).map(|(value, spot)| (value, flagged, spot)));
        limits.extend(number(open).map(|(value, spot)| (value, true, spot)));
        let held = if is_lower { &mut self.minimum } else { &mut self.maximum };
        for (value, is_open, spot) in limits {
            let limit = Limit { value, is_open };
            let is_tighter =
                held.as_ref().is_none_or(|held| limit.is_tighter(held.value, is_lower));
            if is_tighter {
                *held = Some(Held { value: limit, spot });
            }
        }
    }

    fn sizes(&mut self, part: Spot<'d>) {
        for (name, greater) in COUNTS {
            let Some(spot) = part.get(name) else { continue };
            let Some(value) = count(spot.node) else { continue };
            // What is always so is not said.
            if greater && value == 0 && name != "minContains" {
                continue;
            }
            let held = self.counts.get(name).map(|held| held.value);
            let is_tighter = held.is_none_or(|h| if greater { value > h } else { value < h });
            if is_tighter {
                self.counts.insert(name, Held { value, spot });
            }
        }
        if part.flag("uniqueItems") {
            self.unique_items = part.get("uniqueItems");
        }
    }

    fn containers(&mut self, part: Spot<'d>) {
        for (name, property) in part.entries("properties") {
            self.properties.entry(name).or_default().push(property);
        }
        for item in part.items("required") {
            if let Some(name) = item.node.as_str().filter(|name| !name.is_empty()) {
                self.required.entry(name).or_insert(item);
            }
        }
        if let Some(additional) = part.get("additionalProperties") {
            self.additional.push(additional);
        }
        if let Some(schema) = part.get("contentSchema") {
            self.content_schema.push(schema);
        }
        for name in EXTRAS {
            if let Some(spot) = part.get(name) {
                self.extras.entry(name).or_default().push(spot);
            }
        }
    }

    /// `items` as a list, and `prefixItems`, are one thing in two generations of the standard.
    fn read_tuples(&mut self, _side: &Side<'d>, flat: &Flat<'d>) {
        for part in &flat.parts {
            let tuple = part.get("items").filter(|items| items.node.as_sequence().is_some());
            let (prefix, rest) = match tuple {
                Some(_) => (tuple, part.get("additionalItems")),
                None => (part.get("prefixItems"), part.get("items")),
            };
            if let Some(prefix) = prefix {
                for (at, item) in prefix.node.as_sequence().unwrap_or_default().iter().enumerate() {
                    self.prefix_items.entry(at).or_default().push(prefix.with(item));
                }
            }
            self.items.extend(rest.filter(|rest| rest.node.as_sequence().is_none()));
        }
    }

    /// What may be in an object besides its named properties.
    pub(in super::super) fn additional(&self) -> Additional<'d> {
        let nothing = self.additional.iter().find(|spot| spot.node.as_bool() == Some(false));
        if let Some(nothing) = nothing {
            return Additional::Nothing(*nothing);
        }
        let is_open = |spot: &Spot<'d>| {
            spot.node.as_bool() == Some(true) || spot.node.as_mapping().is_some_and(<[_]>::is_empty)
        };
        let schemas: Vec<Spot<'d>> =
            self.additional.iter().filter(|spot| !is_open(spot)).copied().collect();
        if !schemas.is_empty() {
            return Additional::Schema(Conj::of(schemas));
        }
        self.additional.first().map_or(Additional::Unsaid, |spot| Additional::Anything(*spot))
    }

    /// The schema of a property, if one is given.
    pub(in super::super) fn property(&self, name: &str) -> Option<Conj<'d>> {
        self.properties.get(name).map(|schemas| Conj::of(schemas.clone()))
    }

    /// Names of properties that are described or required.
    pub(in super::super) fn property_names(&self) -> BTreeSet<&'d str> {
        self.properties.keys().chain(self.required.keys()).copied().collect()
    }
}

impl Limit {
    /// Whether it leaves less than the other.
    pub(in super::super) fn is_tighter(self, other: Self, is_lower: bool) -> bool {
        #[expect(clippy::float_cmp, reason = "bounds are compared as they are written")]
        let same = self.value == other.value;
        if same {
            return self.is_open && !other.is_open;
        }
        if is_lower { self.value > other.value } else { self.value < other.value }
    }
}

impl Facets<'_> {
    /// The list of values of one kind, as values.
    pub(in super::super) fn listed(&self) -> Option<Vec<Value>> {
        let held = self.values.as_ref()?;
        Some(held.value.iter().map(|node| node.to_value()).collect())
    }
}

/// Sizes are whole; `3.0` is one.
fn count(node: &Node) -> Option<u64> {
    if let Some(value) = node.as_i64() {
        return u64::try_from(value).ok();
    }
    let value =
        node.as_f64().filter(|value| value.fract() == 0.0 && *value >= 0.0 && *value < 1e15)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
    let value = value as u64;
    Some(value)
}

/// Whether two values are the same JSON value: numbers by what they are worth, mappings in any order.
pub(in super::super) fn same_value(one: &Node, other: &Node) -> bool {
    use qc_document::NodeValue::{Bool, Mapping, Null, Number, Sequence, String};
    match (&one.value, &other.value) {
        (Null, Null) => true,
        (Bool(one), Bool(other)) => one == other,
        (String(one), String(other)) => one == other,
        (Number(a), Number(b)) => {
            a == b || (a.as_f64() == b.as_f64() && !(is_wide(a) || is_wide(b)))
        }
        (Sequence(one), Sequence(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| same_value(one, other))
        }
        (Mapping(entries), Mapping(others)) => {
            entries.len() == others.len()
                && entries.iter().all(|(key, value)| {
                    other.get(&key.name).is_some_and(|other| same_value(value, other))
                })
        }
        _ => false,
    }
}

/// Whether a number may lose digits as a float.
fn is_wide(number: &serde_json::Number) -> bool {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    number.as_f64().is_none_or(|value| value.abs() >= EXACT)
}
