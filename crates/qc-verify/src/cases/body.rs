//! Cases about the body: valid ones, documented examples, and one wrong field at a time.

use qc_contract::Direction;
use serde_json::{Map, Value};

use super::{Change, Expects, Kind, Maker, Plan, argument, body_content, sampled};
use crate::credentials::Sign;
use crate::vary::{self, LENGTH_LIMIT};
use crate::wire::is_json;

/// How many different sampled bodies are sent.
const SAMPLES: u64 = 3;

impl Maker<'_> {
    pub(super) fn valid(&mut self) {
        self.add(Self::valid_plan("valid", "a sampled request", Change::Nothing));
        for parameter in self.operation.parameters.iter().filter(|parameter| !parameter.required) {
            let mut arguments = self.basis.clone();
            arguments.insert(argument(parameter), sampled(self.api, parameter, self.seed));
            let change = Change::Arguments(arguments);
            if self.changed(&change).is_some_and(|wire| self.admits(&wire)) {
                let location = parameter.location.as_str();
                let slug = format!("{location}/{}/given", parameter.name);
                let name = format!("with the optional {location} parameter `{}`", parameter.name);
                let mut plan = Self::valid_plan(slug, name, change);
                if is_opaque(&parameter.name) {
                    plan.expects = Expects::Tolerated;
                }
                self.add(plan);
            }
        }
        let Some(content) = body_content(self.operation) else { return };
        for (nth, (pointer, place, value)) in self.api.examples(content).into_iter().enumerate() {
            let slug = format!("example-{}", nth + 1);
            let name = format!("the documented example {}", nth + 1);
            let mut arguments = self.basis.clone();
            arguments.insert("body".to_owned(), value.clone());
            let plan = Self::valid_plan(slug, name, Change::Arguments(arguments));
            self.add_at(plan, pointer.to_string(), place);
        }
        let Some(schema) = content.schema.clone() else { return };
        if self.operation.request_body.as_ref().is_some_and(|body| !body.required) {
            let mut arguments = self.basis.clone();
            arguments.remove("body");
            let change = Change::Arguments(arguments);
            if self.changed(&change).is_some_and(|wire| wire.body.is_empty()) {
                self.add(Self::valid_plan("without-body", "without the optional body", change));
            }
        }
        for turn in 1..SAMPLES {
            let value = self.api.sample(&schema, Direction::Request, self.seed.wrapping_add(turn));
            self.add_valid_body(&format!("valid-{}", turn + 1), "another sampled body", value);
        }
        if let Some(body) = self.basis.get("body") {
            let full = self.api.schema(&schema, Direction::Request);
            let least = least(&full, &[&full], body, 0);
            self.add_valid_body("least", "a body with its required fields only", least);
        }
    }

    fn add_valid_body(&mut self, slug: &str, name: &str, value: Value) {
        let mut arguments = self.basis.clone();
        if arguments.get("body") == Some(&value) {
            return;
        }
        arguments.insert("body".to_owned(), value);
        let change = Change::Arguments(arguments);
        if self.changed(&change).is_some_and(|wire| self.admits(&wire)) {
            self.add(Self::valid_plan(slug, name, change));
        }
    }

    pub(super) fn body(&mut self) {
        let Some(content) = body_content(self.operation) else { return };
        let Some(at) = content.schema.clone() else {
            self.skip("fields of the body", "the description says nothing about them");
            return;
        };
        let Some(media_type) = self.wire.media_type.clone() else { return };
        if !is_json(&media_type) && !media_type.contains("urlencoded") {
            self.skip(
                "fields of the body",
                format!("bodies of `{media_type}` are not taken apart"),
            );
            return;
        }
        let schema = self.api.schema(&at, Direction::Request);
        let Some(body) = self.basis.get("body").cloned() else { return };
        let (pointer, place) = (at.pointer().to_owned(), self.api.place_of(&at));
        for variation in vary::variations(&schema, &body, self.seed) {
            let change = Change::Body(variation.value);
            let Some(wire) = self.changed(&change) else { continue };
            let is_admitted = self.admits(&wire);
            // A change that came out otherwise than it was meant says nothing about the field.
            if variation.keeps.is_some_and(|keeps| keeps != is_admitted) {
                continue;
            }
            let field = if variation.pointer.is_empty() {
                "the body".to_owned()
            } else {
                format!("the body's `{}`", variation.pointer)
            };
            let plan = Plan {
                slug: format!("body{}/{}", variation.pointer, variation.slug),
                name: format!("{field} {}", variation.words),
                kind: if is_admitted { Kind::Valid } else { Kind::Body },
                change,
                sign: Sign::Valid,
                expects: if is_admitted { Expects::Accepted } else { Expects::Refused },
            };
            self.add_at(plan, pointer.clone(), place.clone());
        }
        if has_large_limit(&schema) {
            self.skip("limits of lengths", format!("lengths above {LENGTH_LIMIT} are not made"));
        }
    }
}

/// Whether values of a parameter come from earlier answers, so that a made one may be refused though the schema admits it.
fn is_opaque(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["cursor", "token", "continuation", "marker", "after", "before"]
        .iter()
        .any(|w| name.contains(w))
}

/// Whether a limit of a length is beyond what is made.
fn has_large_limit(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => fields.iter().any(|(key, value)| {
            let is_limit = matches!(key.as_str(), "maxLength" | "maxItems");
            is_limit && value.as_u64().is_some_and(|limit| limit > LENGTH_LIMIT)
                || has_large_limit(value)
        }),
        Value::Array(items) => items.iter().any(has_large_limit),
        _ => false,
    }
}

/// A value without the fields that nothing requires.
fn least<'a>(root: &'a Value, schemas: &[&'a Value], value: &Value, depth: usize) -> Value {
    let schemas = vary::spread(root, schemas);
    match value {
        Value::Object(fields) if depth < 32 => {
            let names = vary::required(&schemas);
            let kept = fields.iter().filter(|(name, _)| names.contains(&name.as_str()));
            let kept: Map<String, Value> = kept
                .map(|(name, value)| {
                    let inner = vary::properties(&schemas, name);
                    (name.clone(), least(root, &inner, value, depth + 1))
                })
                .collect();
            Value::Object(kept)
        }
        other => other.clone(),
    }
}
