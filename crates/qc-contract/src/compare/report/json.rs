//! For programs.

use serde_json::{Value, json};

use crate::compare::{Change, ChangeSide, Comparison};
use crate::mismatch::Direction;

pub(super) fn json(comparison: &Comparison) -> Value {
    json!({
        "schema_version": 1,
        "verdict": comparison.verdict.as_str(),
        "profile": comparison.profile,
        "is_cut_short": comparison.is_cut_short,
        "findings": comparison.changes.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn finding(change: &Change) -> Value {
    let mut finding = json!({
        "id": change.rule.id,
        "level": change.level.as_str(),
        "decided_by": change.decided_by,
        "direction": direction(change),
        "area": change.area.as_str(),
        "place": change.new.pointer,
        "part": change.part,
        "operations": change.uses.named,
        "further_operations": change.uses.further,
        "old": side(&change.old),
        "new": side(&change.new),
        "message": change.message,
        "explanation": change.rule.explanation,
        "consumer_action": change.rule.action,
    });
    if let Some(witness) = change.readable_witness() {
        finding["example"] = witness.clone();
    }
    finding
}

fn direction(change: &Change) -> &'static str {
    match change.rule.direction {
        Some(Direction::Request) => "request",
        Some(Direction::Response) => "response",
        None => "none",
    }
}

fn side(side: &ChangeSide) -> Value {
    let place = side.place.as_ref().map(|place| {
        json!({
            "file": place.file,
            "line": place.line,
            "column": place.column,
            "end_line": place.end_line,
            "end_column": place.end_column,
        })
    });
    json!({ "value": side.text, "pointer": side.pointer, "place": place })
}
