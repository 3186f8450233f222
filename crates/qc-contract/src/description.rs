//! A description of an interface, whichever standard it is written in.

use qc_model::Finding;

use crate::asyncapi::AsyncApi;
use crate::codes;
use crate::compare::{Comparison, Options, compare, compare_events};
use crate::documents::Documents;
use crate::files::Files;
use crate::openapi::OpenApi;

/// A description, by its standard.
#[derive(Debug)]
pub enum Description {
    /// What an API answers over HTTP.
    OpenApi(Box<OpenApi>),
    /// What an application sends and receives over channels.
    AsyncApi(Box<AsyncApi>),
}

impl Description {
    /// Loads a description; the key `asyncapi` at its top tells the one kind from the other. `None` when it cannot be
    /// read at all; findings below an error are for information.
    pub fn load(files: &dyn Files, entry: &str) -> (Option<Self>, Vec<Finding>) {
        let documents = match Documents::open(files, entry) {
            Ok(documents) => documents,
            Err(finding) => return (None, vec![*finding]),
        };
        if documents.root().get("asyncapi").is_some() {
            let (events, findings) = AsyncApi::of(documents, files);
            return (events.map(|events| Self::AsyncApi(Box::new(events))), findings);
        }
        let (api, findings) = OpenApi::of(documents, files, Vec::new());
        (api.map(|api| Self::OpenApi(Box::new(api))), findings)
    }

    /// Compares two versions; an error when they are descriptions of different kinds.
    pub fn compare(&self, new: &Self, options: Options<'_>) -> Result<Comparison, Box<Finding>> {
        match (self, new) {
            (Self::OpenApi(old), Self::OpenApi(new)) => Ok(compare(old, new, options)),
            (Self::AsyncApi(old), Self::AsyncApi(new)) => Ok(compare_events(old, new, options)),
            _ => {
                let message = "one version is an OpenAPI description, the other an AsyncAPI one";
                let help = "compare two versions of one contract";
                Err(Box::new(Finding::error(codes::VERSION, message).help(help)))
            }
        }
    }
}
