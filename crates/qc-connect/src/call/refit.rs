//! An answer that did not fit its contract is put right later, and held against a contract again. Nothing is sent.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use qc_model::BlobValue;
use qc_workflow::{CallOutput, CallTarget, OutputShape};
use serde_json::Value;

use super::{
    Connectors, Deviation, DriftNote,
    observe::{Given, differences},
};
use crate::connector::Repairs;

impl Connectors {
    /// The repairs that the connector of a call declares for its operation.
    pub fn repairs(&self, target: &CallTarget) -> Option<&Repairs> {
        let CallTarget::Connector { connector, operation, .. } = target else { return None };
        self.get(connector)?.repairs(operation)
    }

    /// A kept answer after these repairs, when it fits what this release says of the operation.
    ///
    /// Errors: what still breaks the contract.
    pub fn refit(
        &self,
        target: &CallTarget,
        kept: &CallOutput,
        repairs: &[&Repairs],
    ) -> Result<CallOutput, Vec<DriftNote>> {
        let mut output = kept.clone();
        let raw = target.output() == OutputShape::Raw;
        // Bytes stay as they are.
        if !raw {
            for one in repairs {
                one.apply(&mut output.content);
            }
        }
        let CallTarget::Connector { connector, operation, .. } = target else { return Ok(output) };
        let Some(connector) = self.get(connector) else { return Ok(output) };
        let Some(found) = connector.operation(operation) else { return Ok(output) };
        let headers: Vec<(String, String)> = headers_of(&output.headers);
        let streamed = BlobValue::of(&output.content).is_some();
        let read = if raw && !streamed { unwrapped(&output.content) } else { None };
        let content = read.as_ref().unwrap_or(&output.content);
        let given = Given {
            label: connector.name().as_str(),
            status: output.status,
            headers: &headers,
            // An empty body has no media type.
            empty: content.is_null() && !output.headers.contains_key("content-type"),
            content,
            streamed,
        };
        let mut notes = differences(connector.api(), found, &given);
        notes.retain(|note| note.kind == Deviation::Breaking);
        if notes.is_empty() { Ok(output) } else { Err(notes) }
    }
}

fn headers_of(headers: &BTreeMap<String, String>) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// What bytes in base64 say, when that is JSON.
fn unwrapped(content: &Value) -> Option<Value> {
    let bytes = STANDARD.decode(content.as_str()?).ok()?;
    serde_json::from_slice(&bytes).ok()
}
