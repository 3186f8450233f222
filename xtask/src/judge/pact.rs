//! Cases of the Pact specification: is an actual request, response or message as the expected one?

use std::collections::BTreeMap;

use qc_contract::pact::{Difference, Message, Request, Response, Specification};
use qc_model::Finding;
use serde_json::Value;

use super::{Aim, Bound, Report, cases};

/// Judges cases: a table by version and kind, and each that is answered otherwise than published.
pub fn judge(text: &str) -> Result<Report, String> {
    let mut table: BTreeMap<(String, String), (usize, usize)> = BTreeMap::new();
    let mut lines = Vec::new();
    let (mut right, mut all) = (0, 0);
    for case in cases(text)? {
        let word = |key: &str| case.get(key).and_then(Value::as_str).unwrap_or_default();
        let label = case.get("match").and_then(Value::as_bool);
        let label = label.ok_or_else(|| format!("case `{}` has no `match`", word("id")))?;
        let version = Specification::named(word("spec_version"));
        let version =
            version.ok_or_else(|| format!("case `{}` has no known version", word("id")))?;
        let none = Value::Null;
        let expected = case.get("expected").unwrap_or(&none);
        let actual = case.get("actual").unwrap_or(&none);
        let found = compared(word("kind"), expected, actual, version);
        let is_right = found.as_ref().is_ok_and(|found| found.is_empty() == label);
        let entry = table.entry((word("spec_version").to_owned(), word("kind").to_owned()));
        let counts = entry.or_default();
        counts.0 += usize::from(is_right);
        counts.1 += 1;
        right += usize::from(is_right);
        all += 1;
        if !is_right {
            let said = match found {
                Err(why) => why,
                Ok(found) if found.is_empty() => "no difference".to_owned(),
                Ok(found) => found.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            };
            lines.push(format!("{}: {said}; published as match = {label}", word("id")));
        }
    }
    let rows: Vec<String> = table
        .iter()
        .map(|((version, kind), (right, all))| {
            format!("version {version}, {kind}: {right} of {all}")
        })
        .collect();
    lines.splice(0..0, rows);
    let aim = Aim { what: "as published", counted: (right, all), bound: Bound::AtLeast(100.0) };
    Ok(Report { lines, aims: vec![aim] })
}

fn compared(
    kind: &str,
    expected: &Value,
    actual: &Value,
    version: Specification,
) -> Result<Vec<Difference>, String> {
    let told = |findings: Vec<Finding>| {
        findings.iter().map(|f| f.message.clone()).collect::<Vec<_>>().join("; ")
    };
    match kind {
        "request" => {
            let expected = Request::from_value(expected, version).map_err(told)?;
            Ok(expected.compare(&Request::from_value(actual, version).map_err(told)?))
        }
        "response" => {
            let expected = Response::from_value(expected, version).map_err(told)?;
            Ok(expected.compare(&Response::from_value(actual, version).map_err(told)?))
        }
        "message" => {
            let expected = Message::from_value(expected, version).map_err(told)?;
            Ok(expected.compare(&Message::from_value(actual, version).map_err(told)?))
        }
        other => Err(format!("cases of kind `{other}` are not known")),
    }
}
