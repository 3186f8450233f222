//! What is exchanged over channels, as an AsyncAPI 3.x document says.
//!
//! Here: [`AsyncApi`] (load; operations, channels, messages, replies), for [`crate::compare_events`]. Payloads are JSON
//! Schemas; those of other formats (Avro, Protobuf, RAML) are errors that name the format, since what is not read may
//! have changed.
//!
//! Not here: AsyncAPI 1.x and 2.x, which are refused; sending or receiving anything.

mod read;

use std::fmt;
use std::sync::Arc;

use qc_model::Finding;

use crate::codes;
use crate::documents::{At, Documents};
use crate::files::Files;
use crate::model::{SchemaAt, SecurityRequirement};
use crate::openapi::Reading;

/// A description of what an application sends and receives.
pub struct AsyncApi {
    documents: Documents,
    operations: Vec<Exchange>,
    brokers: Vec<Broker>,
}

/// Which way an operation's messages travel, as the described application sees it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub(crate) enum Action {
    Send,
    Receive,
}

impl Action {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Receive => "receive",
        }
    }
}

/// A server.
#[derive(Clone, Debug)]
pub(crate) struct Broker {
    /// Its key in the document.
    pub(crate) name: Arc<str>,
    /// Protocol, host and path: `kafka://broker.example.com:9092/`.
    pub(crate) address: String,
    /// Alternatives of which one is enough; empty when none is asked for.
    pub(crate) security: Vec<SecurityRequirement>,
    pub(crate) at: At,
}

/// One operation.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    /// Its key in the document.
    pub(crate) id: Arc<str>,
    pub(crate) action: Action,
    pub(crate) channel: Channel,
    pub(crate) messages: Vec<Message>,
    pub(crate) reply: Option<Reply>,
    /// Alternatives of which one is enough; empty when none is asked for.
    pub(crate) security: Vec<SecurityRequirement>,
    pub(crate) at: At,
}

/// Where messages travel.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    /// Its key in the document.
    pub(crate) id: Arc<str>,
    /// Its address, such as `orders/{region}`; absent when it is known only at run time.
    pub(crate) address: Option<Arc<str>>,
    pub(crate) at: At,
}

/// One of the messages that an operation may be about.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// Its key in the channel.
    pub(crate) id: Arc<str>,
    /// Its `name`.
    pub(crate) name: Option<Arc<str>>,
    /// Its media type, or the document's default.
    pub(crate) content_type: Option<Arc<str>>,
    pub(crate) payload: Option<SchemaAt>,
    /// Its own headers and those of its traits: all of them hold.
    pub(crate) headers: Vec<SchemaAt>,
    /// Where its correlation id is, such as `$message.header#/correlationId`.
    pub(crate) correlation: Option<Arc<str>>,
    pub(crate) at: At,
}

/// What answers an operation.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// Where the address of the reply is found at run time.
    pub(crate) location: Option<Arc<str>>,
    pub(crate) channel: Option<Channel>,
    pub(crate) messages: Vec<Message>,
    pub(crate) at: At,
}

impl fmt::Debug for AsyncApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncApi")
            .field("operations", &self.operations.len())
            .finish_non_exhaustive()
    }
}

impl AsyncApi {
    /// Loads a description. `None` when it cannot be read at all; findings below an error are for information.
    pub fn load(files: &dyn Files, entry: &str) -> (Option<Self>, Vec<Finding>) {
        match Documents::open(files, entry) {
            Ok(documents) => Self::of(documents, files),
            Err(finding) => (None, vec![*finding]),
        }
    }

    /// From an entry that is parsed already.
    pub(crate) fn of(mut documents: Documents, files: &dyn Files) -> (Option<Self>, Vec<Finding>) {
        if let Some(finding) = unknown_version(&documents) {
            return (None, vec![finding]);
        }
        let mut findings = Vec::new();
        documents.gather(files, &mut findings);
        let mut reading = Reading { documents: &documents, findings: &mut findings };
        let operations = read::operations(&mut reading);
        let brokers = read::brokers(&mut reading);
        (Some(Self { documents, operations, brokers }), findings)
    }

    /// How many operations there are.
    pub fn operation_count(&self) -> usize {
        self.operations.len()
    }

    pub(crate) fn operations(&self) -> &[Exchange] {
        &self.operations
    }

    pub(crate) fn brokers(&self) -> &[Broker] {
        &self.brokers
    }

    pub(crate) fn documents(&self) -> &Documents {
        &self.documents
    }
}

/// Why a document is none of a version that is read.
fn unknown_version(documents: &Documents) -> Option<Finding> {
    let root_at = At { file: 0, pointer: String::new() };
    let Some((_, value)) = documents.root().entry("asyncapi") else {
        let message = "this is no AsyncAPI description: it has no `asyncapi`";
        return Some(Finding::error(codes::VERSION, message).at(documents.place(&root_at)));
    };
    let text = value.as_str().unwrap_or_default();
    if text == "3" || text.starts_with("3.") {
        return None;
    }
    let message = format!("version `{text}` of AsyncAPI is not read");
    let help = if text.starts_with("2.") || text.starts_with("1.") {
        "known is 3.x; convert the document to 3.0 with the AsyncAPI converter"
    } else {
        "known is 3.x, written as a text such as `asyncapi: 3.0.0`"
    };
    let place = documents.source(0).place(value.span);
    Some(Finding::error(codes::VERSION, message).at(place).help(help))
}

#[cfg(test)]
mod tests;
