//! Resources that are there: whoever asks for `/pets/{petId}` first needs a pet.

use std::collections::{BTreeMap, HashMap};

use qc_contract::{Method, OpenApi, Operation, ParameterLocation};
use serde_json::{Map, Value, json};

use crate::cases::{basis, sampled};
use crate::credentials::{Credentials, Sign};
use crate::wire::{Answer, Courier, Wire};

/// Most fields of an answer that are looked through for a list.
const FIELD_LIMIT: usize = 50;

/// The path parameters of an operation that name something that is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) values: Map<String, Value>,
    /// Path parameters for which nothing was found; they are sampled.
    pub(crate) unknown: Vec<String>,
}

/// What was found out about the provider's resources.
pub(crate) struct Resources<'a> {
    pub(crate) api: &'a OpenApi,
    pub(crate) credentials: &'a Credentials,
    pub(crate) seed: u64,
    /// Values that the user gives for path parameters, by name or by `operation.name`.
    pub(crate) given: &'a BTreeMap<String, Value>,
    /// By the path of the collection, filled in.
    pub(crate) found: HashMap<String, Option<Value>>,
}

impl Resources<'_> {
    /// Forgets all: something may have been deleted.
    pub(crate) fn forget(&mut self) {
        self.found.clear();
    }

    /// Finds values for the path parameters of an operation, from left to right: given ones, else an item that is made,
    /// put, or listed.
    pub(crate) async fn known(&mut self, courier: &mut Courier, operation: &Operation) -> Known {
        let mut known = Known::default();
        let segments: Vec<&str> = operation.path.split('/').collect();
        for (at, segment) in segments.iter().enumerate() {
            let name = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            let Some(name) = name.filter(|name| !name.contains('{')) else { continue };
            let given = self.given.get(&format!("{}.{name}", operation.id));
            if let Some(value) = given.or_else(|| self.given.get(name)) {
                known.values.insert(name.to_owned(), value.clone());
                continue;
            }
            let (collection, item) = (segments[..at].join("/"), segments[..=at].join("/"));
            let key = filled(&collection, &known.values);
            let value = if let Some(value) = self.found.get(&key) {
                value.clone()
            } else {
                let value = self.find(courier, name, &collection, &item, &known.values).await;
                self.found.insert(key, value.clone());
                value
            };
            match value {
                Some(value) => {
                    known.values.insert(name.to_owned(), value);
                }
                None => known.unknown.push(name.to_owned()),
            }
        }
        known
    }

    async fn find(
        &self,
        courier: &mut Courier,
        name: &str,
        collection: &str,
        item: &str,
        above: &Map<String, Value>,
    ) -> Option<Value> {
        if let Some(create) = self.operation(Method::Post, collection)
            && let Some((_, answer)) = self.ask(courier, create, above).await
            && let Some(value) = id_of_answer(&answer, name)
        {
            return Some(value);
        }
        if let Some(put) = self.operation(Method::Put, item)
            && let Some((sent, _)) = self.ask(courier, put, above).await
            && let Some(value) = sent.get(name)
        {
            return Some(value.clone());
        }
        let list = self.operation(Method::Get, collection)?;
        let (_, answer) = self.ask(courier, list, above).await?;
        first_item(&answer.json()?).and_then(|item| id_in(item, name))
    }

    fn operation(&self, method: Method, path: &str) -> Option<&Operation> {
        self.api.operations().iter().find(|o| o.method == method && *o.path == *path)
    }

    /// Performs an operation with sampled arguments; its path parameters, and the answer when it was a success.
    async fn ask(
        &self,
        courier: &mut Courier,
        operation: &Operation,
        above: &Map<String, Value>,
    ) -> Option<(Map<String, Value>, Answer)> {
        let mut arguments = basis(self.api, operation, self.seed);
        let mut sent = Map::new();
        for parameter in &operation.parameters {
            if parameter.location == ParameterLocation::Path {
                let value = above.get(&*parameter.name).cloned();
                let value = value.unwrap_or_else(|| sampled(self.api, parameter, self.seed));
                arguments.insert(format!("path.{}", parameter.name), value.clone());
                sent.insert(parameter.name.to_string(), value);
            }
        }
        let built = self.api.build(operation, &Value::Object(arguments)).ok()?;
        let mut wire = Wire::of(&built);
        self.credentials.sign(self.api, operation, Sign::Valid, &mut wire);
        let answer = courier.send(&wire).await.ok()?;
        answer.is_success().then_some((sent, answer))
    }
}

fn filled(template: &str, values: &Map<String, Value>) -> String {
    let mut path = template.to_owned();
    for (name, value) in values {
        path = path.replace(&format!("{{{name}}}"), &format!("={value}"));
    }
    path
}

fn id_of_answer(answer: &Answer, name: &str) -> Option<Value> {
    let in_body = answer.json().and_then(|body| {
        let inner = body.get("data").filter(|data| data.is_object());
        id_in(&body, name).or_else(|| inner.and_then(|inner| id_in(inner, name)))
    });
    in_body.or_else(|| {
        let location = answer.header("location")?;
        let path = location.split(['?', '#']).next()?.trim_end_matches('/');
        let last = path.rsplit('/').next().filter(|last| !last.is_empty())?;
        let decoded = percent_encoding::percent_decode_str(last).decode_utf8().ok()?;
        Some(json!(decoded))
    })
}

/// The id of a resource: the field of the parameter's name, its last word (`id` of `petId` or `pet_id`), or `id`.
fn id_in(resource: &Value, name: &str) -> Option<Value> {
    let fields = resource.as_object()?;
    let plain = |text: &str| text.replace(['_', '-'], "").to_ascii_lowercase();
    let wanted = plain(name);
    let same = fields.iter().find(|(known, _)| plain(known) == wanted);
    let last = fields.iter().filter(|(known, _)| known.len() > 1).find(|(known, _)| {
        let known = plain(known);
        wanted.ends_with(&known)
            && matches!(known.as_str(), "id" | "key" | "uuid" | "number" | "name" | "code")
    });
    let found = same.or(last).map(|(_, value)| value).or_else(|| fields.get("id"));
    found.filter(|value| value.is_string() || value.is_number()).cloned()
}

/// The first object of a list: the answer itself, or a list in one of its fields.
fn first_item(body: &Value) -> Option<&Value> {
    let list = match body {
        Value::Array(_) => Some(body),
        Value::Object(fields) => fields.values().take(FIELD_LIMIT).find(|value| value.is_array()),
        _ => None,
    };
    list?.as_array()?.first()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_by_the_names_that_apis_use() {
        for (name, resource, expected) in [
            ("petId", json!({ "name": "Rex", "id": 7 }), json!(7)),
            ("pet_id", json!({ "petId": "p1", "id": 7 }), json!("p1")),
            ("issue_key", json!({ "id": 1, "key": "QC-1" }), json!("QC-1")),
            ("channel", json!({ "id": "C1", "topic": "x" }), json!("C1")),
        ] {
            assert_eq!(id_in(&resource, name), Some(expected), "{name}");
        }
        assert_eq!(id_in(&json!({ "topic": "x" }), "channel"), None);
        assert_eq!(id_in(&json!({ "id": { "x": 1 } }), "id"), None);
        let page = json!({ "total": 1, "items": [{ "id": 3 }] });
        assert_eq!(first_item(&page), Some(&json!({ "id": 3 })));
        assert_eq!(first_item(&json!({ "items": [] })), None);
    }

    #[test]
    fn the_last_part_of_a_location_is_an_id() {
        let answer = Answer {
            status: 201,
            headers: vec![("Location".to_owned(), "/pets/a%20b?x=1".to_owned())],
            body: bytes::Bytes::new(),
        };
        assert_eq!(id_of_answer(&answer, "petId"), Some(json!("a b")));
    }
}
