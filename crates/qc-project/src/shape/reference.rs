//! Texts that refer to something: files, versions, expressions.

use qc_document::{Node, Reader, Span};
pub use qc_version::Semver as Version;
use serde_json::{Value, json};

use super::{Definitions, Shape, scalar::parse};

/// A path inside the folder of the file that names it; never out of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProjectPath {
    /// The path with `/`.
    pub path: String,
    /// Where it is named.
    pub span: Span,
}

impl Shape for ProjectPath {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        let path = parse(node, what, reader, |text| {
            let legal =
                |segment: &str| !matches!(segment, "" | "." | "..") && !segment.contains('\\');
            if text.split('/').all(legal) {
                Ok(text.to_owned())
            } else {
                Err("not a path inside this folder; write `contracts/event.schema.json`")
            }
        })?;
        Some(Self { path, span: node.span })
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "pattern": r"^(?!/)(?!.*(^|/)\.\.?(/|$)).+$" })
    }
}

impl Shape for Version {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        parse(node, what, reader, Self::parse)
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "pattern": r"^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$" })
    }
}

/// A jq expression, as text; compiled when the project is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jq {
    /// Its text, without the `${ }` that a workflow puts around it.
    pub source: String,
    /// Where it stood.
    pub span: Span,
}

impl Shape for Jq {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        let text = reader.text(node, what)?.trim();
        let inner = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        let source = inner.unwrap_or(text).trim();
        if source.is_empty() {
            reader.invalid(node, format!("{what} must be a jq expression, but is empty"));
            return None;
        }
        Some(Self { source: source.to_owned(), span: node.span })
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "minLength": 1, "examples": [".data.case_id"] })
    }
}
