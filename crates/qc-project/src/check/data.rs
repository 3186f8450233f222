//! Objects, contracts and their examples.

use qc_contract::Schema;
use qc_model::Finding;
use serde_json::Value;

use super::Subject;
use crate::{codes, compile::load_schema, files::file_place, project::parse_file};

/// Ends the name of a contract.
const SCHEMA_SUFFIX: &str = ".schema.json";

pub(super) fn check(subject: &mut Subject<'_>) {
    objects(subject);
    contracts(subject);
}

fn objects(subject: &mut Subject<'_>) {
    for (name, object) in subject.file.value.objects.iter() {
        let path = subject.folder.path(&object.schema.path);
        if !subject.project.files().has(&path) {
            let message = format!("the schema of `{}`, `{path}`, is not there", name.value);
            subject.error(
                codes::MISSING_FILE,
                object.schema.span,
                message,
                "create it, or mend the path",
            );
            continue;
        }
        // What is wrong with the schema itself is said once, with the contracts.
        let Ok(schema) = load_schema(subject.project, subject.folder, &object.schema.path) else {
            continue;
        };
        let fields = object.fields.iter().map(|(field, _)| field);
        for field in fields.chain(&object.subject) {
            if !has_field(schema.value(), schema.value(), &field.value) {
                let message =
                    format!("the schema of `{}` has no field `{}`", name.value, field.value);
                let help = format!("write the path as in {path}, joined by dots");
                subject.error(codes::UNKNOWN_FIELD, field.span, message, help);
            }
        }
    }
}

/// Whether a dotted path leads to a property. What the schema leaves open counts as there.
fn has_field(root: &Value, schema: &Value, path: &str) -> bool {
    field(root, schema, path, 0)
}

fn field(root: &Value, schema: &Value, path: &str, depth: usize) -> bool {
    const DEEPEST: usize = 32;
    if depth > DEEPEST {
        return true;
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        // A reference to another file is not followed: it is left open.
        return target.is_none_or(|target| field(root, target, path, depth + 1));
    }
    let (first, rest) =
        path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let combined =
        ["allOf", "anyOf", "oneOf"].iter().filter_map(|key| schema.get(key)?.as_array()).flatten();
    for part in combined {
        if field(root, part, path, depth + 1) {
            return true;
        }
    }
    let inner = match first {
        "*" => schema.get("items"),
        name => schema.get("properties").and_then(|properties| properties.get(name)),
    };
    match (inner, rest) {
        (Some(_), None) => true,
        (Some(inner), Some(rest)) => field(root, inner, rest, depth + 1),
        (None, _) => false,
    }
}

/// Every contract compiles, and every example is what its folder says.
fn contracts(subject: &mut Subject<'_>) {
    let folder = subject.folder;
    let inside = format!("{}/contracts", folder.folder);
    let mut schemas: Vec<(String, Schema)> = Vec::new();
    let mut paths: Vec<String> = Vec::new();
    for (path, _) in subject.project.files().under(&inside) {
        let local = &path[folder.folder.len() + 1..];
        if local.starts_with("contracts/examples/") {
            paths.push(path.to_owned());
        } else if let Some(stem) =
            local.strip_prefix("contracts/").and_then(|file| file.strip_suffix(SCHEMA_SUFFIX))
        {
            match load_schema(subject.project, folder, local) {
                Ok(schema) => schemas.push((stem.to_owned(), schema)),
                Err(found) => subject.out.extend(found),
            }
        }
    }
    // The longest name that fits wins: `case.schema.json` does not take the examples of `case-closed.schema.json`.
    schemas.sort_by_key(|(stem, _)| std::cmp::Reverse(stem.len()));
    for path in paths {
        example(subject, &path, &inside, &schemas);
    }
}

fn example(subject: &mut Subject<'_>, path: &str, inside: &str, schemas: &[(String, Schema)]) {
    let at = file_place(path);
    let rest = &path[inside.len() + "/examples/".len()..];
    let (valid, file) = match rest.split_once('/') {
        Some(("valid", file)) => (true, file),
        Some(("invalid", file)) => (false, file),
        _ => {
            let finding = Finding::warning(codes::UNREAD_FILE, "nothing reads this example").at(at);
            subject
                .out
                .push(finding.help("examples lie in `examples/valid` or `examples/invalid`"));
            return;
        }
    };
    let mut findings = Vec::new();
    let document = parse_file(subject.project.files(), path, &mut findings);
    if valid {
        subject.out.extend(findings);
    }
    // Text that cannot even be parsed is a good example of what is invalid.
    let Some(document) = document else { return };
    let schema = schemas.iter().find(|(stem, _)| {
        file.strip_prefix(stem.as_str()).is_some_and(|rest| rest.starts_with(['.', '-', '_']))
    });
    let ((Some(schema), _) | (None, [schema])) = (schema, schemas) else {
        let message = "it is not clear of which contract this is an example";
        let finding = Finding::warning(codes::EXAMPLE, message).at(at);
        let help = "begin its name with that of the contract: `case-escalated.minimal.json`";
        subject.out.push(finding.help(help));
        return;
    };
    let mismatches = schema.1.check(&document.root.to_value());
    if valid {
        for mismatch in mismatches {
            let node = document.root.nearest(&mismatch.pointer);
            let message =
                format!("the example breaks its contract `{}`: {}", schema.0, mismatch.message);
            let finding =
                Finding::error(codes::EXAMPLE, message).at(document.source.place(node.span));
            subject.out.push(finding.help("mend the example or the contract"));
        }
    } else if mismatches.is_empty() {
        let message =
            format!("the example is to be invalid, but fulfils the contract `{}`", schema.0);
        let finding =
            Finding::error(codes::EXAMPLE, message).at(document.source.place(document.root.span));
        subject.out.push(
            finding.help(
                "the contract allows more than was meant, or the example belongs into `valid`",
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_found_through_references_and_lists() {
        let schema = json!({
            "properties": {
                "customer": { "$ref": "#/$defs/customer" },
                "items": { "type": "array", "items": { "properties": { "sku": {} } } },
            },
            "allOf": [{ "properties": { "extra": {} } }],
            "$defs": { "customer": { "properties": { "email": {}, "parent": { "$ref": "#/$defs/customer" } } } },
        });
        for there in
            ["customer", "customer.email", "customer.parent.parent.email", "items.*.sku", "extra"]
        {
            assert!(has_field(&schema, &schema, there), "{there}");
        }
        for missing in ["custmer", "customer.mail", "items.sku", "email", "customer.email.x"] {
            assert!(!has_field(&schema, &schema, missing), "{missing}");
        }
    }
}
