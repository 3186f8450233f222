//! The schema for editors agrees with the loader about the standard's examples.

use qc_document::{ParseLimits, Source, parse_yaml};
use qc_workflow::{load, schema};

use crate::driver::{document, shared, with_head};

#[test]
fn it_is_a_valid_schema() {
    jsonschema::meta::validate(&schema()).expect("is a valid JSON Schema");
}

#[test]
fn it_accepts_what_loads_and_refuses_what_does_not() {
    let Some(shared) = shared() else { return };
    let validator = jsonschema::validator_for(&schema()).expect("compiles");
    let folder = shared.join("standards/open-workflow/examples");
    let mut wrong = Vec::new();
    for entry in folder.read_dir().expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a file");
        let source = Source::new("example.yaml", text);
        let document = parse_yaml(source, &ParseLimits::default()).expect("is YAML");
        let loads = load(&document).0.is_some();
        if validator.is_valid(&document.root.to_value()) != loads {
            wrong.push(format!("{}: loads is {loads}", path.display()));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn it_refuses_unknown_keys_and_literal_secrets() {
    let validator = jsonschema::validator_for(&schema()).expect("compiles");
    let valid = |body: &str| validator.is_valid(&document(&with_head(body)).root.to_value());
    assert!(valid("\ndo: [ a: { set: { x: 1 } } ]\n"));
    assert!(!valid("\ndo: [ a: { set: { x: 1 }, thn: b } ]\n"));
    assert!(!valid(
        "\nuse: { authentications: { a: { bearer: { token: abc } } } }\ndo: [ a: { set: { x: 1 } } ]\n"
    ));
}
