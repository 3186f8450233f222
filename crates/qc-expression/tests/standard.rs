//! Every expression in the Open Workflow examples, its conformance kit and its reference is read;
//! those that stand alone are evaluated.

use std::path::PathBuf;

use qc_expression::{Expression, Limits, Scope, Template};
use serde_json::{Value, json};

const VARIABLES: [&str; 20] = [
    "context",
    "input",
    "output",
    "secrets",
    "secret",
    "authorization",
    "task",
    "workflow",
    "runtime",
    "error",
    "err",
    "event",
    "item",
    "index",
    "color",
    "message",
    "number",
    "pet",
    "room",
    "reading",
];

fn standard() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let root = std::env::var_os("QC_SHARED").map_or(beside, PathBuf::from);
    Some(root.join("standards/open-workflow")).filter(|path| path.is_dir())
}

/// The expressions of a text: from `${` to the brace that closes it, strings passed over.
fn expressions(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        rest = &rest[start + 2..];
        let (mut depth, mut quoted, mut escaped) = (1, false, false);
        for (at, character) in rest.char_indices() {
            if character == '\n' {
                break;
            }
            match character {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => quoted = !quoted,
                '{' if !quoted => depth += 1,
                '}' if !quoted => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                found.push(rest[..at].to_owned());
                break;
            }
        }
    }
    found
}

#[test]
fn every_expression_of_the_standard_is_read() {
    let Some(root) = standard() else {
        println!("skipped: the shared standards are not here (set QC_SHARED)");
        return;
    };
    let mut files = vec![root.join("dsl-reference.md"), root.join("dsl.md")];
    for folder in ["examples", "ctk/features"] {
        let entries = std::fs::read_dir(root.join(folder)).expect("the folder is readable");
        files.extend(entries.map(|entry| entry.expect("an entry").path()));
    }
    let (mut read, mut wrong) = (0, Vec::new());
    for file in files {
        let text = std::fs::read_to_string(&file).expect("the file is readable");
        for source in expressions(&text) {
            // The prose says `${}` and `${ }` to name the marker; JSON in prose escapes quotes.
            if source.trim().is_empty() {
                continue;
            }
            let source =
                if source.contains("\\\"Exec") { source.replace("\\\"", "\"") } else { source };
            match Expression::parse(&source, &VARIABLES) {
                Ok(expression) => {
                    read += 1;
                    evaluate(&expression);
                }
                Err(error) => wrong.push(format!("{}: {source}: {error:?}", file.display())),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(read >= 80, "only {read} expressions were found");
    println!("{read} expressions read");
}

/// Whatever it gives, it gives it within its limits.
fn evaluate(expression: &Expression) {
    let nothing = Value::Null;
    let variables = vec![&nothing; VARIABLES.len()];
    let scope = Scope { variables: &variables, now_ms: 0, limits: Limits::default() };
    let _ = expression.evaluate(&json!({"colors": ["red"], "temperature": 40}), &scope);
}

#[test]
fn the_conformance_kit_sets_what_it_says() {
    let set = json!({"shape": "circle", "size": "${ .configuration.size }", "n": [1, "${ .x }"]});
    let template = Template::parse(&set, &[]).expect("it is valid");
    let input = json!({"configuration": {"size": {"width": 6}}, "x": 2});
    let scope = Scope { variables: &[], now_ms: 0, limits: Limits::default() };
    let expected = json!({"shape": "circle", "size": {"width": 6}, "n": [1, 2]});
    assert_eq!(template.evaluate(&input, &scope), Ok(expected));
}
