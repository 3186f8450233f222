use serde_json::{Value, json};

use super::{CaseResult, Report};
use crate::judge::Outcome;

pub(super) fn write(reports: &[Report]) -> Value {
    let failed = reports.iter().any(|report| report.count(Outcome::Failed) > 0);
    json!({
        "schema_version": 1,
        "outcome": if failed { "failed" } else { "passed" },
        "reports": reports.iter().map(one).collect::<Vec<_>>(),
    })
}

fn one(report: &Report) -> Value {
    let left_out: Vec<Value> = report
        .left_out()
        .iter()
        .map(|not| json!({ "operation": not.operation, "what": not.what, "why": not.why }))
        .collect();
    let seen: Vec<Value> = report
        .seen
        .iter()
        .map(|seen| {
            let statuses =
                seen.statuses.iter().map(|(status, count)| (status.clone(), json!(count)));
            json!({ "operation": seen.operation, "statuses": Value::Object(statuses.collect()) })
        })
        .collect();
    json!({
        "subject": report.subject.as_str(),
        "target": report.target,
        "seed": report.seed,
        "cases": report.results.len(),
        "passed": report.count(Outcome::Passed),
        "failed": report.count(Outcome::Failed),
        "undecided": report.count(Outcome::Undecided),
        "negative_percent": report.negative_percent(),
        "requests": report.requests,
        "is_cut_short": report.cut.is_some(),
        "results": report.results.iter().map(case).collect::<Vec<_>>(),
        "not_tried": left_out,
        "statuses": seen,
        "mutation": report.score.as_ref().map(mutation),
    })
}

fn case(result: &CaseResult) -> Value {
    let problems: Vec<Value> = result
        .problems
        .iter()
        .map(|p| json!({ "code": p.code, "message": p.message, "action": p.action }))
        .collect();
    let place = result.place.as_ref();
    json!({
        "id": result.id,
        "name": result.name,
        "kind": result.kind,
        "operation": result.operation,
        "pointer": result.pointer,
        "file": place.map(|place| place.file.to_string()),
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
        "request": result.exchange.request,
        "sent": result.exchange.sent,
        "status": result.exchange.status,
        "received": result.exchange.received,
        "expected": result.expected,
        "outcome": result.outcome.as_str(),
        "problems": problems,
    })
}

fn mutation(score: &crate::score::Score) -> Value {
    let kinds: Vec<Value> = score
        .by_kind()
        .into_iter()
        .map(|(kind, caught, all)| json!({ "kind": kind, "caught": caught, "mutants": all }))
        .collect();
    let survivors: Vec<Value> = score
        .survivors()
        .map(|m| json!({ "kind": m.kind, "operation": m.operation, "what": m.words }))
        .collect();
    json!({
        "percent": score.percent(),
        "caught": score.caught(),
        "mutants": score.mutants.len(),
        "possible": score.possible,
        "kinds": kinds,
        "survivors": survivors,
    })
}
