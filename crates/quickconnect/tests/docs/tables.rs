//! Tables of the guides against what they were made from.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

use serde_json::Value;

use crate::pages::{Page, docs, guide};

fn json(arguments: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_qc"));
    let output = command.args(arguments).current_dir(folder.path()).env_clear().output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_settings_are_those_of_the_program() {
    let explained = json(&["config", "explain", "--json"]);
    let wanted: Vec<Vec<String>> = explained["settings"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, setting)| {
            let text = |key: &str| setting[key].as_str().unwrap().to_owned();
            let default = text("default");
            let shown = if default.is_empty() { default } else { format!("`{default}`") };
            vec![format!("`{name}`"), shown, text("summary")]
        })
        .collect();
    let sorted = |mut rows: Vec<Vec<String>>| {
        rows.sort();
        rows
    };
    assert_eq!(sorted(guide("operating.md").checked_table("settings")), sorted(wanted));
}

#[test]
fn the_exit_codes_are_those_of_the_help() {
    let output = Command::new(env!("CARGO_BIN_EXE_qc")).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let (_, said) = help.split_once("Exit codes:").unwrap();
    let number =
        |text: &str| text.split_whitespace().next().and_then(|word| word.parse::<u8>().ok());
    let wanted: Vec<u8> = said.split(',').filter_map(number).collect();
    let table = guide("cli.md").checked_table("exit codes");
    let shown: Vec<u8> = table.iter().filter_map(|row| number(&row[0])).collect();
    assert_eq!(shown, wanted);
}

#[test]
fn the_operations_are_those_of_the_api() {
    let text = fs::read_to_string(docs().join("../openapi/quickconnect-v1.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let mut wanted = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let action = operation["x-quickconnect-action"].as_str().unwrap();
            wanted.insert((format!("`{} {path}`", method.to_uppercase()), format!("`{action}`")));
        }
    }
    wanted.remove(&("`GET /metrics`".to_owned(), "`server:read`".to_owned()));
    let table = guide("api.md").checked_table("operations");
    let shown: BTreeSet<_> =
        table.into_iter().map(|row| (row[0].clone(), row[2].clone())).collect();
    assert_eq!(shown, wanted);
}

/// Every key of a schema as its dotted path, `*` for chosen names and items.
fn keys(schema: &Value, root: &Value, path: &str, depth: usize, out: &mut BTreeSet<String>) {
    assert!(depth < 24, "the schema goes round in a circle at {path}");
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).unwrap();
        return keys(target, root, path, depth + 1, out);
    }
    for alternative in ["oneOf", "anyOf"].iter().filter_map(|key| schema[key].as_array()).flatten()
    {
        keys(alternative, root, path, depth + 1, out);
    }
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        out.insert(format!("{path}{name}"));
        keys(below, root, &format!("{path}{name}."), depth + 1, out);
    }
    for inner in [&schema["additionalProperties"], &schema["items"]]
        .into_iter()
        .filter(|one| one.is_object())
    {
        keys(inner, root, &format!("{path}*."), depth + 1, out);
    }
}

fn keys_of(kind: &str) -> BTreeSet<String> {
    let schema = json(&["schema", kind]);
    let mut out = BTreeSet::new();
    keys(&schema, &schema, "", 0, &mut out);
    assert!(out.len() > 10, "{kind}: {out:?}");
    out
}

/// A table's row for a key.
fn row_of<'a>(rows: &'a [(String, String)], key: &str) -> Option<&'a str> {
    let cell = format!("`{key}`");
    let found =
        rows.iter().find(|(first, _)| *first == cell || first.starts_with(&format!("{cell} (")));
    found.map(|(_, row)| row.as_str())
}

#[test]
fn every_key_of_a_file_has_its_row() {
    for (kind, page) in [
        ("organisation", "project.md"),
        ("integration", "project.md"),
        ("scenario", "testing.md"),
        ("simulator", "testing.md"),
        ("versions", "versions.md"),
    ] {
        let rows = guide(page).rows();
        let missing: Vec<String> =
            keys_of(kind).into_iter().filter(|key| row_of(&rows, key).is_none()).collect();
        assert!(missing.is_empty(), "{page} has no row for these keys of {kind}: {missing:?}");
    }
}

#[test]
fn every_key_of_a_connector_is_explained() {
    let pages = ["connectors.md", "connections.md", "triggers.md"];
    let text = pages.map(|page| guide(page).text).concat();
    let explained = |key: &str| {
        let name = key.rsplit('.').next().unwrap();
        let spans = text.split('`').skip(1).step_by(2);
        spans.into_iter().any(|span| {
            span.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
        })
    };
    let missing: Vec<String> =
        keys_of("connector").into_iter().filter(|key| !explained(key)).collect();
    assert!(missing.is_empty(), "not explained: {missing:?}");
}

#[test]
fn what_is_not_enforced_is_said_and_nothing_else() {
    use qc_project::check::{FileKind, NOT_ENFORCED_YET};
    let rows = Page::rows(&guide("project.md"));
    for (kind, file) in
        [("organisation", FileKind::Organisation), ("integration", FileKind::Integration)]
    {
        let open: BTreeMap<String, &str> = NOT_ENFORCED_YET
            .iter()
            .filter(|entry| entry.file == file)
            .map(|entry| (entry.path.join("."), entry.missing))
            .collect();
        for key in keys_of(kind) {
            let row = row_of(&rows, &key).unwrap_or_default();
            let inside = |path: &String| key == *path || key.starts_with(&format!("{path}."));
            let wanted = open.keys().any(inside);
            assert_eq!(row.contains("Not enforced yet"), wanted, "{kind}: {row}");
        }
    }
}
