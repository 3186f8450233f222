//! Whether one JSON Schema admits everything that another one admits.
//!
//! The question decides the level of a change to a contract: a request schema may only come to admit more, a response
//! schema only less. An answer is a proof or a document that shows the opposite; what cannot be decided within the
//! limits is said to be unknown, never guessed.

mod canonical;

use serde_json::Value;

/// Whether `sup` admits every document that `sub` admits.
#[derive(Clone, PartialEq, Debug)]
pub enum Covers {
    /// It does; this is proven.
    Yes,
    /// It does not; the witness is a document that `sub` admits and `sup` refuses, where one was found.
    No {
        /// Checked with the validator: valid under `sub`, invalid under `sup`.
        witness: Option<Value>,
    },
    /// Neither was proven within the limits.
    Unknown {
        /// Why not, in words for a reader of a report.
        why: &'static str,
    },
}

/// The version of JSON Schema that a schema without `$schema` is written in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Draft {
    /// Draft 4, also what OpenAPI 3.0 is nearest to.
    Draft4,
    /// Draft 6.
    Draft6,
    /// Draft 7.
    Draft7,
    /// Draft 2019-09.
    Draft201909,
    /// Draft 2020-12; also what [`crate::OpenApi::schema`] gives.
    #[default]
    Draft202012,
}

/// How the two schemas are to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CoverOptions {
    /// The draft of a schema that does not name its own in `$schema`.
    pub draft: Draft,
    /// Whether `format` refuses documents; otherwise it is an annotation.
    pub formats: bool,
    /// Whether `nullable: true` admits null, as in OpenAPI 3.0.
    pub nullable: bool,
}

/// Whether `sup` admits every document that `sub` admits. Both are self-contained: a reference leads into its own
/// schema. Bounded in time and memory whatever the schemas are.
pub fn covers(sup: &Value, sub: &Value, options: CoverOptions) -> Covers {
    if sup == sub {
        return Covers::Yes;
    }
    canonical::opinion(sup, sub, options)
}
