//! Two versions of a contract, compared: every kind of change is found, on the right side, and nothing else is.

mod authentication;
mod errors;
mod hostile;
mod operations;
mod properties;
mod requests;
mod responses;
mod rewriting;
mod rules_page;
mod schemas;

use std::collections::BTreeMap;

use qc_contract::{Comparison, Day, Level, OpenApi, Options, Profile, compare};
use serde_json::{Value, json};

/// A small shop: something of everything.
fn shop() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Shop", "version": "1.0.0"},
        "servers": [{"url": "https://api.example.com"}],
        "security": [{"key": []}],
        "paths": {
            "/orders": {
                "get": {
                    "operationId": "list",
                    "parameters": [
                        {"name": "state", "in": "query", "schema": {"type": "string", "enum": ["open", "paid"]}},
                        {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}},
                        {"name": "X-Tenant", "in": "header", "required": true, "schema": {"type": "string", "maxLength": 20}}
                    ],
                    "security": [{"oauth": ["orders:read"]}, {"key": []}],
                    "responses": {
                        "200": {
                            "description": "ok",
                            "headers": {
                                "X-Total": {"required": true, "schema": {"type": "integer"}},
                                "RateLimit-Limit": {"schema": {"type": "integer"}}
                            },
                            "content": {"application/json": {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/Order"}}}}
                        },
                        "404": {"$ref": "#/components/responses/Problem"},
                        "default": {"$ref": "#/components/responses/Problem"}
                    }
                },
                "post": {
                    "operationId": "create",
                    "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewOrder"}}}},
                    "responses": {
                        "201": {"description": "made", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}},
                        "422": {"$ref": "#/components/responses/Problem"}
                    }
                }
            }
        },
        "components": {
            "schemas": {
                "NewOrder": {
                    "type": "object",
                    "required": ["customer", "lines"],
                    "properties": {
                        "customer": {"type": "string", "minLength": 1, "maxLength": 40, "pattern": "^[a-z]+$"},
                        "note": {"type": ["string", "null"]},
                        "priority": {"type": "string", "enum": ["low", "high"]},
                        "discount": {"type": "number", "minimum": 0, "maximum": 50, "multipleOf": 5},
                        "due": {"type": "string", "format": "date"},
                        "lines": {"type": "array", "minItems": 1, "maxItems": 10, "items": {"type": "object", "required": ["sku"], "properties": {"sku": {"type": "string"}, "count": {"type": "integer"}}}},
                        "payment": {"oneOf": [{"$ref": "#/components/schemas/Card"}, {"$ref": "#/components/schemas/Invoice"}]},
                        "labels": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 5}
                    }
                },
                "Card": {"type": "object", "required": ["kind", "number"], "properties": {"kind": {"const": "card"}, "number": {"type": "string"}}},
                "Invoice": {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "invoice"}, "vat": {"type": "string"}}},
                "Order": {
                    "type": "object",
                    "required": ["id", "state", "lines"],
                    "properties": {
                        "id": {"type": "string", "format": "uuid"},
                        "state": {"type": "string", "enum": ["open", "paid"]},
                        "total": {"type": "number", "minimum": 0, "maximum": 1000},
                        "note": {"type": "string", "maxLength": 100, "minLength": 1, "pattern": "^[a-z ]+$"},
                        "lines": {"type": "array", "minItems": 1, "maxItems": 10, "uniqueItems": true, "items": {"type": "object", "required": ["sku"], "properties": {"sku": {"type": "string"}, "count": {"type": "integer"}}}},
                        "payment": {"oneOf": [{"$ref": "#/components/schemas/Card"}, {"$ref": "#/components/schemas/Invoice"}]},
                        "labels": {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1}
                    }
                },
                "Problem": {
                    "type": "object",
                    "required": ["type", "status", "code", "retryable"],
                    "properties": {
                        "type": {"type": "string", "format": "uri-reference"},
                        "status": {"type": "integer", "minimum": 400, "maximum": 599},
                        "code": {"type": "string", "enum": ["not_found", "invalid", "busy"]},
                        "retryable": {"type": "boolean"},
                        "detail": {"type": "string", "maxLength": 200},
                        "errors": {"type": "array", "items": {"type": "object", "required": ["pointer"], "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}}}}
                    }
                }
            },
            "responses": {
                "Problem": {
                    "description": "a failure",
                    "headers": {"Retry-After": {"required": true, "schema": {"type": "integer", "maximum": 3600}}},
                    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
                }
            },
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
                "oauth": {"type": "oauth2", "x-token-lifetime": 3600, "flows": {"clientCredentials": {"tokenUrl": "https://login.example.com/token", "scopes": {"orders:read": "read", "orders:write": "write"}}}},
                "spare": {"type": "http", "scheme": "basic"}
            }
        }
    })
}

fn load(document: &Value) -> OpenApi {
    let files = BTreeMap::from([("openapi.json".to_owned(), document.to_string())]);
    let (api, findings) = OpenApi::load(&files, "openapi.json");
    api.unwrap_or_else(|| panic!("{findings:?}"))
}

fn compared(old: &Value, new: &Value) -> Comparison {
    let profile = Profile::default();
    let options = Options { profile: &profile, today: Day::parse("2026-11-27") };
    compare(&load(old), &load(new), options)
}

/// One edit of a document: JSON Pointer, and the value that comes there; nothing removes what is there.
type Edit = (&'static str, Option<Value>);

fn edited(document: &Value, edits: &[Edit]) -> Value {
    let mut document = document.clone();
    for (pointer, value) in edits {
        let (above, name) = pointer.rsplit_once('/').expect("is below something");
        let above = document.pointer_mut(above).unwrap_or_else(|| panic!("no {pointer}"));
        let name = name.replace("~1", "/").replace("~0", "~");
        match (above, value) {
            (Value::Object(map), Some(value)) => {
                map.insert(name, value.clone());
            }
            (Value::Object(map), None) => {
                map.remove(&name).unwrap_or_else(|| panic!("no {pointer}"));
            }
            (Value::Array(items), Some(value)) if name == "-" => items.push(value.clone()),
            (Value::Array(items), Some(value)) => {
                items[name.parse::<usize>().expect("is an index")] = value.clone();
            }
            (Value::Array(items), None) => {
                items.remove(name.parse().expect("is an index"));
            }
            _ => panic!("nothing below {pointer}"),
        }
    }
    document
}

/// What an edit must be found as.
struct Row(&'static str, Level, Vec<Edit>);

/// Every edit is found by its rule and weighs what it should, and the way back is found as well.
fn finds(rows: Vec<Row>) {
    let base = shop();
    let mut wrong = Vec::new();
    for Row(rule, level, edits) in rows {
        let comparison = compared(&base, &edited(&base, &edits));
        let all: Vec<String> = comparison
            .changes
            .iter()
            .map(|change| format!("{} {}", change.level, change.rule.id))
            .collect();
        let heaviest = comparison.changes.iter().map(|change| change.level).max();
        if !all.contains(&format!("{level} {rule}")) || heaviest != Some(level) {
            wrong.push(format!("{edits:?}\n   wanted {level} {rule}, got {all:?}"));
        }
        for change in &comparison.changes {
            let is_placed = change.old.place.is_some() && change.new.place.is_some();
            assert!(is_placed, "{}: {:?} {:?}", change.rule.id, change.old, change.new);
        }
        let back = compared(&edited(&base, &edits), &base);
        assert!(!back.changes.is_empty(), "{edits:?}: nothing on the way back");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_changed_in_the_same_document() {
    let comparison = compared(&shop(), &shop());
    assert_eq!(comparison.changes.len(), 0, "{:?}", comparison.changes);
}
