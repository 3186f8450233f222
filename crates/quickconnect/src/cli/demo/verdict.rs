use std::collections::{BTreeMap, BTreeSet};

use qc_model::RunId;
use serde::Serialize;

use super::stage::Stage;
use crate::cli::output::{append, table};

/// The effect that each case must have exactly once, by system.
const EFFECTS: [(&str, &str, &str); 3] = [
    ("tracker", "createIssue", "ticket"),
    ("crm", "putCaseState", "case state"),
    ("chat", "postMessage", "message"),
];

/// What the outside ledgers of the three systems say.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    /// One entry a case and effect.
    effects: Vec<Effect>,
    /// How many requests each system received.
    received: BTreeMap<String, u64>,
    /// Cases of which a system knows although nobody sent them.
    strangers: BTreeSet<String>,
}

#[derive(Debug, Serialize)]
struct Effect {
    case: String,
    system: &'static str,
    made: &'static str,
    requests: usize,
    applied: usize,
    keys: usize,
}

impl Effect {
    fn is_good(&self) -> bool {
        self.applied == 1 && self.keys <= 1
    }
}

/// Joins the cases that were accepted with what the systems say was done to them.
pub(super) fn judge(stage: &Stage, accepted: &BTreeMap<String, RunId>) -> Verdict {
    let (mut effects, mut received, mut strangers) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
    for (system, operation, effect) in EFFECTS {
        let Some(serving) = stage.system(system) else { continue };
        let requests = serving.provider().requests();
        received.insert(system.to_owned(), serving.provider().received());
        let calls: Vec<_> =
            requests.iter().filter(|entry| entry.operation.as_deref() == Some(operation)).collect();
        let references = calls.iter().filter_map(|entry| entry.reference.clone());
        strangers.extend(references.filter(|case| !accepted.contains_key(case)));
        for case in accepted.keys() {
            let own: Vec<_> =
                calls.iter().filter(|entry| entry.reference.as_ref() == Some(case)).collect();
            effects.push(Effect {
                case: case.clone(),
                system,
                made: effect,
                requests: own.len(),
                applied: own.iter().filter(|entry| entry.applied).count(),
                keys: own
                    .iter()
                    .filter_map(|entry| entry.key.as_ref())
                    .collect::<BTreeSet<_>>()
                    .len(),
            });
        }
    }
    Verdict { effects, received, strangers }
}

impl Verdict {
    /// Whether every effect took place exactly once, and no other.
    pub(super) fn is_good(&self) -> bool {
        self.strangers.is_empty()
            && !self.effects.is_empty()
            && self.effects.iter().all(Effect::is_good)
    }

    /// For people.
    pub(super) fn shown(&self) -> String {
        let mut cases: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for effect in &self.effects {
            let calls = if effect.requests == 1 { "call" } else { "calls" };
            let word = match effect.applied {
                1 if effect.is_good() => "one".to_owned(),
                0 => "MISSING".to_owned(),
                count => format!("{count} TIMES, {} keys", effect.keys),
            };
            let cell = format!("{word} ({} {calls})", effect.requests);
            cases.entry(&effect.case).or_insert_with(|| vec![effect.case.clone()]).push(cell);
        }
        let rows: Vec<Vec<String>> = cases.into_values().collect();
        let headings = ["CASE", "TICKET (tracker)", "CASE STATE (crm)", "MESSAGE (chat)"];
        let mut text = format!(
            "\nwhat the three systems hold, by their own ledgers:\n{}",
            table(&headings, &rows)
        );
        for case in &self.strangers {
            append(&mut text, format_args!("NOBODY SENT {case}\n"));
        }
        let conclusion = if self.is_good() {
            "every effect took place exactly once"
        } else {
            "an effect is missing or doubled: this must not happen"
        };
        text.push_str(conclusion);
        text
    }
}
