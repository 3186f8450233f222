//! What triggers and workflows can say and the engine does not do yet. Refused here, for `qc check`, releases and their
//! loading alike, until it is built: then this file goes.

use qc_model::Finding;

use crate::project::IntegrationFolder;

/// Refuses what is not built.
pub(crate) fn refuse(folder: &IntegrationFolder) -> Vec<Finding> {
    let Some(definition) = &folder.definition else { return Vec::new() };
    let undone = definition.value.compensation.iter();
    undone.map(|(name, _)| not_yet("compensation").at(definition.place(name.span))).collect()
}

fn not_yet(feature: &str) -> Finding {
    let message = format!("`{feature}` is not part of the QuickConnect profile yet");
    Finding::error(qc_workflow::codes::UNSUPPORTED, message)
        .help("this version reads and checks it, and cannot run it; leave it out")
}
