//! An API described by OpenAPI: loading, and the questions that the rest of the platform asks of it.

mod check;
mod load;
mod prune;
mod read_openapi;
mod read_swagger;
mod reading;
mod route;
mod samples;
mod undeclared;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::{Draft, Validator};
use qc_document::{Node, NodeValue};
use qc_model::{Finding, Place};
use serde_json::Value;

use crate::codes;
use crate::documents::{At, Documents};
use crate::mismatch::{Direction, Mismatch};
use crate::model::{Content, Operation, SchemaAt, SecurityScheme, Server, Version};
use crate::schema::compile::{Dialect, compile_tolerant};
use crate::schema::extract::extract;
use crate::schema::mismatches;

pub use check::IncomingRequest;
pub(crate) use check::resolve as resolve_schema;
pub(crate) use reading::{
    Reading, security as security_of, shared_text, template_names, text as text_of,
};
pub use route::Routed;
pub use undeclared::Undeclared;

/// One API, as its description says. Loading models all operations; schemas are compiled when they are first used,
/// and kept.
pub struct OpenApi {
    documents: Documents,
    version: Version,
    title: Arc<str>,
    api_version: Arc<str>,
    operations: Vec<Operation>,
    webhooks: Vec<Operation>,
    by_id: HashMap<Arc<str>, usize>,
    security_schemes: Vec<(Arc<str>, SecurityScheme)>,
    servers: Vec<Server>,
    compiled: Mutex<HashMap<(SchemaAt, Direction), Compiled>>,
    named: Mutex<HashMap<SchemaAt, Arc<undeclared::Named>>>,
}

/// A schema made ready, or why it cannot be.
#[derive(Clone)]
enum Compiled {
    Ready(Arc<Validator>),
    Impossible(Arc<str>),
}

impl fmt::Debug for OpenApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenApi")
            .field("title", &self.title)
            .field("version", &self.version)
            .field("operations", &self.operations.len())
            .finish_non_exhaustive()
    }
}

impl OpenApi {
    /// The version of the standard that the description is written in.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The API's title.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The API's own version, as it says.
    pub fn api_version(&self) -> &str {
        &self.api_version
    }

    /// All operations, in order of the document.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// What the API sends by itself; the path of each is the webhook's name.
    pub fn webhooks(&self) -> &[Operation] {
        &self.webhooks
    }

    pub(crate) fn documents(&self) -> &Documents {
        &self.documents
    }

    /// An operation by id.
    pub fn operation(&self, id: &str) -> Option<&Operation> {
        self.by_id.get(id).map(|at| &self.operations[*at])
    }

    /// The operation id closest to a mistyped one.
    pub fn closest_operation(&self, id: &str) -> Option<&str> {
        qc_document::closest(id, self.operations.iter().map(|operation| &*operation.id))
    }

    /// Declared security schemes by name, in order.
    pub fn security_schemes(&self) -> &[(Arc<str>, SecurityScheme)] {
        &self.security_schemes
    }

    /// Base addresses of the whole API.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// A schema as a self-contained JSON Schema 2020-12 value, as payloads of this direction must satisfy it.
    pub fn schema(&self, at: &SchemaAt, direction: Direction) -> Value {
        extract(&self.documents, self.version, direction, at).value
    }

    /// What in a value does not fit a schema of this description.
    pub fn check(&self, at: &SchemaAt, direction: Direction, value: &Value) -> Vec<Mismatch> {
        match self.compiled(at, direction) {
            Compiled::Ready(validator) => mismatches(&validator, value, direction),
            Compiled::Impossible(error) => vec![Mismatch {
                pointer: String::new(),
                schema_pointer: String::new(),
                message: format!("the contract's schema cannot be compiled: {error}"),
                keyword: "schema".to_owned(),
                expected: None,
                direction,
            }],
        }
    }

    pub(crate) fn admits(&self, at: &SchemaAt, direction: Direction, value: &Value) -> bool {
        match self.compiled(at, direction) {
            Compiled::Ready(validator) => validator.is_valid(value),
            Compiled::Impossible(_) => false,
        }
    }

    fn compiled(&self, at: &SchemaAt, direction: Direction) -> Compiled {
        let key = (at.clone(), direction);
        let cache = || self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(compiled) = cache().get(&key) {
            return compiled.clone();
        }
        // Compiled outside the lock: two threads may do it twice, none waits for another's large schema.
        let value = self.schema(at, direction);
        let compiled = match compile_tolerant(&value, dialect(direction)) {
            Ok((validator, _)) => Compiled::Ready(Arc::new(validator)),
            Err(error) => Compiled::Impossible(Arc::from(error)),
        };
        cache().entry(key).or_insert(compiled).clone()
    }

    /// Compiles every schema of these operations and reports what cannot be compiled or is not enforced.
    pub fn prove(&self, operation_ids: &[&str]) -> Vec<Finding> {
        let mut findings = Vec::new();
        for operation in operation_ids.iter().filter_map(|id| self.operation(id)) {
            for (schema, direction) in operation.schemas() {
                self.prove_schema(operation, schema, direction, &mut findings);
            }
        }
        findings
    }

    fn prove_schema(
        &self,
        operation: &Operation,
        schema: &SchemaAt,
        direction: Direction,
        findings: &mut Vec<Finding>,
    ) {
        let at = At { file: schema.file, pointer: schema.pointer.to_string() };
        let extracted = extract(&self.documents, self.version, direction, schema);
        for (at, broken) in &extracted.broken {
            findings.push(self.documents.broken_at(at, broken));
        }
        match compile_tolerant(&extracted.value, dialect(direction)) {
            Ok((_, dropped)) => {
                for pattern in dropped {
                    let message = format!(
                        "the pattern `{pattern}` is no regular expression here, and is not enforced"
                    );
                    findings.push(
                        Finding::warning(codes::SCHEMA, message).at(self.documents.place(&at)),
                    );
                }
            }
            Err(error) => {
                let message = format!("a schema of `{}` cannot be compiled: {error}", operation.id);
                findings.push(Finding::error(codes::SCHEMA, message).at(self.documents.place(&at)));
            }
        }
    }

    /// Where an operation stands in the files.
    pub fn place(&self, operation: &Operation) -> Place {
        self.documents.place(&operation.at())
    }

    /// Where a schema stands in the files.
    pub fn place_of(&self, schema: &SchemaAt) -> Place {
        self.documents.place(&At { file: schema.file, pointer: schema.pointer.to_string() })
    }

    /// The examples that the description gives for a body, whether they fit or not, each with its JSON Pointer and where
    /// it stands.
    pub fn examples(&self, content: &Content) -> Vec<(Arc<str>, Place, Value)> {
        let examples = content.examples.iter().filter_map(|(file, pointer)| {
            let value = self.documents.node(*file, pointer)?.to_value();
            let at = At { file: *file, pointer: pointer.to_string() };
            Some((Arc::clone(pointer), self.documents.place(&at), value))
        });
        examples.collect()
    }
}

/// Formats are part of what we promise to send, but vendors' answers are not judged by them: JSON Schema says that
/// `format` is an annotation, and vendors rely on that.
fn dialect(direction: Direction) -> Dialect {
    Dialect { draft: Some(Draft::Draft202012), formats: direction == Direction::Request }
}

impl Operation {
    pub(crate) fn at(&self) -> At {
        At { file: self.file, pointer: self.pointer.to_string() }
    }

    /// All schemas of the operation with the direction that they are used in.
    pub(crate) fn schemas(&self) -> Vec<(&SchemaAt, Direction)> {
        let mut all = Vec::new();
        let parameters = self.parameters.iter().filter_map(|parameter| parameter.schema.as_ref());
        all.extend(parameters.map(|schema| (schema, Direction::Request)));
        let bodies = self.request_body.iter().flat_map(|body| &body.content);
        all.extend(bodies.filter_map(|c| c.schema.as_ref()).map(|s| (s, Direction::Request)));
        for response in &self.responses {
            let headers = response.headers.iter().filter_map(|header| header.schema.as_ref());
            let contents = response.content.iter().filter_map(|content| content.schema.as_ref());
            all.extend(headers.chain(contents).map(|schema| (schema, Direction::Response)));
        }
        all
    }
}

fn is_mapping(node: &Node) -> bool {
    matches!(node.value, NodeValue::Mapping(_))
}

#[cfg(test)]
pub(crate) mod tests;
