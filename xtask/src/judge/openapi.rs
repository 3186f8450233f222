//! Pairs of OpenAPI documents: `base`, `revision`, and the verdict that their source gives.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Report, cases};

/// Judges pairs: a table by source and verdict.
pub fn judge(text: &str) -> Result<Report, String> {
    let mut table: BTreeMap<(String, String), usize> = BTreeMap::new();
    for case in cases(text)? {
        let word = |key: &str| case.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        *table.entry((word("suite"), word("verdict"))).or_default() += 1;
    }
    let lines = table.iter().map(|((suite, verdict), n)| format!("{suite} {verdict}: {n}"));
    Ok(Report { lines: lines.collect(), aims: Vec::new() })
}
