//! What one integration may do with a connector and see of its answers. A connector, and a connection, serves many
//! integrations; each has a binding of its own.

use std::{collections::BTreeMap, time::Duration};

use http::Method;
use qc_expression::{Expression, Limits, Scope};
use qc_model::{BlobValue, Class, Failure, Timestamp};
use qc_workflow::OutputShape;
use serde_json::{Map, Value};

use super::job::Job;
use crate::codes;

/// A binding.
#[derive(Debug, Clone, Default)]
pub struct Binding {
    /// The operations that may be called, and what is seen of their answers; None: all, whole.
    pub operations: Option<BTreeMap<String, View>>,
    /// How often.
    pub quota: Option<Quota>,
}

/// So many calls in each window of a length; windows begin at multiples of it since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// How many.
    pub calls: u32,
    /// The window's length.
    pub per: Duration,
}

/// What is seen of an operation's answers.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// Where in an answer the items are; empty: the answer is the item, or the list of them.
    pub items: FieldPath,
    /// Which items are seen: a jq expression over each.
    pub rows: Option<Expression>,
    /// Which fields of an item are seen; None: all.
    pub fields: Option<Vec<FieldPath>>,
    /// What is seen of an answer beside its items, such as the next page's cursor.
    pub beside: Vec<FieldPath>,
}

/// The keys on the way to a field. Lists on the way are gone through: `lines.price` is the price of every line.
pub type FieldPath = Vec<String>;

impl Binding {
    /// Whether the operation may be called.
    pub fn permits(&self, operation: &str) -> bool {
        self.operations.as_ref().is_none_or(|known| known.contains_key(operation))
    }

    fn view(&self, operation: &str) -> Option<&View> {
        self.operations.as_ref()?.get(operation).filter(|view| !view.is_open())
    }
}

impl View {
    /// Whether everything is seen.
    fn is_open(&self) -> bool {
        self.rows.is_none() && self.fields.is_none()
    }

    /// What is seen of an answer; None: it is one item, and not seen. Err: in words, why nothing can be said.
    pub fn of(&self, answer: Value, now: Timestamp) -> Result<Option<Value>, String> {
        // Pages come as one list of their items.
        if self.items.is_empty() || answer.is_array() {
            return self.of_items(answer, now);
        }
        let wanted = self.items.iter().try_fold(&answer, |at, key| at.get(key));
        let Some(found) = wanted.cloned() else { return Ok(Some(self.beside(&answer))) };
        let mut seen = self.beside(&answer);
        if let Some(items) = self.of_items(found, now)? {
            put(&mut seen, &self.items, items);
        }
        Ok(Some(seen))
    }

    fn of_items(&self, items: Value, now: Timestamp) -> Result<Option<Value>, String> {
        let Value::Array(items) = items else {
            return Ok(self.shows(&items, now)?.then(|| self.narrowed(items)));
        };
        let mut seen = Vec::with_capacity(items.len());
        for item in items {
            if self.shows(&item, now)? {
                seen.push(self.narrowed(item));
            }
        }
        Ok(Some(Value::Array(seen)))
    }

    fn shows(&self, item: &Value, now: Timestamp) -> Result<bool, String> {
        let Some(rows) = &self.rows else { return Ok(true) };
        let scope = Scope { variables: &[], now_ms: now.as_millis(), limits: Limits::default() };
        let seen = rows.evaluate(item, &scope).map_err(|error| format!("`rows` fails: {error}"))?;
        Ok(!matches!(seen, Value::Null | Value::Bool(false)))
    }

    fn narrowed(&self, item: Value) -> Value {
        let Some(fields) = &self.fields else { return item };
        let paths: Vec<&[String]> = fields.iter().map(Vec::as_slice).collect();
        only(item, &paths)
    }

    fn beside(&self, answer: &Value) -> Value {
        let paths: Vec<&[String]> = self.beside.iter().map(Vec::as_slice).collect();
        only(answer.clone(), &paths)
    }
}

/// Only what lies on these paths. What has no fields where a path goes on is not seen at all.
fn only(value: Value, paths: &[&[String]]) -> Value {
    match value {
        Value::Object(fields) => {
            let seen = fields.into_iter().filter_map(|(key, inner)| {
                let rests = paths.iter().filter(|path| path.first() == Some(&key));
                let rests: Vec<&[String]> = rests.map(|path| &path[1..]).collect();
                match rests.as_slice() {
                    [] => None,
                    rests if rests.iter().any(|rest| rest.is_empty()) => Some((key, inner)),
                    rests => Some((key, only(inner, rests))),
                }
            });
            Value::Object(seen.collect())
        }
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| only(item, paths)).collect())
        }
        _ => Value::Null,
    }
}

fn put(root: &mut Value, path: &[String], value: Value) {
    let Some((key, rest)) = path.split_first() else {
        *root = value;
        return;
    };
    if !root.is_object() {
        *root = Value::Object(Map::new());
    }
    put(&mut root[key.as_str()], rest, value);
}

impl Job<'_> {
    fn binding(&self) -> Option<(&Binding, &str)> {
        let bound = self.connector.is_some() && !self.effect.of_platform;
        let operation = self.operation.filter(|_| bound)?;
        Some((self.release.binding(&self.label)?, &operation.id))
    }

    /// The quota of the binding.
    pub(super) fn quota(&self) -> Option<Quota> {
        self.binding()?.0.quota
    }

    /// Refuses an operation that the binding does not include.
    pub(super) fn permitted(&self) -> Result<(), Box<Failure>> {
        match self.binding() {
            Some((binding, operation)) if !binding.permits(operation) => {
                let what = "is not among the operations of the integration's binding";
                Err(outside(Class::Policy, format!("`{}.{operation}` {what}", self.label)))
            }
            _ => Ok(()),
        }
    }

    /// What the integration sees of a good answer.
    pub(super) fn seen(&self, content: Value, now: Timestamp) -> Result<Value, Box<Failure>> {
        let Some((binding, operation)) = self.binding() else { return Ok(content) };
        let Some(view) = binding.view(operation) else { return Ok(content) };
        let as_bytes = self.shape == OutputShape::Raw || BlobValue::of(&content).is_some();
        let seen = if as_bytes {
            Err("its answer came as bytes, of which no rows or fields can be told".to_owned())
        } else {
            view.of(content, now)
        };
        let name = format!("{}.{operation}", self.label);
        match seen {
            Ok(Some(seen)) => Ok(seen),
            // What was written is written, whether its answer is seen or not.
            _ if !self.reads() => Ok(Value::Null),
            Ok(None) => {
                let why = "what was answered is not among the rows of the integration's binding";
                Err(outside(Class::NotFound, format!("`{name}`: {why}")))
            }
            Err(why) => Err(outside(Class::Policy, format!("`{name}`: {why}"))),
        }
    }

    /// Whether the integration may not see all of an answer.
    pub(super) fn is_narrowed(&self) -> bool {
        self.binding().is_some_and(|(binding, operation)| binding.view(operation).is_some())
    }

    fn reads(&self) -> bool {
        self.operation.is_some_and(|operation| {
            [Method::GET.as_str(), Method::HEAD.as_str()].contains(&operation.method.as_str())
        })
    }
}

fn outside(class: Class, detail: String) -> Box<Failure> {
    let title = "Outside of what the integration may do with a system";
    Box::new(Failure::new(class, codes::OUT_OF_BINDING, title, detail))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(0);

    fn view(items: &str, rows: Option<&str>, fields: Option<&[&str]>) -> View {
        let path = |text: &str| -> FieldPath {
            text.split('.').filter(|part| !part.is_empty()).map(str::to_owned).collect()
        };
        View {
            items: path(items),
            rows: rows.map(|text| Expression::parse(text, &[]).unwrap()),
            fields: fields.map(|fields| fields.iter().map(|field| path(field)).collect()),
            beside: vec![path("next")],
        }
    }

    #[test]
    fn rows_and_fields_are_those_of_the_view() {
        let answer = json!({
            "cases": [
                {"id": 1, "region": "emea", "customer": {"name": "A", "iban": "DE1"}, "lines": [{"sku": "x", "cost": 3}]},
                {"id": 2, "region": "apac", "customer": {"name": "B", "iban": "DE2"}, "lines": []},
            ],
            "next": "c2", "debug": "all of it",
        });
        let own =
            view("cases", Some(".region == \"emea\""), Some(&["id", "customer.name", "lines.sku"]));
        assert_eq!(
            own.of(answer.clone(), NOW).unwrap(),
            Some(
                json!({"next": "c2", "cases": [{"id": 1, "customer": {"name": "A"}, "lines": [{"sku": "x"}]}]})
            )
        );
        // An answer without the list shows nothing beside what is named.
        let other = view("data.cases", None, Some(&["id"]));
        assert_eq!(other.of(answer, NOW).unwrap(), Some(json!({"next": "c2"})));
    }

    #[test]
    fn one_item_is_seen_or_not_and_what_has_no_fields_is_not() {
        let own = view("", Some(".region == \"emea\""), Some(&["id"]));
        assert_eq!(own.of(json!({"id": 1, "region": "apac"}), NOW).unwrap(), None);
        assert_eq!(
            own.of(json!({"id": 1, "region": "emea"}), NOW).unwrap(),
            Some(json!({"id": 1}))
        );
        let fields = view("", None, Some(&["id.inner"]));
        assert_eq!(fields.of(json!({"id": "whole"}), NOW).unwrap(), Some(json!({"id": null})));
        assert_eq!(fields.of(json!("whole"), NOW).unwrap(), Some(Value::Null));
        assert!(own.of(json!(7), NOW).is_err(), "a row that cannot be judged is not shown");
    }

    proptest! {
        /// Two integrations of one connector with views that are apart see nothing of each other's.
        #[test]
        fn two_bindings_see_apart(items in proptest::collection::vec((0..1_000_u32, any::<bool>()), 0..40)) {
            let items: Vec<Value> = items
                .into_iter()
                .map(|(id, emea)| json!({"id": id, "region": if emea { "emea" } else { "apac" }, "left": id, "right": id}))
                .collect();
            let total = items.len();
            let left = view("", Some(".region == \"emea\""), Some(&["left"]));
            let right = view("", Some(".region != \"emea\""), Some(&["right"]));
            let seen = |view: &View| match view.of(Value::Array(items.clone()), NOW).unwrap().unwrap() {
                Value::Array(items) => items,
                other => panic!("{other}"),
            };
            let (left, right) = (seen(&left), seen(&right));
            prop_assert_eq!(left.len() + right.len(), total);
            prop_assert!(left.iter().all(|item| item.get("left").is_some() && item.as_object().unwrap().len() == 1));
            prop_assert!(right.iter().all(|item| item.get("right").is_some() && item.as_object().unwrap().len() == 1));
        }
    }
}
