//! Failure modes and acceptance criteria: each has a scenario that can prove it.

use std::collections::BTreeMap;

use qc_document::Span;

use super::{Subject, closest_or_list};
use crate::{
    acceptance::Step, codes, integration::FailureMode, project::is_scenario, shape::ProjectPath,
};

pub(super) fn check(subject: &mut Subject<'_>) {
    let it = &subject.file.value;
    let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
    for mode in &it.failure_modes {
        if let Some(first) = seen.insert(mode.id.as_str(), mode.id.span) {
            let message = format!("the failure mode `{}` is there twice", mode.id.value);
            let finding = subject.file.error(codes::DUPLICATE_ID, mode.id.span, message);
            subject.out.push(
                finding
                    .label(subject.file.place(first), "the first one is here")
                    .help("rename one of them"),
            );
        }
        let Some(path) = &mode.scenario else {
            let message = format!("no scenario proves the failure mode `{}`", mode.id.value);
            subject.warning(
                codes::UNPROVEN,
                mode.id.span,
                message,
                "write an acceptance scenario with `faults`, and name it in `scenario`",
            );
            continue;
        };
        if scenario(subject, path) && !has_faults(subject, path) {
            let message = format!(
                "the scenario of `{}` has no faults: it cannot prove what happens in a failure",
                mode.id.value
            );
            subject.error(
                codes::UNPROVEN,
                path.span,
                message,
                "add `faults` to the scenario, or name another one",
            );
        }
    }
    for mode in &it.failure_modes {
        escalation(subject, mode);
        matches(subject, mode);
    }
    for criterion in &it.acceptance {
        scenario(subject, &criterion.scenario);
    }
}

/// Who takes over: somebody, one level after the other, after failures that can be told from others.
fn escalation(subject: &mut Subject<'_>, mode: &FailureMode) {
    let told = mode.system.is_some() || mode.matches.is_some();
    let own = &subject.file.value.escalation;
    if told && mode.escalation.is_empty() && own.is_empty() {
        let message = format!(
            "nobody takes over when the failure mode `{}` is not mended by itself",
            mode.id.value
        );
        subject.error(
            codes::UNKNOWN_OWNER,
            mode.id.span,
            message,
            "name at least one person or team in `escalation`, of the failure mode or of the integration",
        );
    }
    if let (false, Some(first)) = (told, mode.escalation.first()) {
        let message = format!(
            "the escalation of `{}` is never begun: which failures of runs it is, is not said",
            mode.id.value
        );
        subject.warning(
            codes::FAILURES_UNSAID,
            first.to.span,
            message,
            "say it in `matches` (a system, classes, codes), or in `system` when it is a system's absence; without \
             either, leave `escalation` out",
        );
    }
    for pair in mode.escalation.windows(2) {
        if pair[1].after <= pair[0].after {
            let message = format!(
                "`{}` is called not later than `{}`, who comes before",
                pair[1].to.value, pair[0].to.value
            );
            subject.error(
                codes::CONTRADICTION,
                pair[1].to.span,
                message,
                "each level of an escalation comes after the one before",
            );
        }
    }
}

/// The failures of a failure mode are said in one way, and of a system that there is.
fn matches(subject: &mut Subject<'_>, mode: &FailureMode) {
    let Some(matches) = &mode.matches else { return };
    if let Some(system) = &mode.system {
        let message = format!(
            "the failure mode `{}` is the absence of `{}` and has `matches` as well",
            mode.id.value, system.value
        );
        let help =
            "keep one: `system` for all that means that it is away, `matches` for other failures";
        subject.error(codes::CONTRADICTION, system.span, message, help);
    }
    let Some(system) = &matches.system else { return };
    let systems = &subject.file.value.systems;
    if systems.get(&system.value).is_none() {
        let message = format!("`{}` is no declared system", system.value);
        let help = closest_or_list(system.as_str(), systems.names().map(qc_model::Name::as_str));
        let finding = subject.file.error(codes::RESPONSE, system.span, message);
        subject.out.push(finding.help(help));
    }
}

/// Whether the path names a scenario that is there; reports it otherwise.
fn scenario(subject: &mut Subject<'_>, path: &ProjectPath) -> bool {
    let whole = subject.folder.path(&path.path);
    if !subject.project.files().has(&whole) {
        subject.error(
            codes::MISSING_FILE,
            path.span,
            format!("`{whole}` is not there"),
            "write the scenario, or mend the path",
        );
        return false;
    }
    if !is_scenario(&subject.folder.folder, &whole) {
        let message = format!("`{whole}` is no scenario");
        subject.error(
            codes::MISSING_FILE,
            path.span,
            message,
            "scenarios are `acceptance/<name>.yaml`",
        );
        return false;
    }
    true
}

fn has_faults(subject: &Subject<'_>, path: &ProjectPath) -> bool {
    let whole = subject.folder.path(&path.path);
    let scenario = subject.folder.scenarios.iter().find(|scenario| *scenario.source.path == *whole);
    // One that cannot be read has findings of its own.
    scenario.is_none_or(|scenario| {
        let steps = &scenario.value.when;
        !scenario.value.faults.is_empty()
            || steps.iter().any(|step| matches!(step, Step::Fault(_) | Step::Restart))
            || repeats(steps)
    })
}

/// A repeated event is a failure of the sender's, and proves what happens then.
fn repeats(steps: &[Step]) -> bool {
    steps.iter().any(|step| matches!(step, Step::Send(sending) if sending.times.0 > 1))
}
