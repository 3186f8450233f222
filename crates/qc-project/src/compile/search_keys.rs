//! By what runs are found, as the engine takes it.

use qc_engine::SearchKey;
use qc_model::Finding;

use super::triggers::compile_jq;
use crate::project::IntegrationFolder;

/// Compiles all search keys of an integration. What is wrong is among the findings, and not in the result.
pub(crate) fn search_keys(
    folder: &IntegrationFolder,
    findings: &mut Vec<Finding>,
) -> Vec<SearchKey> {
    let Some(definition) = &folder.definition else { return Vec::new() };
    let mut compiled = Vec::new();
    for (name, spec) in definition.value.search_keys.iter() {
        match compile_jq(definition, &spec.value, &[]) {
            Ok(value) => {
                let task = spec.task.as_ref().map(|task| task.value.clone());
                compiled.push(SearchKey { name: name.value.clone(), value, task });
            }
            Err(finding) => findings.push(*finding),
        }
    }
    compiled
}
