//! Declared repairs of an operation's answers: names that changed, and forms that changed without losing anything. They
//! are applied before an answer is held against the contract. What could not be taken back is left as it came, and the
//! contract then says what it is.

use std::{collections::BTreeMap, fmt, str::FromStr};

use qc_document::{Node, ObjectReader, Reader, pointer_segments};
use serde::{Deserialize, Serialize};
use serde_json::{Value, map::Map};

/// The most aliases, and the most coercions, of one operation.
pub const REPAIRS_MAX: usize = 64;
/// The most steps to a place.
const STEPS_MAX: usize = 32;

/// What is put right in an operation's answers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repairs {
    /// Where a field came under a new name, and the name that the contract has for it, in the same object.
    #[serde(default)]
    pub aliases: BTreeMap<Spot, String>,
    /// Where a value came in another form, and which form the contract wants.
    #[serde(default)]
    pub coerce: BTreeMap<Spot, Coercion>,
}

/// A place in answers: a JSON Pointer, in which `*` stands for every item of a list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Spot {
    text: String,
    steps: Vec<String>,
}

/// A form that the contract wants. Each is applied only where the value can be had back from the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coercion {
    /// A text that is a number, written as JSON writes it, becomes that number.
    Number,
    /// A number, true or false becomes a text.
    Text,
    /// The text `true` or `false` becomes that truth value.
    Boolean,
    /// A field that is null is left out.
    Absent,
    /// A single value becomes a list of one.
    List,
    /// A list of one becomes its item.
    Single,
}

/// The words of coercions, as files write them.
const WORDS: [(&str, Coercion); 6] = [
    ("number", Coercion::Number),
    ("text", Coercion::Text),
    ("boolean", Coercion::Boolean),
    ("absent", Coercion::Absent),
    ("list", Coercion::List),
    ("single", Coercion::Single),
];

/// A repair that was made: where, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repaired {
    /// The place as it is declared.
    pub spot: String,
    /// `alias`, or the coercion's word.
    pub what: &'static str,
}

impl Repairs {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.aliases.is_empty() && self.coerce.is_empty()
    }

    /// Why these cannot be made, when somebody gives them in words.
    pub fn refused(&self) -> Option<String> {
        if self.aliases.len() > REPAIRS_MAX || self.coerce.len() > REPAIRS_MAX {
            return Some(format!("at most {REPAIRS_MAX} aliases and as many coercions"));
        }
        let of_fields = self.coerce.iter().filter(|(_, how)| **how == Coercion::Absent);
        let spots = self.aliases.keys().chain(of_fields.map(|(spot, _)| spot));
        spots.into_iter().find_map(Spot::no_field)
    }

    /// Puts an answer right. Gives what was done; nothing when nothing was to be done.
    pub fn apply(&self, answer: &mut Value) -> Vec<Repaired> {
        let mut made = Vec::new();
        for (spot, name) in &self.aliases {
            let Some((last, way)) = spot.steps.split_last() else { continue };
            let renamed = each(answer, way, &mut |object| rename(object, last, name));
            made.extend((renamed > 0).then(|| spot.made("alias")));
        }
        for (spot, how) in &self.coerce {
            let changed = match (how, spot.steps.split_last()) {
                (Coercion::Absent, None) => 0,
                (Coercion::Absent, Some((last, way))) => {
                    each(answer, way, &mut |object| leave_out(object, last))
                }
                (how, _) => each(answer, &spot.steps, &mut |value| how.change(value)),
            };
            made.extend((changed > 0).then(|| spot.made(how.word())));
        }
        made
    }

    pub(super) fn read(mut object: ObjectReader<'_, '_>) -> Option<Self> {
        let reader = object.reader();
        let mut repairs = Self::default();
        for (key, node) in object.entries("aliases") {
            let spot = spot(reader, node, &key.name);
            let name = reader.text(node, "the name that the contract has").map(str::to_owned);
            if let (Some(spot), Some(name)) = (spot, name) {
                repairs.aliases.insert(spot, name);
            }
        }
        for (key, node) in object.entries("coerce") {
            let spot = spot(reader, node, &key.name);
            let word = reader.text(node, "a form");
            let how = word.and_then(|word| {
                let known = Coercion::parse(word);
                if known.is_none() {
                    let words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
                    reader.invalid(node, format!("a form is one of {}", words.join(", ")));
                }
                known
            });
            if let (Some(spot), Some(how)) = (spot, how) {
                repairs.coerce.insert(spot, how);
            }
        }
        let node = object.node();
        object.finish();
        if let Some(why) = repairs.refused() {
            reader.invalid(node, why);
            return None;
        }
        Some(repairs)
    }
}

fn spot(reader: &Reader<'_>, node: &Node, text: &str) -> Option<Spot> {
    match text.parse() {
        Ok(spot) => Some(spot),
        Err(why) => {
            let why: String = why;
            reader.invalid(node, why);
            None
        }
    }
}

impl Coercion {
    /// The coercion of a word.
    pub fn parse(word: &str) -> Option<Self> {
        WORDS.iter().find(|(known, _)| *known == word).map(|(_, how)| *how)
    }

    fn word(self) -> &'static str {
        WORDS.iter().find(|(_, how)| *how == self).map_or("", |(word, _)| word)
    }

    /// Changes a value where nothing is lost; says whether it did.
    fn change(self, value: &mut Value) -> bool {
        let changed = match (self, &mut *value) {
            (Self::Number, Value::String(text)) => {
                // Only as it would be written: `1.50` and `007` say more than the number does.
                let read = serde_json::from_str::<Value>(text).ok();
                let written =
                    |read: &Value| serde_json::to_string(read).is_ok_and(|it| it == *text);
                read.filter(|read| read.is_number() && written(read))
            }
            (Self::Text, Value::Number(number)) => Some(Value::String(number.to_string())),
            (Self::Text, Value::Bool(truth)) => Some(Value::String(truth.to_string())),
            (Self::Boolean, Value::String(text)) => match text.as_str() {
                "true" => Some(Value::Bool(true)),
                "false" => Some(Value::Bool(false)),
                _ => None,
            },
            (Self::List, one) if !one.is_array() && !one.is_null() => {
                Some(Value::Array(vec![one.take()]))
            }
            (Self::Single, Value::Array(items)) if items.len() == 1 => items.pop(),
            _ => None,
        };
        let Some(changed) = changed else { return false };
        *value = changed;
        true
    }
}

/// What was last seen on the way to a place.
fn each(value: &mut Value, way: &[String], deed: &mut impl FnMut(&mut Value) -> bool) -> usize {
    let Some((step, rest)) = way.split_first() else { return usize::from(deed(value)) };
    match value {
        Value::Array(items) if step == "*" => {
            items.iter_mut().map(|item| each(item, rest, deed)).sum()
        }
        Value::Object(fields) => fields.get_mut(step).map_or(0, |inner| each(inner, rest, deed)),
        _ => 0,
    }
}

/// Nothing is overwritten: where both names are, the one that the contract knows counts.
fn rename(object: &mut Value, from: &str, to: &str) -> bool {
    let Value::Object(fields) = object else { return false };
    if fields.contains_key(to) || !fields.contains_key(from) {
        return false;
    }
    let renamed = std::mem::take(fields).into_iter().map(|(key, value)| {
        let key = if key == from { to.to_owned() } else { key };
        (key, value)
    });
    *fields = renamed.collect::<Map<_, _>>();
    true
}

fn leave_out(object: &mut Value, field: &str) -> bool {
    let Value::Object(fields) = object else { return false };
    let null = fields.get(field).is_some_and(Value::is_null);
    null && fields.shift_remove(field).is_some()
}

impl Spot {
    fn made(&self, what: &'static str) -> Repaired {
        Repaired { spot: self.text.clone(), what }
    }

    /// Why it is no place of a field.
    fn no_field(&self) -> Option<String> {
        let named = self.steps.last().is_some_and(|last| last != "*");
        (!named).then(|| format!("`{}` is no place of a field", self.text))
    }
}

impl FromStr for Spot {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.is_empty() && !text.starts_with('/') {
            return Err(format!(
                "`{text}` is no JSON Pointer; one begins with `/`, and `*` stands for every item of a list"
            ));
        }
        let steps: Vec<String> = pointer_segments(text).map(std::borrow::Cow::into_owned).collect();
        if steps.len() > STEPS_MAX {
            return Err(format!("a place has at most {STEPS_MAX} steps"));
        }
        Ok(Self { text: text.to_owned(), steps })
    }
}

impl TryFrom<String> for Spot {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Spot> for String {
    fn from(spot: Spot) -> Self {
        spot.text
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn repairs(aliases: &[(&str, &str)], coerce: &[(&str, Coercion)]) -> Repairs {
        Repairs {
            aliases: aliases
                .iter()
                .map(|(at, to)| (at.parse().unwrap(), (*to).to_owned()))
                .collect(),
            coerce: coerce.iter().map(|(at, how)| (at.parse().unwrap(), *how)).collect(),
        }
    }

    #[test]
    fn names_and_forms_are_put_right_in_every_item() {
        let own = repairs(
            &[("/orders/*/order_id", "id")],
            &[
                ("/orders/*/total", Coercion::Number),
                ("/orders/*/id", Coercion::Text),
                ("/orders/*/note", Coercion::Absent),
                ("/orders/*/lines", Coercion::List),
                ("/page", Coercion::Single),
                ("/more", Coercion::Boolean),
            ],
        );
        let mut answer = json!({"orders": [
            {"order_id": 7, "total": "12.5", "note": null, "lines": {"sku": "x"}},
            {"id": "8", "total": 3, "note": "kept", "lines": []},
        ], "page": [2], "more": "false"});
        let made = own.apply(&mut answer);
        assert_eq!(
            answer,
            json!({"orders": [
                {"id": "7", "total": 12.5, "lines": [{"sku": "x"}]},
                {"id": "8", "total": 3, "note": "kept", "lines": []},
            ], "page": 2, "more": false})
        );
        let what: Vec<&str> = made.iter().map(|one| one.what).collect();
        assert_eq!(what, ["alias", "boolean", "text", "list", "absent", "number", "single"]);
        assert_eq!(own.apply(&mut answer), [], "what is right stays");
    }

    #[test]
    fn what_would_lose_something_is_left_as_it_came() {
        let own = repairs(
            &[("/new", "old")],
            &[
                ("/n", Coercion::Number),
                ("/b", Coercion::Boolean),
                ("/s", Coercion::Single),
                ("/l", Coercion::List),
            ],
        );
        for n in
            ["1.50", "007", "1e3", " 1", "0x10", "-0", "18446744073709551616", "", "NaN", "[1]"]
        {
            let came = json!({"n": n, "b": "TRUE", "s": [1, 2], "l": null, "new": 1, "old": 2});
            let mut answer = came.clone();
            assert_eq!(own.apply(&mut answer), [], "{n}");
            assert_eq!(answer, came);
        }
    }

    #[test]
    fn places_are_pointers_and_fields_where_a_field_is_meant() {
        assert!("order".parse::<Spot>().is_err());
        assert!("/x".repeat(33).parse::<Spot>().is_err());
        assert_eq!(
            repairs(&[("/a/*", "b")], &[]).refused().unwrap(),
            "`/a/*` is no place of a field"
        );
        assert!(repairs(&[], &[("", Coercion::Absent)]).refused().is_some());
        assert_eq!(repairs(&[], &[("", Coercion::List)]).refused(), None);
        let many = (0..=REPAIRS_MAX).map(|n| (format!("/{n}").parse().unwrap(), Coercion::Text));
        let many = Repairs { aliases: BTreeMap::new(), coerce: many.collect() };
        assert!(many.refused().is_some());
        let many = |count: usize| {
            let aliases = (0..count).map(|n| (format!("/{n}").parse().unwrap(), "a".to_owned()));
            Repairs { aliases: aliases.collect(), coerce: BTreeMap::new() }.refused()
        };
        assert!(many(REPAIRS_MAX).is_none() && many(REPAIRS_MAX + 1).is_some());
        // A number is a field's name, and no place in a list.
        let mut answer = json!({"lines": ["1"], "by": {"0": "1"}});
        let own = repairs(&[], &[("/lines/0", Coercion::Number), ("/by/0", Coercion::Number)]);
        assert_eq!(own.apply(&mut answer).len(), 1);
        assert_eq!(answer, json!({"lines": ["1"], "by": {"0": 1}}));
    }

    fn leaf() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_filter("a number of JSON", |n| n.is_finite()).prop_map(Value::from),
            "(-?[0-9]{1,22}|[0-9.e-]{1,9}|true|false|[a-z]{0,6})".prop_map(Value::from),
        ]
    }

    proptest! {
        /// Each coercion that happens can be taken back by the one that goes the other way.
        #[test]
        fn what_is_coerced_can_be_had_back(value in leaf()) {
            let turn = [
                (Coercion::Number, Coercion::Text),
                (Coercion::Text, if value.is_boolean() { Coercion::Boolean } else { Coercion::Number }),
                (Coercion::Boolean, Coercion::Text),
                (Coercion::List, Coercion::Single),
            ];
            for (there, back) in turn {
                let mut changed = value.clone();
                if !there.change(&mut changed) {
                    prop_assert_eq!(&changed, &value);
                    continue;
                }
                prop_assert!(back.change(&mut changed), "{} cannot be taken back", there.word());
                prop_assert_eq!(&changed, &value);
            }
        }

        /// An alias loses no field and no value.
        #[test]
        fn an_alias_keeps_all_values(fields in proptest::collection::btree_map("[a-d]", any::<u8>(), 0..4)) {
            let came: Map<String, Value> = fields.iter().map(|(key, n)| (key.clone(), Value::from(*n))).collect();
            let mut answer = Value::Object(came.clone());
            repairs(&[("/a", "d")], &[]).apply(&mut answer);
            let now = answer.as_object().unwrap();
            prop_assert_eq!(now.len(), came.len());
            let moved = came.contains_key("a") && !came.contains_key("d");
            for (key, value) in &came {
                let key = if moved && key == "a" { "d" } else { key.as_str() };
                prop_assert_eq!(now.get(key), Some(value));
            }
        }
    }
}
