//! For reviews: a heading, a table for each level, what consumers do.

use std::fmt::Write as _;

use super::human::{counts, where_of};
use crate::compare::{Change, Comparison, Level};

/// Most rows of one table.
const ROW_LIMIT: usize = 200;

pub(super) fn markdown(comparison: &Comparison) -> String {
    let mut text = format!("## Contract: {}\n\n{}\n", comparison.verdict, counts(comparison));
    if comparison.is_cut_short {
        text.push_str("\nThe comparison was cut short: there may be further changes.\n");
    }
    for level in Level::ALL.into_iter().rev() {
        let changes: Vec<&Change> =
            comparison.changes.iter().filter(|change| change.level == level).collect();
        if changes.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n### {level}\n");
        text.push_str("| rule | where | change | what to do |\n|---|---|---|---|\n");
        for change in changes.iter().take(ROW_LIMIT) {
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} |",
                change.rule.id,
                cell(&where_of(change)),
                cell(&change.message),
                cell(&change.rule.action)
            );
        }
        if changes.len() > ROW_LIMIT {
            let _ = writeln!(text, "\n… and {} more.", changes.len() - ROW_LIMIT);
        }
    }
    text
}

/// Texts of contracts come from strangers: they must not end the cell or begin markup.
fn cell(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '|' => safe.push_str("\\|"),
            '<' => safe.push_str("&lt;"),
            '\n' | '\r' => safe.push(' '),
            other => safe.push(other),
        }
    }
    safe
}
