//! What workflows and triggers can say and the engine does not do yet. Refused here, for `qc check`,
//! releases and their loading alike, until it is built: then this file goes.

use qc_model::Finding;

use crate::{
    Loaded,
    integration::{Integration, TriggerForm},
    project::IntegrationFolder,
};

/// Refuses what is not built.
pub(crate) fn refuse(folder: &IntegrationFolder) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let (Some(program), Some(workflow)) = (&folder.program, &folder.workflow) {
        let tasks = program.tasks().filter(|task| matches!(task.kind, "listen" | "run"));
        for task in tasks {
            let feature = if task.kind == "run" { "run: workflow" } else { "listen" };
            findings.push(not_yet(feature).at(task.place.clone()));
        }
        if program.schedule().is_some() {
            let span = workflow.root.key_span_at("/schedule").unwrap_or_default();
            findings.push(not_yet("schedule").at(workflow.place(span)));
        }
    }
    if let Some(definition) = &folder.definition {
        findings.extend(of_definition(definition));
    }
    findings
}

fn of_definition(definition: &Loaded<Integration>) -> Vec<Finding> {
    let it = &definition.value;
    let scheduled = it
        .triggers
        .iter()
        .filter(|(_, trigger)| matches!(trigger.form, TriggerForm::Schedule(_)))
        .map(|(name, _)| not_yet("kind: schedule").at(definition.place(name.span)));
    scheduled.collect()
}

fn not_yet(feature: &str) -> Finding {
    let message = format!("`{feature}` is not part of the QuickConnect profile yet");
    Finding::error(qc_workflow::codes::UNSUPPORTED, message)
        .help("this version reads and checks it, and cannot run it; leave it out")
}
