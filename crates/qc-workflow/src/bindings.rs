//! What a workflow is compiled against.

use std::collections::BTreeMap;

use qc_contract::Schema;
use qc_model::Finding;

use crate::{CallPolicy, KeptNames, Unavailable};

/// What the project knows of the things that a workflow calls.
pub trait Bindings {
    /// The policy of a connector's operation; None when there is no such connector or operation.
    fn operation(&self, connector: &str, operation: &str) -> Option<CallPolicy>;

    /// The operations of a connector, for "did you mean"; empty when there is no such connector.
    fn operation_names(&self, connector: &str) -> Vec<String>;

    /// The policy of a plain HTTP request with this method (in capitals).
    fn http_default(&self, method: &str) -> CallPolicy;

    /// What the integration says about one task; replaces every other policy.
    fn task_override(&self, pointer: &str, task_name: &str) -> Option<CallPolicy>;

    /// The policy of an operation of an OpenAPI document. The finding says why the document or
    /// operation cannot be used; it gets the place of the call.
    fn openapi(&self, document: &str, operation: &str) -> Result<CallPolicy, Box<Finding>>;

    /// What is done about the call at this place while its system is not there.
    fn unavailable(&self, _pointer: &str) -> Option<Unavailable> {
        None
    }

    /// What the integration promises of the data of the events that the workflow emits, by their type.
    fn event_contracts(&self) -> BTreeMap<String, Vec<Schema>> {
        BTreeMap::new()
    }

    /// What the integration declares that it keeps: nothing, unless said otherwise.
    fn kept(&self) -> KeptNames {
        KeptNames::default()
    }
}
