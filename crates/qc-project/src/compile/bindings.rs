//! What a workflow is compiled against.

use std::cell::RefCell;
use std::collections::BTreeMap;

use qc_connect::call::Connectors;
use qc_contract::{OpenApi, Schema};
use qc_model::Finding;
use qc_workflow::{Bindings, CallPolicy, KeptNames, Unavailable};

use crate::files::relocate;
use crate::{
    ProjectFiles,
    check::closest_or_list,
    project::{CONNECTORS, FilesIn},
};

/// Documents of `call: openapi` by the address that the workflow writes; and what is wrong with them.
pub(crate) type Documents = RefCell<BTreeMap<String, (Option<OpenApi>, Vec<Finding>)>>;

/// The project as a workflow sees it.
pub(crate) struct Bound<'a> {
    pub(crate) files: &'a ProjectFiles,
    /// The integration's folder: what relative addresses of documents are relative to.
    pub(crate) folder: &'a str,
    pub(crate) connectors: &'a Connectors,
    pub(crate) documents: &'a Documents,
    /// Policies by the pointer of a task.
    pub(crate) rules: BTreeMap<String, CallPolicy>,
    /// What is done while a system is not there, by the same.
    pub(crate) unavailable: BTreeMap<String, Unavailable>,
    /// What the integration keeps.
    pub(crate) kept: KeptNames,
    /// What it promises of the events that it publishes, by their type.
    pub(crate) promised: BTreeMap<String, Vec<Schema>>,
}

impl Bindings for Bound<'_> {
    fn operation(&self, connector: &str, operation: &str) -> Option<CallPolicy> {
        let folder = format!("{CONNECTORS}/{connector}");
        if self.connectors.get(connector).is_none() && self.files.under(&folder).next().is_some() {
            // What is wrong with the connector is reported once, at its own place.
            return Some(CallPolicy::default());
        }
        self.connectors.policy(connector, operation)
    }

    fn operation_names(&self, connector: &str) -> Vec<String> {
        self.connectors.operation_names(connector)
    }

    fn http_default(&self, method: &str) -> CallPolicy {
        Connectors::http_default(method)
    }

    fn task_override(&self, pointer: &str, _: &str) -> Option<CallPolicy> {
        self.rules.get(pointer).cloned()
    }

    fn unavailable(&self, pointer: &str) -> Option<Unavailable> {
        self.unavailable.get(pointer).cloned()
    }

    fn event_contracts(&self) -> BTreeMap<String, Vec<Schema>> {
        self.promised.clone()
    }

    fn kept(&self) -> KeptNames {
        self.kept.clone()
    }

    fn openapi(&self, document: &str, operation: &str) -> Result<CallPolicy, Box<Finding>> {
        let mut documents = self.documents.borrow_mut();
        if !documents.contains_key(document) {
            let files = FilesIn { files: self.files, folder: self.folder };
            let here = self.files.has(&format!("{}/{document}", self.folder));
            if !here {
                // The finding of the connectors says that it is no part of the project.
                return Connectors::default().openapi_policy(document, operation);
            }
            let (api, mut findings) = OpenApi::load(&files, document);
            relocate(&mut findings, self.folder);
            documents.insert(document.to_owned(), (api, findings));
        }
        match &documents[document] {
            (Some(api), _) => match api.operation(operation) {
                Some(found) => Ok(Connectors::http_default(found.method.as_str())),
                None => Err(Box::new(unknown_operation(api, document, operation))),
            },
            // What is wrong with the document is reported once, at its own place.
            (None, _) => Ok(CallPolicy::default()),
        }
    }
}

fn unknown_operation(api: &OpenApi, document: &str, operation: &str) -> Finding {
    let names = api.operations().iter().map(|one| &*one.id);
    Finding::error(
        qc_connect::codes::UNKNOWN_TARGET,
        format!("`{document}` has no operation `{operation}`"),
    )
    .help(closest_or_list(operation, names))
}
