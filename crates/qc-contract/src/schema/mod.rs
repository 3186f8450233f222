//! JSON Schema: plain contracts, and the schemas inside OpenAPI.

pub(crate) mod compile;
pub(crate) mod extract;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use jsonschema::{Retrieve, Uri, Validator};
use qc_document::{Document, Node, NodeValue, ParseLimits, Source, parse};
use qc_model::Finding;
use serde_json::Value;

use crate::codes;
use crate::files::{Files, Outside, resolve_path};
use crate::mismatch::{Direction, Mismatch};
use compile::{Dialect, compile};

/// Most files that a schema may be spread over.
const FILE_LIMIT: usize = 64;
const SCHEME: &str = "qc-contract:///";

/// A compiled JSON Schema (draft 4 to 2020-12, by its `$schema`; 2020-12 when it says nothing). `format` is checked.
/// Cheap to clone.
#[derive(Clone)]
pub struct Schema {
    validator: Arc<Validator>,
    value: Arc<Value>,
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schema").field("value", &self.value).finish_non_exhaustive()
    }
}

impl Schema {
    /// Loads and compiles a schema file; references to files beside it work, all others are refused.
    pub fn load(files: &dyn Files, path: &str) -> Result<Self, Vec<Finding>> {
        let Some(text) = files.text(path) else {
            let message = format!("there is no file `{path}`");
            return Err(vec![Finding::error(codes::NO_FILE, message)]);
        };
        let document = parse(Source::new(path, text), &ParseLimits::default())
            .map_err(|finding| vec![*finding])?;
        Self::from_document(&document, files)
    }

    /// Compiles a schema that is already a value (written inline, or from a release). `files` answers its references.
    pub fn compile(value: &Value, files: &dyn Files) -> Result<Self, Vec<Finding>> {
        let text = value.to_string();
        let document = parse(Source::new("schema.json", text), &ParseLimits::default())
            .map_err(|finding| vec![*finding])?;
        Self::from_document(&document, files)
    }

    /// Compiles the schema of a parsed file.
    pub fn from_document(document: &Document, files: &dyn Files) -> Result<Self, Vec<Finding>> {
        let mut gathering = Gathering { files, loaded: HashMap::new(), findings: Vec::new() };
        gathering.document(document);
        if !gathering.findings.is_empty() {
            return Err(gathering.findings);
        }
        let value = document.root.to_value();
        let base = address(&document.source.path);
        let dialect = Dialect { draft: None, formats: true };
        match compile(&value, dialect, &base, Loaded(gathering.loaded)) {
            Ok(validator) => Ok(Self { validator: Arc::new(validator), value: Arc::new(value) }),
            Err(error) => {
                let message = format!("the schema cannot be compiled: {error}");
                let place = document.source.place(document.root.span);
                Err(vec![Finding::error(codes::SCHEMA, message).at(place)])
            }
        }
    }

    /// The schema itself.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Whether a value fits; the fastest question.
    pub fn admits(&self, value: &Value) -> bool {
        self.validator.is_valid(value)
    }

    /// What does not fit, at most [`Mismatch::LIMIT`] of them.
    pub fn check(&self, value: &Value) -> Vec<Mismatch> {
        self.check_as(value, Direction::Request)
    }

    /// As [`Schema::check`], for a payload of this direction.
    pub fn check_as(&self, value: &Value, direction: Direction) -> Vec<Mismatch> {
        mismatches(&self.validator, value, direction)
    }
}

pub(crate) fn mismatches(
    validator: &Validator,
    value: &Value,
    direction: Direction,
) -> Vec<Mismatch> {
    if validator.is_valid(value) {
        return Vec::new();
    }
    let errors = validator.iter_errors(value).take(Mismatch::LIMIT);
    errors.map(|error| Mismatch::of(&error, direction)).collect()
}

fn address(path: &str) -> String {
    let encoded = percent_encoding::utf8_percent_encode(path, percent_encoding::NON_ALPHANUMERIC);
    SCHEME.to_owned() + &encoded.to_string().replace("%2F", "/").replace("%2E", ".")
}

/// Loads the files that references name, transitively.
struct Gathering<'f> {
    files: &'f dyn Files,
    loaded: HashMap<String, Value>,
    findings: Vec<Finding>,
}

impl Gathering<'_> {
    fn document(&mut self, document: &Document) {
        let id = document.root.get("$id").and_then(Node::as_str);
        self.node(&document.root, &document.source, id);
    }

    fn node(&mut self, node: &Node, source: &Source, id: Option<&str>) {
        match &node.value {
            NodeValue::Mapping(entries) => {
                for (key, value) in entries {
                    match (&*key.name, &value.value) {
                        ("$ref" | "$dynamicRef", NodeValue::String(reference)) => {
                            self.reference(reference, value, source, id);
                        }
                        ("enum" | "const" | "default" | "examples", _) => {}
                        _ => self.node(value, source, id),
                    }
                }
            }
            NodeValue::Sequence(items) => {
                for item in items {
                    self.node(item, source, id);
                }
            }
            _ => {}
        }
    }

    fn reference(&mut self, reference: &str, node: &Node, source: &Source, id: Option<&str>) {
        let written = reference.split('#').next().unwrap_or_default();
        let path = written;
        // The meta-schemas of JSON Schema are built in.
        let itself = id.is_some_and(|id| id.trim_end_matches('#') == path);
        if path.is_empty() || itself || path.contains("json-schema.org/") {
            return;
        }
        let at = |finding: Finding| finding.at(source.place(node.span));
        let path = match resolve_path(&source.path, path) {
            Ok(path) => path,
            Err(outside) => {
                let why = match outside {
                    Outside::Remote => "is remote",
                    Outside::Escapes => "leaves the folder",
                };
                let message = format!("the reference `{reference}` {why}");
                let help = "save the file beside this one and refer to it by its name";
                self.findings.push(at(Finding::error(codes::REMOTE, message).help(help)));
                return;
            }
        };
        if self.loaded.contains_key(&address(&path)) || path == *source.path {
            return;
        }
        if self.loaded.len() >= FILE_LIMIT {
            let message = format!("the schema is spread over more than {FILE_LIMIT} files");
            self.findings.push(at(Finding::error(codes::TOO_MANY, message)));
            return;
        }
        let Some(text) = self.files.text(&path) else {
            let message = format!("the reference `{reference}` names a file that is not there");
            self.findings.push(at(Finding::error(codes::UNRESOLVED, message)));
            return;
        };
        match parse(Source::new(path.as_str(), text), &ParseLimits::default()) {
            Ok(document) => {
                let value = document.root.to_value();
                // A schema with an `$id` has its references resolved against that, not against its file.
                if let Some(alias) = id.and_then(|id| beside(id, written)) {
                    self.loaded.insert(alias, value.clone());
                }
                self.loaded.insert(address(&path), value);
                self.document(&document);
            }
            Err(finding) => self.findings.push(*finding),
        }
    }
}

/// The address of a relative reference in a schema whose `$id` is an absolute URL.
fn beside(id: &str, reference: &str) -> Option<String> {
    let host = id.find("://")? + 3;
    let (origin, path) = id.split_at(id[host..].find('/').map_or(id.len(), |slash| host + slash));
    let resolved = resolve_path(path.trim_start_matches('/'), reference).ok()?;
    Some(format!("{origin}/{resolved}"))
}

struct Loaded(HashMap<String, Value>);

impl Retrieve for Loaded {
    fn retrieve(
        &self,
        uri: &Uri<String>,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let found = self.0.get(uri.as_str()).cloned();
        found.ok_or_else(|| "a schema may refer only to files beside it".into())
    }
}

#[cfg(test)]
mod tests;
