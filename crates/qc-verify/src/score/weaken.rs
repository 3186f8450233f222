//! Checks that a provider may forget: one keyword at one place of its requests.

use qc_contract::{Direction, Mismatch, OpenApi, Operation, ParameterLocation};
use serde_json::Value;

use crate::cases::{body_content, mismatches};
use crate::vary::{kinds, required};
use crate::wire::{Wire, is_json};

/// How deep places are looked at.
const DEPTH_LIMIT: usize = 5;
/// Most checks of one operation.
const LIMIT: usize = 300;

/// Keywords that refuse values.
const KEYWORDS: [&str; 17] = [
    "type",
    "enum",
    "const",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "format",
    "minItems",
    "maxItems",
    "uniqueItems",
    "oneOf",
    "anyOf",
];

/// One check that is not made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Forgotten {
    /// `/body/…`, `/query/…` or `/header/…`, with `*` for the places of a list.
    pub(super) pointer: String,
    pub(super) keyword: String,
    /// For `required`: of which field.
    field: Option<String>,
}

/// Every check of an operation's body, query and headers. What is in a path decides which resource is meant, and a
/// provider without that check says that there is none.
pub(super) fn of(api: &OpenApi, operation: &Operation) -> Vec<Forgotten> {
    let mut all = Vec::new();
    for parameter in &operation.parameters {
        if !matches!(parameter.location, ParameterLocation::Query | ParameterLocation::Header) {
            continue;
        }
        let pointer = format!("/{}/{}", parameter.location.as_str(), parameter.name);
        if parameter.required {
            let keyword = "argument".to_owned();
            all.push(Forgotten { pointer: pointer.clone(), keyword, field: None });
        }
        if let Some(schema) = &parameter.schema {
            let schema = api.schema(schema, Direction::Request);
            let mut found = Vec::new();
            walk(&schema, &schema, &pointer, 0, &mut found);
            // On the wire every parameter is text: that one is of type string cannot be broken.
            let is_text = |forgotten: &Forgotten| {
                forgotten.keyword == "type" && kinds(&schema).contains("string")
            };
            all.extend(found.into_iter().filter(|forgotten| !is_text(forgotten)));
        }
    }
    if let Some(content) = body_content(operation).filter(|content| is_json(&content.media_type))
        && let Some(schema) = &content.schema
    {
        let schema = api.schema(schema, Direction::Request);
        walk(&schema, &schema, "/body", 0, &mut all);
    }
    all
}

fn walk(root: &Value, schema: &Value, pointer: &str, depth: usize, all: &mut Vec<Forgotten>) {
    if depth > DEPTH_LIMIT || all.len() >= LIMIT {
        return;
    }
    let schemas = together(root, schema);
    let mut put = |keyword: &str, field: Option<String>| {
        let pointer = pointer.to_owned();
        let forgotten = Forgotten { pointer, keyword: keyword.to_owned(), field };
        if !all.contains(&forgotten) {
            all.push(forgotten);
        }
    };
    // Whoever looks whether a value is one of the allowed ones has looked at its type, too.
    let is_listed = schemas.iter().any(|s| s.get("enum").is_some() || s.get("const").is_some());
    for keyword in KEYWORDS.into_iter().filter(|keyword| !(is_listed && *keyword == "type")) {
        // `uniqueItems: false` and limits that admit everything refuse nothing.
        let is_check = |value: &Value| {
            *value != Value::Bool(false)
                && !(keyword.starts_with("min")
                    && keyword != "minimum"
                    && value.as_u64() == Some(0))
        };
        if schemas.iter().any(|schema| schema.get(keyword).is_some_and(is_check)) {
            put(keyword, None);
        }
    }
    if schemas.iter().any(|schema| schema.get("additionalProperties") == Some(&Value::Bool(false)))
    {
        put("additionalProperties", None);
    }
    for name in required(&schemas) {
        put("required", Some(name.to_owned()));
    }
    for schema in &schemas {
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, inner) in properties.into_iter().flatten() {
            walk(root, inner, &crate::vary::below(pointer, name), depth + 1, all);
        }
        if let Some(inner) = schema.get("items") {
            walk(root, inner, &format!("{pointer}/*"), depth + 1, all);
        }
    }
}

/// The schemas that must all hold for a place. What alternatives say is a check of the alternatives.
fn together<'a>(root: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    let all = crate::vary::spread(root, &[schema]);
    let alternatives = all.iter().flat_map(|schema| {
        ["anyOf", "oneOf"].into_iter().filter_map(|key| schema.get(key)?.as_array()).flatten()
    });
    let below: Vec<&Value> = alternatives.collect();
    let in_alternative = crate::vary::spread(root, &below);
    all.into_iter()
        .filter(|s| !in_alternative.iter().any(|other| std::ptr::eq(*other, *s)))
        .collect()
}

impl Forgotten {
    pub(super) fn words(&self) -> String {
        match &self.field {
            Some(field) => format!("does not check that `{}` has `{field}`", self.pointer),
            None => format!("does not check `{}` of `{}`", self.keyword, self.pointer),
        }
    }

    /// What is wrong with a request. A parameter is text on the wire: as what it is read decides what is wrong with it.
    fn found(&self, api: &OpenApi, operation: &Operation, wire: &Wire) -> Vec<Mismatch> {
        let mut found = mismatches(api, operation, wire);
        let parameter = operation.parameters.iter().find(|parameter| {
            self.pointer == format!("/{}/{}", parameter.location.as_str(), parameter.name)
        });
        let Some((parameter, at)) = parameter.and_then(|p| Some((p, p.schema.as_ref()?))) else {
            return found;
        };
        let pairs = match parameter.location {
            ParameterLocation::Query => &wire.query,
            _ => &wire.headers,
        };
        let same = |(name, _): &&(String, String)| name.eq_ignore_ascii_case(&parameter.name);
        let parsed = pairs.iter().find(same).and_then(|(_, text)| serde_json::from_str(text).ok());
        let is_text = kinds(&api.schema(at, Direction::Request)).contains("string");
        if let (Some(value), false) = (parsed, is_text) {
            found.retain(|mismatch| mismatch.pointer != self.pointer);
            for mut mismatch in api.check(at, Direction::Request, &value) {
                mismatch.pointer.insert_str(0, &self.pointer);
                found.push(mismatch);
            }
        }
        found
    }

    /// Makes a request valid whose only fault is what is not checked: so the provider behaves as if it had not looked.
    pub(super) fn repair(
        &self,
        api: &OpenApi,
        operation: &Operation,
        valid: &Wire,
        wire: &mut Wire,
    ) {
        let found = self.found(api, operation, wire);
        let is_mine = |mismatch: &Mismatch| {
            let same_field = self
                .field
                .as_ref()
                .is_none_or(|field| mismatch.message.starts_with(&format!("`{field}` ")));
            mismatch.keyword == self.keyword
                && same_field
                && starred(&mismatch.pointer) == self.pointer
        };
        if found.is_empty() || !found.iter().all(is_mine) {
            return;
        }
        if self.pointer.starts_with("/body") {
            wire.body = valid.body.clone();
            wire.media_type.clone_from(&valid.media_type);
            return;
        }
        let mut parts = self.pointer.trim_start_matches('/').splitn(3, '/');
        let (place, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if place == "query" {
            wire.query.retain(|(known, _)| known != name);
            wire.query.extend(valid.query.iter().filter(|(known, _)| known == name).cloned());
        } else {
            wire.drop_header(name);
            let same = |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
            wire.headers.extend(valid.headers.iter().filter(same).cloned());
        }
    }
}

/// A pointer with `*` for numbers: where in a list something stands does not matter.
fn starred(pointer: &str) -> String {
    let segments = pointer.split('/').map(|segment| {
        let is_number = !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { "*" } else { segment }
    });
    segments.collect::<Vec<_>>().join("/")
}
