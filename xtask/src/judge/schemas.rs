//! Questions about JSON Schemas: does `sup` admit every document that `sub` admits?

use std::collections::BTreeMap;

use qc_contract::{CoverOptions, Covers, Draft, covers};
use serde_json::Value;

use super::{Aim, Bound, Report, cases};

#[derive(Default)]
struct Counts {
    right: usize,
    wrong: usize,
    open: usize,
    disputed: usize,
}

/// Judges questions: a table by source and label, and each that is not answered as its label says. Those whose label
/// is disputed are told, not counted.
pub fn judge(text: &str) -> Result<Report, String> {
    let mut table: BTreeMap<(String, bool), Counts> = BTreeMap::new();
    let mut lines = Vec::new();
    let (mut decided, mut wrong, mut asked) = (0, 0, 0);
    for case in cases(text)? {
        let word = |key: &str| case.get(key).and_then(Value::as_str).unwrap_or_default();
        let missing = |key: &str| format!("case `{}` has no `{key}`", word("id"));
        let label = case.get("is_subschema").and_then(Value::as_bool);
        let label = label.ok_or_else(|| missing("is_subschema"))?;
        let sup = case.get("sup").ok_or_else(|| missing("sup"))?;
        let sub = case.get("sub").ok_or_else(|| missing("sub"))?;
        // Contracts are checked with their formats, and so are these.
        let options = CoverOptions { draft: draft(word("draft")), formats: true, nullable: false };
        let answer = covers(sup, sub, options);
        let said = match &answer {
            Covers::Yes => Some(true),
            Covers::No { .. } => Some(false),
            Covers::Unknown { .. } => None,
        };
        let is_disputed = case.get("disputed").and_then(Value::as_bool) == Some(true);
        let counts = table.entry((word("suite").to_owned(), label)).or_default();
        if said != Some(label) {
            let mark = if is_disputed { ", which is disputed" } else { "" };
            lines.push(format!("{}: {answer:?}, the label is {label}{mark}", word("id")));
        }
        if is_disputed {
            counts.disputed += 1;
            continue;
        }
        asked += 1;
        match said {
            None => counts.open += 1,
            Some(said) => {
                decided += 1;
                let is_wrong = said != label;
                wrong += usize::from(is_wrong);
                counts.wrong += usize::from(is_wrong);
                counts.right += usize::from(!is_wrong);
            }
        }
    }
    let rows = table.iter().map(|((suite, label), counts)| {
        let Counts { right, wrong, open, disputed } = counts;
        let label = if *label { "covered" } else { "not covered" };
        format!("{suite}, {label}: {right} right, {wrong} wrong, {open} open, {disputed} disputed")
    });
    let rows: Vec<String> = rows.collect();
    lines.splice(0..0, rows);
    Ok(Report {
        lines,
        aims: vec![
            Aim { what: "decided", counted: (decided, asked), bound: Bound::AtLeast(90.0) },
            Aim { what: "wrong proofs", counted: (wrong, asked), bound: Bound::AtMost(0.0) },
        ],
    })
}

fn draft(named: &str) -> Draft {
    match named {
        "3" | "4" => Draft::Draft4,
        "6" => Draft::Draft6,
        "7" => Draft::Draft7,
        named if named.starts_with("2019") => Draft::Draft201909,
        _ => Draft::Draft202012,
    }
}
