//! Two versions of a contract, compared: every kind of change is found, on the right side, and nothing else is.

mod hostile;
mod life;
mod mutations;
mod properties;
mod rewriting;
mod rules_page;
mod schemas;
mod words;

use std::collections::BTreeMap;

use qc_contract::{Comparison, Day, OpenApi, Options, Profile, compare};
use serde_json::Value;

/// A small shop: something of everything.
fn shop() -> Value {
    serde_json::from_str(include_str!("shop.json")).expect("is JSON")
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

/// A document with edits: JSON Pointer, and the value that comes there; nothing removes what is there.
fn edited<P: AsRef<str>>(document: &Value, edits: &[(P, Option<Value>)]) -> Value {
    let mut document = document.clone();
    for (pointer, value) in edits {
        let pointer = pointer.as_ref();
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

#[test]
fn nothing_changed_in_the_same_document() {
    let comparison = compared(&shop(), &shop());
    assert_eq!(comparison.changes.len(), 0, "{:?}", comparison.changes);
}
