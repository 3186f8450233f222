//! Pact: what a consumer expects of a provider, by example and with rules for what may differ.
//!
//! Here: files of versions 1 to 4 with HTTP interactions and messages ([`Pact::read`]), and whether an actual request,
//! response or message is as expected ([`Request::compare`], [`Response::compare`], [`Message::compare`]).
//!
//! Not here: sending anything, generators (they change what is sent, not what is expected), and plugins.
//!
//! The semantics are those of the published specification and its cases: the best rule for a place decides, rules for
//! a place hold below it, a request may have no more than is expected and a response may.

mod body;
mod dates;
mod file;
mod headers;
mod http;
mod json;
mod multipart;
mod path;
mod rules;
mod values;
mod xml;

use serde_json::{Map, Value};

use rules::Rules;

/// A version of the Pact specification.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Specification {
    /// Examples only.
    V1,
    /// As 1; the order of query parameters does not matter.
    V1_1,
    /// Matching rules.
    V2,
    /// Messages, several provider states, rules by part.
    V3,
    /// Typed interactions, encoded bodies, more matchers.
    V4,
}

impl Specification {
    /// The version that a file names, such as `3.0.0`.
    pub fn named(name: &str) -> Option<Self> {
        let mut parts = name.split('.');
        match (parts.next()?, parts.next()) {
            ("1", Some("1")) => Some(Self::V1_1),
            ("1", _) => Some(Self::V1),
            ("2", _) => Some(Self::V2),
            ("3", _) => Some(Self::V3),
            ("4", _) => Some(Self::V4),
            _ => None,
        }
    }
}

/// A Pact file.
#[derive(Clone, Debug)]
pub struct Pact {
    /// Who expects.
    pub consumer: String,
    /// Who is expected to do so.
    pub provider: String,
    /// The version that the file is written in.
    pub specification: Specification,
    /// What is expected, in the order of the file.
    pub interactions: Vec<Interaction>,
}

/// One expectation.
#[derive(Clone, Debug)]
pub struct Interaction {
    /// In the consumer's words.
    pub description: String,
    /// What the provider must be brought into first.
    pub states: Vec<State>,
    /// Whether a failure is not yet held against the provider (version 4).
    pub is_pending: bool,
    /// What is exchanged.
    pub exchange: Exchange,
}

/// A state of the provider.
#[derive(Clone, PartialEq, Debug)]
pub struct State {
    /// Its name.
    pub name: String,
    /// Its parameters, since version 3.
    pub parameters: Map<String, Value>,
}

/// What is exchanged.
#[derive(Clone, Debug)]
pub enum Exchange {
    /// A request and its response.
    Http {
        /// What the consumer sends.
        request: Box<Request>,
        /// What it expects.
        response: Box<Response>,
    },
    /// A message that the provider sends.
    Message(Box<Message>),
    /// A message and its answers.
    SyncMessage {
        /// What the consumer sends.
        request: Box<Message>,
        /// What it expects.
        responses: Vec<Message>,
    },
}

/// A request, expected or actual.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query's parameters.
    pub query: Query,
    /// Headers and their values.
    pub headers: Vec<(String, Vec<String>)>,
    /// The body.
    pub body: Body,
    rules: Rules,
    specification: Specification,
}

/// A response, expected or actual.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status, where one is expected.
    pub status: Option<u64>,
    /// Headers and their values.
    pub headers: Vec<(String, Vec<String>)>,
    /// The body.
    pub body: Body,
    rules: Rules,
}

/// A message, expected or actual.
#[derive(Clone, Debug)]
pub struct Message {
    /// The contents.
    pub body: Body,
    /// What stands beside the contents.
    pub metadata: Map<String, Value>,
    rules: Rules,
}

/// The parameters of a query, each with its values in order.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Query {
    /// The text that it was read from: version 1 compares that.
    raw: Option<String>,
    /// Names and values.
    pub fields: Vec<(String, Vec<String>)>,
}

/// A body, or why there is none.
#[derive(Clone, PartialEq, Debug)]
pub enum Body {
    /// Nothing is said about it.
    Missing,
    /// There is none.
    Null,
    /// It has no bytes.
    Empty,
    /// It has these.
    Present(Content),
}

/// The bytes of a body and what they are.
#[derive(Clone, PartialEq, Debug)]
pub struct Content {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The media type, declared or seen.
    pub media_type: String,
}

/// A way in which something is not as expected. Actual values are not shown: they may be anybody's data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// `/method`, `/path`, `/status`, `/query/…`, `/header/…`, `/metadata/…` or `/body/…`.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}`: {}", self.pointer, self.message)
    }
}

#[cfg(test)]
mod tests;
