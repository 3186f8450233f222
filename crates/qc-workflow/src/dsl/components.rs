//! The section `use`.

use std::{collections::BTreeMap, sync::Arc};

use qc_document::{Node, ObjectReader, Reader};

use super::{
    Components, ErrorDefinition, Text,
    authentication::credentials,
    duration::after,
    fields::{optional_text, refuse, required_text, text},
    retry::retry,
    task::task,
};
use crate::codes;

/// Reads `use`.
pub(super) fn components(fields: &mut ObjectReader<'_, '_>) -> Components {
    let Some(mut section) = fields.optional_object("use") else { return Components::default() };
    let reader = section.reader();
    let catalogs = "there are no catalogs: put functions into `use.functions`";
    refuse(&mut section, "catalogs", "use.catalogs", catalogs);
    let extensions = "write the tasks where they are needed";
    refuse(&mut section, "extensions", "use.extensions", extensions);
    let components = Components {
        authentications: named(&mut section, "authentications", |_, node| {
            credentials(reader, node)
        }),
        errors: named(&mut section, "errors", |_, node| error(reader, node)),
        functions: named(&mut section, "functions", |name, node| {
            if matches!(&*name.text, "http" | "openapi" | "asyncapi" | "grpc" | "mcp" | "a2a") {
                let message = format!("a function cannot be called `{}`", name.text);
                reader.report(codes::VARIABLE_NAME, name.span, message);
            }
            task(reader, name, node)
        }),
        retries: named(&mut section, "retries", |_, node| retry(reader, node)),
        secrets: secrets(&mut section),
        timeouts: named(&mut section, "timeouts", |_, node| after(reader, node)),
    };
    section.finish();
    components
}

fn named<T>(
    section: &mut ObjectReader<'_, '_>,
    key: &'static str,
    read: impl Fn(Text, &Node) -> Option<T>,
) -> BTreeMap<Arc<str>, T> {
    let mut found = BTreeMap::new();
    for (name, node) in section.entries(key) {
        let text = Text { text: Arc::clone(&name.name), span: name.span };
        if let Some(value) = read(text, node) {
            found.insert(Arc::clone(&name.name), value);
        }
    }
    found
}

fn secrets(section: &mut ObjectReader<'_, '_>) -> Vec<Text> {
    let reader = section.reader();
    let mut found = Vec::new();
    for (node, name) in section.strings("secrets") {
        let legal = !name.is_empty()
            && name.len() <= 128
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
        if legal {
            found.extend(text(node));
        } else {
            let message = "a secret's name is made of letters, digits, `_`, `-` and `.`";
            reader.report(codes::UNKNOWN_SECRET, node.span, message);
        }
    }
    found
}

/// Reads an error definition.
pub(super) fn error(reader: &Reader<'_>, node: &Node) -> Option<ErrorDefinition> {
    let mut fields = reader.object(node, "the error")?;
    let kind = required_text(&mut fields, "type");
    let status = fields.integer("status", 100..=599).and_then(|status| u16::try_from(status).ok());
    let title = optional_text(&mut fields, "title");
    let detail = optional_text(&mut fields, "detail");
    let instance = optional_text(&mut fields, "instance");
    fields.finish();
    Some(ErrorDefinition { kind: kind?, status: status?, title, detail, instance })
}
