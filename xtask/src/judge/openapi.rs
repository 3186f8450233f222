//! Pairs of OpenAPI documents: `base`, `revision`, and the verdict that their source gives.

use std::collections::BTreeMap;

use qc_contract::{Comparison, Day, OpenApi, Options, Profile, Verdict, compare};
use serde_json::Value;

use super::{Aim, Bound, Report, cases};

/// The day on which the published cases were gathered: their sunsets are meant relative to it.
const TODAY: &str = "2026-11-22";
/// Most changes that a disagreement is explained by.
const REASONS: usize = 3;

/// A case, with what was said to it.
struct Judged {
    id: String,
    source: String,
    expected: String,
    is_asserted: bool,
    got: Option<Comparison>,
}

/// Judges pairs: a table by source and verdict, every disagreement, and the aims.
pub fn judge(text: &str) -> Result<Report, String> {
    let judged: Vec<Judged> = cases(text)?.iter().map(judge_case).collect();
    let mut report = Report { lines: table(&judged), aims: aims(&judged) };
    let asserted = judged.iter().filter(|one| one.is_asserted);
    for one in asserted.filter(|one| one.expected != "changed") {
        let got = one.verdict();
        if got != one.expected {
            let Judged { id, expected, .. } = one;
            report.lines.push(format!("{id}: {expected}, we say {got}{}", one.reasons()));
        }
    }
    Ok(report)
}

fn judge_case(case: &Value) -> Judged {
    let word = |key: &str| case.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let load = |key: &str| {
        let text = case.get(key)?.to_string();
        let files = BTreeMap::from([(format!("{key}.json"), text)]);
        OpenApi::load(&files, &format!("{key}.json")).0
    };
    let profile = Profile::default();
    let options = Options { profile: &profile, today: Day::parse(TODAY) };
    let got = match (load("base"), load("revision")) {
        (Some(base), Some(revision)) => Some(compare(&base, &revision, options)),
        _ => None,
    };
    Judged {
        id: word("id"),
        source: word("suite"),
        expected: word("verdict"),
        is_asserted: word("strength") == "asserted",
        got,
    }
}

impl Judged {
    fn verdict(&self) -> &'static str {
        self.got.as_ref().map_or("unreadable", |got| got.verdict.as_str())
    }

    fn is_at_least(&self, verdict: Verdict) -> bool {
        self.got.as_ref().is_some_and(|got| got.verdict >= verdict)
    }

    fn reasons(&self) -> String {
        let changes = self.got.iter().flat_map(|got| &got.changes).take(REASONS);
        let reasons = changes
            .map(|change| format!("\n    {} {}: {}", change.level, change.rule.id, change.message));
        reasons.collect()
    }
}

fn table(judged: &[Judged]) -> Vec<String> {
    let mut counts: BTreeMap<(&str, &str, &str), BTreeMap<&str, usize>> = BTreeMap::new();
    for one in judged {
        let strength = if one.is_asserted { "asserted" } else { "peer output" };
        let row = counts.entry((strength, &one.source, &one.expected)).or_default();
        *row.entry(one.verdict()).or_default() += 1;
    }
    let rows = counts.iter().map(|((strength, source, expected), row)| {
        let all: usize = row.values().sum();
        let agreed = row.get(expected).copied().unwrap_or_default();
        let others = row.iter().filter(|(verdict, _)| *verdict != expected);
        let others: Vec<_> = others.map(|(verdict, n)| format!(", {n} {verdict}")).collect();
        let others = others.concat();
        format!("{strength:11} {source:14} {expected:20} {agreed:4} of {all:4} agree{others}")
    });
    rows.collect()
}

fn aims(judged: &[Judged]) -> Vec<Aim> {
    let count = |expected: &[&str], holds: &dyn Fn(&Judged) -> bool| {
        let scored: Vec<&Judged> = judged
            .iter()
            .filter(|one| one.is_asserted && expected.contains(&&*one.expected))
            .collect();
        (scored.iter().filter(|one| holds(one)).count(), scored.len())
    };
    let harmless = ["non-breaking", "no-change"];
    vec![
        Aim {
            what: "breaking pairs that are called breaking or potentially breaking",
            counted: count(&["breaking"], &|one| one.is_at_least(Verdict::PotentiallyBreaking)),
            bound: Bound::AtLeast(97.0),
        },
        Aim {
            what: "breaking pairs that are called breaking",
            counted: count(&["breaking"], &|one| one.is_at_least(Verdict::Breaking)),
            bound: Bound::AtLeast(85.0),
        },
        Aim {
            what: "non-breaking pairs that are called breaking",
            counted: count(&["non-breaking"], &|one| one.is_at_least(Verdict::Breaking)),
            bound: Bound::AtMost(3.0),
        },
        Aim {
            what: "non-breaking and unchanged pairs that are called potentially breaking",
            counted: count(&harmless, &|one| one.verdict() == "potentially-breaking"),
            bound: Bound::AtMost(10.0),
        },
    ]
}
