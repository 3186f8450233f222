//! Names, and business steps bound to tasks.

use std::collections::BTreeSet;

use qc_document::{Node, NodeValue};

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
    let Some(workflow) = &subject.folder.workflow else { return };
    let program = subject.folder.program.as_deref();
    // A workflow that does not compile has tasks with names all the same.
    let mut tasks: BTreeSet<&str> = BTreeSet::new();
    match program {
        Some(program) => tasks.extend(program.tasks().map(|task| &*task.name)),
        None => names(&workflow.root, &mut tasks),
    }
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
    let calls = program.iter().flat_map(|program| program.calls());
    let kept =
        |site: &qc_workflow::CallSite| matches!(site.target, qc_workflow::SiteTarget::Kept { .. });
    for site in calls.filter(|site| !kept(site)) {
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

/// The names in lists of tasks: items with one key that leads to an object.
fn names<'n>(node: &'n Node, found: &mut BTreeSet<&'n str>) {
    match &node.value {
        NodeValue::Sequence(items) => {
            for item in items {
                if let Some([(name, task)]) = item.as_mapping()
                    && task.as_mapping().is_some()
                {
                    found.insert(&name.name);
                }
                names(item, found);
            }
        }
        NodeValue::Mapping(entries) => entries.iter().for_each(|(_, value)| names(value, found)),
        NodeValue::Null | NodeValue::Bool(_) | NodeValue::Number(_) | NodeValue::String(_) => {}
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
