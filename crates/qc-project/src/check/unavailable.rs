//! What happens while a system cannot be reached: said in full, and the same everywhere.

use qc_document::Span;
use qc_model::Finding;

use super::{Subject, closest_or_list};
use crate::{
    acceptance::Step,
    codes,
    integration::{Answer, FailureMode, OnUnavailable},
};

pub(super) fn check(subject: &mut Subject<'_>) {
    let mut found = Vec::new();
    for (name, system) in subject.file.value.systems.iter() {
        let span = system.on_unavailable.span;
        match &system.on_unavailable.value {
            OnUnavailable::Bare(answer) => found.push(bare(subject, name.as_str(), *answer, span)),
            OnUnavailable::Fallback(fallback) => {
                let own = subject.project.connector_of(&name.value, system);
                let called = fallback.call.value.0.split_once('.').map(|(connector, _)| connector);
                if own.map(qc_model::Name::as_str) == called {
                    let message = format!("`{}` falls back to itself", name.value);
                    let finding = subject.file.error(codes::FALLBACK, fallback.call.span, message);
                    found.push(finding.help(
                        "call an operation of another system, or say `queue`, `degrade` or `fail`",
                    ));
                }
            }
            OnUnavailable::Fail { escalate: Some(who) } => found.extend(unknown(subject, who)),
            OnUnavailable::Queue { .. }
            | OnUnavailable::Degrade { .. }
            | OnUnavailable::Fail { escalate: None } => {}
        }
    }
    for mode in &subject.file.value.failure_modes {
        found.extend(of_mode(subject, mode));
    }
    subject.out.extend(found);
}

fn bare(subject: &Subject<'_>, system: &str, answer: Answer, span: Span) -> Finding {
    let word = answer.as_str();
    let message = format!("`on_unavailable: {word}` of `{system}` does not say how");
    let help = match answer {
        Answer::Queue => "say how long runs wait at most: `{queue: {ttl: 24h}}`",
        Answer::Fallback => "name the operation: `{fallback: {call: <connector>.<operation>}}`",
        Answer::Degrade => "say what stands for the output: `{degrade: {value: …}}`",
        Answer::Fail => "write `fail`, or who takes over: `{fail: {escalate: <team>}}`",
    };
    subject.file.error(codes::SAYS_NOT_HOW, span, message).help(help)
}

fn unknown(subject: &Subject<'_>, who: &crate::shape::Spanned<qc_model::Name>) -> Option<Finding> {
    let directory = &subject.project.organisation()?.value;
    if directory.knows_owner(who.as_str()) {
        return None;
    }
    let message = format!("`{}` is no person and no team of the organisation", who.value);
    let help = closest_or_list(who.as_str(), directory.owner_ids());
    Some(subject.file.error(codes::UNKNOWN_OWNER, who.span, message).help(help))
}

/// A failure mode that is a system's absence says what the system declares, and its scenario takes the system away.
fn of_mode(subject: &Subject<'_>, mode: &FailureMode) -> Vec<Finding> {
    let mut found = Vec::new();
    let Some(wanted) = &mode.system else {
        if let Some(answer) = &mode.on_unavailable {
            let message =
                format!("`on_unavailable` of `{}` says not of which system", mode.id.value);
            let finding = subject.file.error(codes::RESPONSE, answer.span, message);
            found.push(finding.help("name it in `system`, or remove `on_unavailable`"));
        }
        return found;
    };
    let systems = &subject.file.value.systems;
    let Some(system) = systems.get(&wanted.value) else {
        let message = format!("`{}` is no declared system", wanted.value);
        let help = closest_or_list(wanted.as_str(), systems.names().map(qc_model::Name::as_str));
        let finding = subject.file.error(codes::RESPONSE, wanted.span, message);
        return vec![finding.help(help)];
    };
    let declared = system.on_unavailable.value.answer();
    match &mode.on_unavailable {
        None => {
            let message = format!(
                "the failure mode `{}` is the absence of `{}` and says not what happens then",
                mode.id.value, wanted.value
            );
            let finding = subject.file.error(codes::RESPONSE, wanted.span, message);
            found.push(finding.help(format!("write `on_unavailable: {}`", declared.as_str())));
        }
        Some(said) if said.value != declared => {
            let message = format!(
                "the failure mode `{}` says `{}`, and `{}` declares `{}`",
                mode.id.value,
                said.value.as_str(),
                wanted.value,
                declared.as_str()
            );
            let finding = subject.file.error(codes::RESPONSE, said.span, message);
            let there = subject.file.place(system.on_unavailable.span);
            found.push(
                finding
                    .label(there, "this is what is done")
                    .help("change one of the two, and the text of `response` with it"),
            );
        }
        Some(_) => {}
    }
    if let Some(path) = &mode.scenario {
        let whole = subject.folder.path(&path.path);
        let scenario =
            subject.folder.scenarios.iter().find(|scenario| *scenario.source.path == *whole);
        // One that is not there, or cannot be read, has findings of its own.
        let away = scenario.is_none_or(|scenario| {
            let of = |name: &qc_model::Name| *name == wanted.value;
            scenario.value.faults.iter().any(|fault| of(&fault.system.value))
                || scenario
                    .value
                    .when
                    .iter()
                    .any(|step| matches!(step, Step::Fault(fault) if of(&fault.system.value)))
        });
        if !away {
            let message = format!(
                "the scenario of `{}` has no fault at `{}`: it cannot prove what happens without it",
                mode.id.value, wanted.value
            );
            let finding = subject.file.error(codes::UNPROVEN, path.span, message);
            found.push(finding.help("take the system away in the scenario, or name another one"));
        }
    }
    found
}
