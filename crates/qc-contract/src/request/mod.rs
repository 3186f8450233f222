//! From named arguments to an HTTP request, as the operation describes it.

mod body;
mod build;
mod style;

use qc_model::BlobHash;
use serde_json::Value;

use crate::model::Method;

pub(crate) use body::content_for;
pub(crate) use style::{plain_text, read_styled};

/// A request that is ready to be sent to a base address.
#[derive(Clone, PartialEq, Debug)]
pub struct BuiltRequest {
    /// HTTP method.
    pub method: Method,
    /// Path with its parameters filled in and percent-encoded; it begins with `/`.
    pub path: String,
    /// Query parameters in order, not yet encoded.
    pub query: Vec<(String, String)>,
    /// All of the query as one text that is no form (OpenAPI 3.2), not yet encoded; then `query` is empty.
    pub query_text: Option<String>,
    /// Headers of header and cookie parameters; not the content type, which the body knows.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<BodyPlan>,
}

/// A body and its media type.
#[derive(Clone, PartialEq, Debug)]
pub struct BodyPlan {
    /// Such as `application/json`; for multipart without its boundary.
    pub media_type: String,
    /// The content.
    pub value: BodyValue,
}

/// The content of a body.
#[derive(Clone, PartialEq, Debug)]
pub enum BodyValue {
    /// To be written as JSON.
    Json(Value),
    /// To be written as `application/x-www-form-urlencoded`.
    Form(Vec<(String, String)>),
    /// To be written as `multipart/*`.
    Multipart(Vec<Part>),
    /// Text, as it is.
    Text(String),
    /// Bytes, as they are.
    Binary(Vec<u8>),
    /// The bytes of a blob.
    Blob(BlobHash),
}

/// One part of a multipart body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// Name of the field.
    pub name: String,
    /// File name, for files.
    pub filename: Option<String>,
    /// Media type of the part, when it has to be said.
    pub media_type: Option<String>,
    /// Its content.
    pub content: PartContent,
}

/// The content of a part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PartContent {
    /// Bytes.
    Bytes(Vec<u8>),
    /// The bytes of a blob.
    Blob(BlobHash),
}

/// `application/json`, `application/problem+json`, `*/*`: what JSON may travel as.
pub(crate) fn is_form(media_type: &str) -> bool {
    essence(media_type) == "application/x-www-form-urlencoded"
}

/// Whether a media type is JSON, with or without parameters.
pub fn is_json(media_type: &str) -> bool {
    let essence = essence(media_type);
    essence == "application/json" || essence.ends_with("+json") || essence == "text/json"
}

/// A media type without its parameters, lower case.
pub(crate) fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
