//! Names, and business steps bound to tasks.

use std::collections::BTreeSet;

use super::{Subject, closest_or_list};
use crate::codes;

pub(super) fn check(subject: &mut Subject<'_>) {
    name(subject);
    let it = &subject.file.value;
    if it.steps.is_empty()
        && subject
            .file
            .root
            .get("steps")
            .is_some_and(|node| node.as_sequence().is_some_and(<[_]>::is_empty))
    {
        let span = subject.file.root.key_span_at("/steps").unwrap_or_default();
        subject.error(
            codes::STEP_UNBOUND,
            span,
            "there are no business steps".to_owned(),
            "say in business words what happens, step by step, and which tasks do it",
        );
    }
    let Some(program) = &subject.folder.program else { return };
    let tasks: BTreeSet<&str> = program.tasks().map(|task| &*task.name).collect();
    let mut bound: BTreeSet<&str> = BTreeSet::new();
    for step in &it.steps {
        if step.tasks.is_empty() {
            let message = format!("the step \"{}\" is bound to no task", step.step.value);
            subject.error(
                codes::STEP_UNBOUND,
                step.step.span,
                message,
                "name the tasks of workflow.yaml that do it",
            );
        }
        for task in &step.tasks {
            bound.insert(&task.value);
            if !tasks.contains(task.as_str()) {
                let message = format!("the workflow has no task `{}`", task.value);
                let help = closest_or_list(&task.value, tasks.iter().copied());
                subject.error(codes::STEP_UNBOUND, task.span, message, help);
            }
        }
    }
    for site in program.calls() {
        // A task inside a block belongs to the step that names the block.
        let named = |pointer: &str| pointer.split('/').any(|segment| bound.contains(segment));
        if !bound.contains(&*site.task_name) && !named(&site.pointer) {
            let message = format!(
                "the task `{}` calls another system and belongs to no business step",
                site.task_name
            );
            let finding =
                qc_model::Finding::error(codes::TASK_UNMAPPED, message).at(site.place.clone());
            subject.out.push(finding.help(format!(
                "add it to the `tasks` of a step in {}/integration.yaml",
                subject.folder.folder
            )));
        }
    }
}

fn name(subject: &mut Subject<'_>) {
    let folder = subject.folder.name();
    if let Some(name) = &subject.file.value.name
        && name.as_str() != folder
    {
        let message =
            format!("the integration is named `{}`, but its folder `{folder}`", name.value);
        let span = name.span;
        subject.error(codes::NAME_DIFFERS, span, message, "rename one of them");
    }
}
