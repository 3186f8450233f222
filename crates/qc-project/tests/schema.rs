//! The schemas for editors accept what the readers accept.

use std::path::PathBuf;

use qc_document::{ParseLimits, Source, parse};
use qc_project::{ProjectFiles, schema};
use serde_json::{Value, json};

fn validator(kind: schema::Kind) -> jsonschema::Validator {
    jsonschema::options().build(&schema::schema(kind)).expect("the schema is valid")
}

fn value(path: &str, text: &str) -> Value {
    let document = parse(Source::new(path, text), &ParseLimits::default()).expect("is well-formed");
    document.root.to_value()
}

/// Two examples and all templates.
fn projects() -> Vec<PathBuf> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let examples = ["customer-escalation", "order-paid"];
    let mut folders: Vec<PathBuf> =
        examples.iter().map(|name| here.join("../../examples").join(name)).collect();
    let templates = std::fs::read_dir(here.join("templates")).expect("there are templates");
    folders.extend(templates.map(|entry| entry.expect("can be read").path()));
    folders
}

#[test]
fn every_schema_is_valid_and_takes_every_file_of_its_kind() {
    let mut seen = Vec::new();
    for folder in projects() {
        let files = ProjectFiles::read(&folder).expect("can be read");
        for (path, _) in files.iter() {
            let Some(kind) = schema::Kind::of_path(path) else { continue };
            let value = value(path, files.text(path).expect("is text"));
            let errors: Vec<String> = validator(kind)
                .iter_errors(&value)
                .map(|e| format!("{}: {e}", e.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{}/{path}: {errors:#?}", folder.display());
            seen.push(kind);
        }
    }
    for (name, kind) in schema::Kind::ALL {
        assert!(seen.contains(&kind), "no file of the kind {name} was seen");
        assert_eq!(schema::Kind::parse(name), Some(kind));
    }
}

#[test]
fn schemas_refuse_what_readers_refuse() {
    let integration = validator(schema::Kind::Integration);
    let good = json!({
        "name": "a", "version": "1.0.0", "purpose": "x",
        "outcome": {"metric": "m", "description": "d"},
        "steps": [{"step": "s", "tasks": ["t"]}],
        "systems": {"crm": {"direction": "outbound", "criticality": "high", "owner": "o", "on_unavailable": "queue"}},
        "triggers": {"t": {"kind": "json", "event_type": "x", "auth": "token", "tenant": "default",
            "idempotency": {"key": ".data.id", "window": "72h"}}},
        "owners": {"business": "a", "technical": "b"},
    });
    assert!(integration.is_valid(&good));
    for (pointer, wrong) in [
        ("/purpos", json!("x")),
        ("/version", json!("1")),
        ("/systems/crm/criticality", json!("extreme")),
        ("/systems/crm/on_unavailable", json!("wait")),
        ("/triggers/t/body_limit", json!(5)),
        ("/triggers/t/idempotency/window", json!("soon")),
        ("/secrets", json!({"a": "hunter2"})),
        ("/name", json!("Not A Name")),
    ] {
        let mut bad = good.clone();
        let (parent, key) = pointer.rsplit_once('/').expect("has a slash");
        bad.pointer_mut(parent).expect("is there")[key] = wrong;
        assert!(!integration.is_valid(&bad), "{pointer}");
    }
    for required in ["steps", "owners", "triggers", "systems", "purpose", "outcome"] {
        let mut bad = good.clone();
        bad.as_object_mut().expect("is an object").remove(required);
        assert!(!integration.is_valid(&bad), "{required}");
    }
}

/// The two schemas that are written down name every key that the readers ask for: found in the readers' source, so that
/// a new key cannot be forgotten.
#[test]
fn written_schemas_know_every_key_of_their_readers() {
    let crates = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let readers: [(schema::Kind, Vec<&str>); 2] = [
        (
            schema::Kind::Connector,
            ["auth", "batch", "effect", "errors", "load", "pagination", "retry"]
                .iter()
                .map(|name| match *name {
                    "auth" => "qc-connect/src/connector/auth.rs",
                    "batch" => "qc-connect/src/connector/batch.rs",
                    "effect" => "qc-connect/src/connector/effect.rs",
                    "errors" => "qc-connect/src/connector/errors.rs",
                    "load" => "qc-connect/src/connector/load.rs",
                    "pagination" => "qc-connect/src/connector/pagination.rs",
                    _ => "qc-connect/src/connector/retry.rs",
                })
                .chain(["qc-connect/src/webhook/read.rs"])
                .collect(),
        ),
        (schema::Kind::Simulator, vec!["qc-simulator/src/spec.rs"]),
    ];
    for (kind, sources) in readers {
        let text = schema::schema(kind).to_string();
        for source in sources {
            let code = std::fs::read_to_string(crates.join(source)).expect("the reader is there");
            let code = code.split("#[cfg(test)]").next().unwrap_or_default();
            for key in asked(code) {
                assert!(
                    text.contains(&format!("\"{key}\":")),
                    "{source} asks for `{key}`, which the schema lacks"
                );
            }
        }
    }
}

/// The keys in calls such as `object.optional_string("name")`.
fn asked(code: &str) -> Vec<String> {
    let methods = [
        "string",
        "optional_string",
        "required",
        "optional",
        "object",
        "optional_object",
        "objects",
        "list",
        "entries",
        "strings",
        "named_objects",
        "duration",
        "optional_duration",
        "integer",
        "optional_integer",
        "optional_number",
        "choice",
        "optional_choice",
        "parse",
        "optional_parse",
        "entry",
    ];
    let mut keys = Vec::new();
    for method in methods {
        for (at, found) in code.match_indices(&format!(".{method}(\"")) {
            let rest = &code[at + found.len()..];
            keys.extend(rest.split('"').next().map(str::to_owned));
        }
    }
    keys.retain(|key| {
        !key.is_empty()
            && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    });
    keys
}
