use std::{future::Future, pin::Pin};

use http::Method;
use qc_access::Action;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::{Call, Reply};
use crate::Problem;

/// One operation: all that the router, the authorisation and the OpenAPI document know of it.
pub(crate) struct Route {
    /// Its name in the OpenAPI document and in metrics.
    pub(crate) id: &'static str,
    /// The method.
    pub(crate) method: Method,
    /// The path, with `{parameters}`.
    pub(crate) path: &'static str,
    /// What its caller must be allowed to do.
    pub(crate) action: Action,
    /// What it does, in a line.
    pub(crate) summary: &'static str,
    /// Path and query parameters; others are refused.
    pub(crate) parameters: &'static [Parameter],
    /// The body's schema, when it takes one.
    pub(crate) body: Option<SchemaOf>,
    /// The status of success.
    pub(crate) status: u16,
    /// What comes back.
    pub(crate) answer: Answer,
    /// Does it.
    pub(crate) handler: Handler,
}

impl Route {
    /// Whether it is there to change something: then the audit tells of each time.
    pub(crate) fn changes(&self) -> bool {
        self.method != Method::GET
    }
}

/// Makes a type's schema.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;
/// Does an operation.
pub(crate) type Handler = fn(Call) -> Handling;
/// An operation at work.
pub(crate) type Handling = Pin<Box<dyn Future<Output = Result<Reply, Problem>> + Send>>;

/// What comes back on success.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    /// JSON of this schema.
    Json(SchemaOf),
    /// A stream of JSON values of this schema, one a line.
    Lines(SchemaOf),
    /// Text of this media type.
    Text(&'static str),
    /// Nothing.
    Nothing,
}

/// A parameter.
#[derive(Clone, Copy)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    pub(crate) summary: &'static str,
}

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the path.
    Path,
    /// In the query; may be left out.
    Query,
}

/// A parameter of the path.
pub(super) const fn path(name: &'static str, summary: &'static str) -> Parameter {
    Parameter { name, place: Place::Path, summary }
}

/// A parameter of the query.
pub(super) const fn query(name: &'static str, summary: &'static str) -> Parameter {
    Parameter { name, place: Place::Query, summary }
}

/// The schema of a type, as a reference into the document's components.
pub(super) fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}
