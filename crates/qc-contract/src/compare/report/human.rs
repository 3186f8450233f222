//! For a terminal: a verdict, and a few lines for each change.

use std::fmt::Write as _;

use crate::compare::{Change, ChangeSide, Comparison, Level};

/// Most changes that are shown of each level that asks for nothing.
const HARMLESS_LIMIT: usize = 50;

pub(super) fn human(comparison: &Comparison) -> String {
    let mut text = String::new();
    for level in Level::ALL.into_iter().rev() {
        let changes: Vec<&Change> =
            comparison.changes.iter().filter(|change| change.level == level).collect();
        let shown = if level >= Level::Risky { changes.len() } else { HARMLESS_LIMIT };
        for change in changes.iter().take(shown) {
            write_change(&mut text, change);
        }
        if changes.len() > shown {
            let _ = writeln!(text, "… and {} more that are {level}\n", changes.len() - shown);
        }
    }
    if comparison.is_cut_short {
        text.push_str("the comparison was cut short: there may be further changes\n");
    }
    let _ = writeln!(text, "{}: {}", comparison.verdict, counts(comparison));
    text
}

fn write_change(text: &mut String, change: &Change) {
    let _ = writeln!(text, "{}[{}]: {}", change.level, change.rule.id, change.message);
    let _ = writeln!(text, "  where: {}", where_of(change));
    for (name, side) in [("old", &change.old), ("new", &change.new)] {
        let _ = writeln!(text, "  {name}: {}", side_of(side));
    }
    if let Some(witness) = change.readable_witness() {
        let _ = writeln!(text, "  example: {witness}");
    }
    let _ = writeln!(text, "  why: {} ({})", change.rule.explanation, change.decided_by);
    let _ = writeln!(text, "  do: {}\n", change.rule.action);
}

fn side_of(side: &ChangeSide) -> String {
    let value = side.text.as_deref().unwrap_or("absent");
    match &side.place {
        Some(place) => format!("{}:{}:{}: {value}", place.file, place.line, place.column),
        None => value.to_owned(),
    }
}

/// Operations and the part of them.
pub(super) fn where_of(change: &Change) -> String {
    let uses = &change.uses;
    let shown = uses.named.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = uses.named.len().saturating_sub(3) + uses.further;
    let operations = match (shown.is_empty(), more) {
        (true, _) => "the document".to_owned(),
        (false, 0) => shown,
        (false, more) => format!("{shown} and {more} more"),
    };
    if change.part.is_empty() { operations } else { format!("{operations}: {}", change.part) }
}

/// How many there are of each level.
pub(super) fn counts(comparison: &Comparison) -> String {
    let counts = Level::ALL.into_iter().rev().map(|level| {
        let count = comparison.changes.iter().filter(|change| change.level == level).count();
        format!("{count} {level}")
    });
    let counts: Vec<String> = counts.collect();
    format!("{} (profile {})", counts.join(", "), comparison.profile)
}
