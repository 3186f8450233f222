//! Failure modes and acceptance criteria: each has a scenario that can prove it.

use std::collections::BTreeMap;

use qc_document::Span;

use super::Subject;
use crate::{acceptance::Step, codes, project::is_scenario, shape::ProjectPath};

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
        if mode.escalation.is_empty() {
            let message = format!(
                "nobody takes over when the failure mode `{}` is not mended by itself",
                mode.id.value
            );
            subject.error(
                codes::UNKNOWN_OWNER,
                mode.id.span,
                message,
                "name at least one person or team in `escalation`",
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
    for criterion in &it.acceptance {
        scenario(subject, &criterion.scenario);
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
