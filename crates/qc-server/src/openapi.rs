use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::api::{Place, ROUTES, Route, VERSION};

/// A problem document, as described to callers.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
struct ProblemDocument {
    /// The address of the code's page.
    r#type: String,
    /// The kind of problem.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What happened this time.
    detail: String,
    /// The stable code, such as `QC-A005`.
    code: String,
    /// What kind it is, as of runs and connectors: `auth`, `permission`, `invalid` and so on.
    class: String,
    /// What to do: `fix_request`, `fix_project`, `refresh_token`, `reconsent`, `wait_until`, `migrate`, `contact_owner`, `retry`, `none`.
    next_action: String,
    /// Where it fails: `sender` (who asked), `ours` (this platform and what runs on it), `system` (another system).
    hop: String,
    /// The address of the code's page; the same as `type`, but for limits.
    page: String,
    /// The request, as the log names it.
    instance: Option<String>,
    /// Who owns the failing hop.
    owner: Option<String>,
    /// Where the owner is reached.
    contact: Option<String>,
    /// The same request is not sent again before this moment; for `wait_until`, and `retry` with a pause.
    not_before: Option<String>,
    /// For `refresh_token`: how a credential is got: `kind`, and `token_endpoint` with `grant_type`, or `command`.
    credential: Option<Value>,
    /// For `migrate`: the version that has ended (`from`), its successor (`to`), the header field that says the version
    /// (`header`), the successor's address (`address`), the guide (`guide`).
    migration: Option<Value>,
    /// Seconds after which to try again.
    retry_after: Option<u64>,
    /// The limits that are used up, by name; then `type` is the standard's `quota-exceeded`.
    #[serde(rename = "violated-policies")]
    violated: Option<Vec<String>>,
    /// The run that it concerns.
    run: Option<String>,
    /// The wrong places of the request: `pointer` into the body or the name of a `header` field, `detail`, and what is
    /// taken there: `expected`, a JSON Schema of one keyword, beside those `maxBytes`, and `new` (a value not sent before).
    errors: Option<Vec<Value>>,
    /// Problems of files that the request carried.
    findings: Option<Vec<Value>>,
}

/// The API's OpenAPI 3.1 document, made from the table of routes. The committed copy, `openapi/quickconnect-v1.json`,
/// is compared with it by a test.
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let problem = generator.subschema_for::<ProblemDocument>();
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let operation = operation(route, &mut generator, &problem);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_ascii_lowercase()] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "QuickConnect management API",
            "version": VERSION,
            "description": "What the command line `qc` speaks. Events come in elsewhere: \
                `POST /in/{environment}/{integration}/{trigger}`.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "`qc tokens create` makes one" },
            },
        },
    })
}

fn operation(route: &Route, generator: &mut SchemaGenerator, problem: &Schema) -> Value {
    use crate::api::Answer;
    let parameters: Vec<Value> = route
        .parameters
        .iter()
        .map(|parameter| {
            let path = parameter.place == Place::Path;
            json!({
                "name": parameter.name,
                "in": if path { "path" } else { "query" },
                "required": path,
                "description": parameter.summary,
                "schema": { "type": "string" },
            })
        })
        .collect();
    let content = |media_type: &str, schema: Value| json!({ media_type: { "schema": schema } });
    let mut success = json!({ "description": route.summary });
    match route.answer {
        Answer::Json(schema) => {
            success["content"] = content("application/json", json!(schema(generator)));
        }
        Answer::Lines(schema) => {
            success["content"] = content("application/x-ndjson", json!(schema(generator)));
        }
        Answer::Text(media_type) => {
            let plain = media_type.split(';').next().unwrap_or(media_type);
            success["content"] = content(plain, json!({}));
        }
        Answer::Nothing => {}
    }
    let mut operation = json!({
        "operationId": route.id,
        "summary": route.summary,
        "x-quickconnect-action": route.action.as_str(),
        "parameters": parameters,
        "responses": {
            route.status.to_string(): success,
            "default": {
                "description": "A problem (RFC 9457)",
                "content": content("application/problem+json", json!(problem)),
            },
        },
    });
    if let Some(body) = route.body {
        let schema = json!(body(generator));
        operation["requestBody"] = json!({ "content": content("application/json", schema) });
    }
    operation
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn the_committed_document_is_this_one() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi/quickconnect-v1.json");
        let made = serde_json::to_string_pretty(&document()).unwrap() + "\n";
        // QC_ACCEPT=1 writes the file anew, for a change that is meant.
        if option_env!("QC_ACCEPT").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &made).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == made, "the API changed: look at the change and run with QC_ACCEPT=1");
    }

    #[test]
    fn every_route_is_unique_and_its_parameters_are_those_of_its_path() {
        let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());
        for route in ROUTES {
            assert!(ids.insert(route.id), "{} stands twice", route.id);
            assert!(places.insert((route.method.as_str(), route.path)), "{} twice", route.path);
            let in_path: BTreeSet<&str> = route
                .path
                .split('/')
                .filter_map(|s| s.strip_prefix('{')?.strip_suffix('}'))
                .collect();
            let declared: BTreeSet<&str> = route
                .parameters
                .iter()
                .filter(|parameter| parameter.place == Place::Path)
                .map(|parameter| parameter.name)
                .collect();
            assert_eq!(in_path, declared, "{}", route.id);
        }
    }

    #[test]
    fn every_reference_of_the_document_leads_somewhere() {
        fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
            match value {
                Value::Object(object) => {
                    found.extend(object.get("$ref").and_then(Value::as_str));
                    object.values().for_each(|value| references(value, found));
                }
                Value::Array(items) => items.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }
        let (document, mut found) = (document(), Vec::new());
        references(&document, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
        }
        let (api, findings) = qc_contract::OpenApi::load(
            &std::collections::BTreeMap::from([("api.json".to_owned(), document.to_string())]),
            "api.json",
        );
        assert!(api.is_some() && findings.is_empty(), "{findings:?}");
    }
}
