//! Who is asked: human tasks in the workflow, the integration's escalation, and people in scenarios.

use qc_document::{Node, Span};
use qc_model::Finding;
use qc_workflow::{HUMAN, HumanFlaw, HumanKind, SiteTarget, read_human};

use super::{Subject, closest_or_list};
use crate::{
    codes,
    compile::rules_of,
    project::{CONNECTORS, Project},
};

pub(super) fn check(subject: &mut Subject<'_>) {
    names(subject);
    ladder(subject);
    let Some(program) = subject.folder.program.clone() else { return };
    for site in program.calls() {
        let SiteTarget::Human { ask, with } = &site.target else { continue };
        if let Some((key, _)) = rules_of(&subject.file.value, site) {
            let entry = subject.file.value.tasks.iter().find(|(name, _)| name.value == key);
            let span = entry.map_or(Span::default(), |(name, _)| name.span);
            let message =
                format!("`{}` asks a person: rules for requests say nothing there", site.task_name);
            subject.error(
                codes::HUMAN_RULES,
                span,
                message,
                "remove them; how long an answer is waited for is the task's own `deadline`",
            );
        }
        arguments(subject, *ask, with.as_deref(), &site.place);
    }
}

/// `human` is no name for a connector or a system.
fn names(subject: &mut Subject<'_>) {
    for (name, _) in subject.file.value.systems.iter() {
        if name.as_str() == HUMAN {
            let message = format!("no system can be named `{HUMAN}`");
            subject.error(codes::RESERVED_NAME, name.span, message, "rename it");
        }
    }
}

/// The same for connectors.
pub(super) fn connectors(project: &Project, out: &mut Vec<Finding>) {
    if project.has_connector_folder(HUMAN) {
        let message =
            format!("no connector can be named `{HUMAN}`: `{HUMAN}.approve` asks a person");
        let place = crate::files::file_place(&format!("{CONNECTORS}/{HUMAN}/connector.yaml"));
        let finding = Finding::error(codes::RESERVED_NAME, message).at(place);
        out.push(finding.help("rename its folder, its `name`, and the calls"));
    }
}

/// The integration's escalation: levels come one after the other.
fn ladder(subject: &mut Subject<'_>) {
    for pair in subject.file.value.escalation.windows(2) {
        if pair[1].after <= pair[0].after {
            let message = format!(
                "`{}` is asked not later than `{}`, who comes before",
                pair[1].to.value, pair[0].to.value
            );
            let help = "each level of an escalation comes after the one before";
            subject.error(codes::CONTRADICTION, pair[1].to.span, message, help);
        }
    }
}

fn arguments(
    subject: &mut Subject<'_>,
    ask: HumanKind,
    with: Option<&Node>,
    site: &qc_model::Place,
) {
    let Some(workflow) = &subject.folder.workflow else { return };
    let value = with.map_or_else(|| serde_json::json!({}), Node::to_value);
    let (_, problems) = read_human(ask, &value, true);
    let at = |pointer: &str| match with {
        // What is missing has no place of its own.
        Some(with) if !pointer.is_empty() => {
            let span = with.key_span_at(pointer).unwrap_or_else(|| with.nearest(pointer).span);
            workflow.place(span)
        }
        _ => site.clone(),
    };
    for problem in problems {
        let (code, help) = match problem.flaw {
            HumanFlaw::Form => (codes::HUMAN_FORM, "docs/tasks.md lists the arguments"),
            HumanFlaw::Options => {
                (codes::HUMAN_OPTIONS, "list what can be answered, and name one of these")
            }
            HumanFlaw::Escalation => (
                codes::HUMAN_ESCALATION,
                "add a `deadline` after the last level, and let each `after` be later than the one before",
            ),
            HumanFlaw::Expiry => (codes::HUMAN_EXPIRY, "add a `deadline`, or leave it out"),
        };
        let finding = Finding::error(code, problem.message).at(at(&problem.at));
        subject.out.push(finding.help(help));
    }
    let mut asked: Vec<(String, &Node)> = Vec::new();
    if let Some(with) = with {
        asked.extend(with.get("assignee").map(|node| ("the assignee".to_owned(), node)));
        let levels = with.get("escalation").and_then(Node::as_sequence).unwrap_or_default();
        asked.extend(
            levels
                .iter()
                .filter_map(|level| level.get("to"))
                .map(|node| ("the escalation".to_owned(), node)),
        );
    }
    let Some(directory) = subject.project.organisation() else { return };
    for (what, node) in asked {
        let Some(id) = node.as_str().filter(|id| !id.trim_start().starts_with("${")) else {
            continue;
        };
        if directory.value.knows_owner(id) {
            continue;
        }
        let message = format!("{what} is `{id}`, who is no person and no team of the organisation");
        let help = closest_or_list(id, directory.value.owner_ids());
        let finding = Finding::error(codes::UNKNOWN_OWNER, message).at(workflow.place(node.span));
        subject.out.push(finding.cause("not in the directory").help(help));
    }
}
