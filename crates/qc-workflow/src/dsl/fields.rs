//! Fields that many parts of the language share.

use std::sync::Arc;

use qc_document::{Node, ObjectReader, Reader, Span};

use super::{Mould, Text};
use crate::codes;

/// Reports a feature of the standard that the profile leaves out, by its name.
pub(super) fn unsupported(reader: &Reader<'_>, span: Span, feature: &str, help: &str) {
    let message = format!("`{feature}` is not part of the QuickConnect profile");
    reader.push(reader.error(codes::UNSUPPORTED, span, message).help(help));
}

/// Reports a key of an object as an unsupported feature, when it is there.
pub(super) fn refuse(fields: &mut ObjectReader<'_, '_>, key: &'static str, name: &str, help: &str) {
    if let Some((at, _)) = fields.entry(key) {
        unsupported(fields.reader(), at.span, name, help);
    }
}

pub(super) fn text(node: &Node) -> Option<Text> {
    Some(Text { text: Arc::from(node.as_str()?), span: node.span })
}

pub(super) fn required_text(fields: &mut ObjectReader<'_, '_>, key: &'static str) -> Option<Text> {
    let node = fields.required(key)?;
    fields.reader().text(node, &format!("`{key}`"))?;
    text(node)
}

pub(super) fn optional_text(fields: &mut ObjectReader<'_, '_>, key: &'static str) -> Option<Text> {
    let node = fields.optional(key)?;
    fields.reader().text(node, &format!("`{key}`"))?;
    text(node)
}

/// Whether a text is an expression of the form `${ … }`.
pub(crate) fn is_expression(text: &str) -> bool {
    let text = text.trim();
    text.starts_with("${") && text.ends_with('}')
}

/// Reads `input` (key `from`), `output` or `export` (key `as`).
pub(super) fn mould(
    fields: &mut ObjectReader<'_, '_>,
    section: &'static str,
    key: &'static str,
) -> Mould {
    let Some(mut inner) = fields.optional_object(section) else { return Mould::default() };
    let reader = fields.reader();
    let schema = inner.optional_object("schema").and_then(|mut schema| {
        if let Some(format) = schema.optional("format")
            && format.as_str() != Some("json")
        {
            unsupported(reader, format.span, "schema.format", "only `json` is read");
        }
        let help = "write the schema in place, under `schema.document`";
        refuse(&mut schema, "resource", "schema.resource", help);
        let document =
            if schema.has("resource") { None } else { schema.required("document").cloned() };
        schema.finish();
        document
    });
    let shape = inner.optional(key).cloned();
    if let Some(node) = &shape
        && node.as_str().is_none()
        && node.as_mapping().is_none()
    {
        reader.wrong_kind(node, &format!("`{key}`"), "an expression or an object");
    }
    inner.finish();
    Mould { schema, shape }
}
