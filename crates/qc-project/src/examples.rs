//! Where the examples of a trigger's contract lie.

use crate::Project;

/// Ends the name of a contract's file.
const SCHEMA_SUFFIX: &str = ".schema.json";

impl Project {
    /// The folder of a trigger's valid examples, and with what their names begin; of a contract with versions the one
    /// that the workflow works with. None: there is no such trigger, or it has no contract of its own.
    pub fn examples_of(&self, integration: &str, trigger: &str) -> Option<(String, String)> {
        let folder = self.integrations().get(integration)?;
        let spec = folder.definition.as_ref()?.value.triggers.get(trigger)?;
        let contract = match (&spec.contract, &spec.versions) {
            (Some(contract), _) => contract.path.clone(),
            (None, Some(versions)) => {
                let current = self.versions_of(integration, trigger).ok()?;
                let current = current.entries()[current.current()].name.to_string();
                let file = folder.versions.get(&versions.path)?;
                file.value.versions.get(&current)?.contract.path.clone()
            }
            (None, None) => return None,
        };
        let stem = contract.strip_prefix("contracts/")?.strip_suffix(SCHEMA_SUFFIX)?;
        Some((format!("{}/contracts/examples/valid", folder.folder), stem.to_owned()))
    }
}
