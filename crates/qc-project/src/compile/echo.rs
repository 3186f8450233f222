//! Echoes, as the engine takes them.

use std::time::Duration;

use qc_engine::{ECHO_WINDOW_MAX, Echo, EchoRule};
use qc_model::Finding;

use super::triggers::compile_jq;
use crate::{
    Loaded, codes,
    integration::{EchoOf, Integration},
    project::IntegrationFolder,
};

/// How long a system may take to tell of a change, unless it is said.
const WINDOW: Duration = Duration::from_secs(600);

/// Compiles all echoes. What is wrong is among the findings, and not in the result.
pub(crate) fn echo(folder: &IntegrationFolder, findings: &mut Vec<Finding>) -> Echo {
    let mut compiled = Echo::default();
    let Some(definition) = &folder.definition else { return compiled };
    for (system, spec) in definition.value.echo.iter() {
        let window = spec.window.unwrap_or(WINDOW);
        if window > ECHO_WINDOW_MAX {
            let days = ECHO_WINDOW_MAX.as_secs() / 86_400;
            let message = format!("the window of `{}` is longer than {days} days", system.value);
            let finding = definition.error(codes::ECHO, system.span, message);
            findings.push(finding.help("a change by hand to the same would be taken for an echo"));
        }
        let mut rule = |of: &EchoOf| {
            let system = system.value.to_string();
            let object = jq(definition, &of.object, findings)?;
            let version = jq(definition, &of.version, findings)?;
            Some(EchoRule { system, object, version, window })
        };
        for (task, of) in spec.tasks.iter() {
            for pointer in places(folder, &task.value) {
                compiled.written.extend(rule(of).map(|rule| (pointer, rule)));
            }
        }
        for (trigger, of) in spec.triggers.iter() {
            compiled.heard.extend(rule(of).map(|rule| (trigger.value.clone(), rule)));
        }
    }
    compiled
}

/// The places of the calls of a task, which is told by its name or its place.
pub(crate) fn places(folder: &IntegrationFolder, task: &str) -> Vec<String> {
    let calls = folder.program.iter().flat_map(|program| program.calls());
    calls
        .filter(|site| &*site.task_name == task || &*site.pointer == task)
        .map(|site| site.pointer.to_string())
        .collect()
}

fn jq(
    definition: &Loaded<Integration>,
    jq: &crate::shape::Jq,
    findings: &mut Vec<Finding>,
) -> Option<qc_expression::Expression> {
    compile_jq(definition, jq, &[]).map_err(|finding| findings.push(*finding)).ok()
}
