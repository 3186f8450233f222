use std::fmt::Write as _;

use super::{CaseResult, Report};
use crate::judge::Outcome;

/// Most things that were not tried that are listed; all are in the JSON.
const NOT_TRIED_LIMIT: usize = 20;

pub(super) fn write(report: &Report) -> String {
    let mut text = String::new();
    for outcome in [Outcome::Failed, Outcome::Undecided] {
        for result in report.results.iter().filter(|result| result.outcome == outcome) {
            case(&mut text, result);
        }
    }
    left_out(&mut text, report);
    unseen(&mut text, report);
    score(&mut text, report);
    let _ = writeln!(
        text,
        "{} {}: {} cases ({} % negative), {} passed, {} failed, {} undecided; {} requests, seed {}",
        report.subject.as_str(),
        report.target,
        report.results.len(),
        report.negative_percent(),
        report.count(Outcome::Passed),
        report.count(Outcome::Failed),
        report.count(Outcome::Undecided),
        report.requests,
        report.seed,
    );
    text
}

fn case(text: &mut String, result: &CaseResult) {
    let place = match &result.place {
        Some(place) => format!("{}:{}:{} {}", place.file, place.line, place.column, result.pointer),
        None => result.pointer.clone(),
    };
    let _ = writeln!(text, "{} {}: {}", result.outcome.as_str(), result.id, result.name);
    let _ = writeln!(text, "  where: {place}");
    if !result.exchange.request.is_empty() {
        let _ = writeln!(text, "  sent: {}; {}", result.exchange.request, result.exchange.sent);
        let status = result.exchange.status.map(|status| format!("{status}, ")).unwrap_or_default();
        let _ = writeln!(text, "  came: {status}{}", result.exchange.received);
    }
    let _ = writeln!(text, "  expected: {}", result.expected);
    for problem in &result.problems {
        let _ = writeln!(text, "  [{}] {}", problem.code, problem.message);
    }
    let mut told: Vec<&str> = Vec::new();
    for problem in &result.problems {
        if !told.contains(&problem.action.as_str()) {
            told.push(&problem.action);
            let _ = writeln!(text, "  help: {}", problem.action);
        }
    }
    text.push('\n');
}

fn left_out(text: &mut String, report: &Report) {
    // The same for many operations is said once.
    let mut grouped: Vec<(String, Vec<String>)> = Vec::new();
    for not in report.left_out() {
        let words = format!("{}: {}", not.what, not.why);
        match grouped.iter_mut().find(|(known, _)| *known == words) {
            Some((_, operations)) => operations.push(not.operation),
            None => grouped.push((words, vec![not.operation])),
        }
    }
    for (words, operations) in grouped.iter().take(NOT_TRIED_LIMIT) {
        let names: Vec<&str> =
            operations.iter().map(String::as_str).filter(|o| !o.is_empty()).collect();
        let of = match names.as_slice() {
            [] => String::new(),
            [first] => format!(" ({first})"),
            [first, rest @ ..] => format!(" ({first} and {} more)", rest.len()),
        };
        let _ = writeln!(text, "not tried: {words}{of}");
    }
    if grouped.len() > NOT_TRIED_LIMIT {
        let _ =
            writeln!(text, "not tried: {} more, in --format json", grouped.len() - NOT_TRIED_LIMIT);
    }
}

fn unseen(text: &mut String, report: &Report) {
    let (mut described, mut came) = (0, 0);
    for seen in &report.seen {
        described += seen.statuses.len();
        came += seen.statuses.iter().filter(|(_, count)| *count > 0).count();
        let unseen = seen.unseen();
        if !unseen.is_empty() {
            let _ = writeln!(text, "never came: {} of {}", unseen.join(", "), seen.operation);
        }
    }
    if described > 0 {
        let _ = writeln!(text, "described statuses: {came} of {described} came");
    }
}

fn score(text: &mut String, report: &Report) {
    let Some(score) = &report.score else { return };
    for mutant in score.survivors() {
        let _ =
            writeln!(text, "survived: {} of {}: {}", mutant.kind, mutant.operation, mutant.words);
    }
    for (kind, caught, all) in score.by_kind() {
        let _ = writeln!(text, "mutants {kind}: {caught} of {all} caught");
    }
    let _ = writeln!(
        text,
        "mutation score: {} % ({} of {})",
        score.percent(),
        score.caught(),
        score.mutants.len()
    );
    if let Some(left) = score.left_out() {
        let _ = writeln!(text, "not tried: {left} more mutants, beyond the limit");
    }
}
