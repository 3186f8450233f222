//! What the integration keeps: counters, to which runs add one by compare-and-set. What a run was told
//! was put is there, and no addition is lost.

use std::collections::{BTreeMap, BTreeSet};

use qc_model::Failure;
use qc_store::{DocumentOp, Op};
use qc_workflow::{CallId, CallOutput, CallTarget, KeptDeed};
use serde::Deserialize;

use super::{Known, Run, Witness, commit::Look, entries::Journaled};
use crate::{Invariant, effect::Effect, exercise::Exercise};

/// The kind of its documents.
const KIND: &str = "state";

/// The code of a put whose expectation does not hold.
const REFUSED: &str = "QC-R040";

/// A counter as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
struct Counter {
    revision: u64,
    value: u64,
}

/// What was kept, and how it came to be.
#[derive(Default)]
pub(super) struct Ledger {
    /// All that a counter ever was, by the name of its document.
    was: BTreeMap<String, Vec<Counter>>,
    /// The revision that an effect's put has made.
    puts: BTreeMap<Effect, BTreeSet<u64>>,
}

impl Witness {
    /// Takes up what a step wrote of what is kept: every put adds one to what was there.
    pub(super) fn keep(&self, known: &mut Known, seen: &mut Run, look: &Look<'_>, ops: &[Op]) {
        let mut written = Vec::new();
        for op in ops {
            let Op::Document(DocumentOp::Put { kind, name, body, .. }) = op else { continue };
            if kind != KIND {
                continue;
            }
            let Ok(counter) = serde_json::from_slice::<Counter>(body) else { continue };
            let was = known.kept.was.entry(name.clone()).or_default();
            let before = was.last().map_or(0, |last| last.value);
            if counter.value != before + 1 {
                self.broken(
                    Invariant::NoLostUpdate,
                    format_args!("{} made {name} {} of {before}", seen.facts.id, counter.value),
                );
            }
            self.record.count(Exercise::StatePut);
            was.push(counter);
            written.push(counter.revision);
        }
        let told = look.entries.iter().filter_map(|entry| match entry {
            Journaled::Kept { call, attempt, output } => Some((call, attempt, output)),
            _ => None,
        });
        let mut answers = Vec::new();
        for (call, attempt, output) in told {
            let again = !seen.kept.insert((call.clone(), *attempt));
            let revision = output.content["revision"].as_u64().unwrap_or_default();
            known.kept.puts.entry(seen.effect(call)).or_default().insert(revision);
            answers.push(revision);
            if again {
                self.broken(
                    Invariant::EffectOnce,
                    format_args!("{} put {call}#{attempt} twice", seen.facts.id),
                );
            }
        }
        if answers != written {
            self.broken(
                Invariant::NoLostUpdate,
                format_args!("{} wrote {written:?} and was told {answers:?}", seen.facts.id),
            );
        }
    }

    /// A run is told the answer of a call to what is kept. False: it is no such call.
    pub(super) fn kept_answered(
        &self,
        known: &Known,
        seen: &Run,
        call: &CallId,
        output: &CallOutput,
    ) -> bool {
        let wanted = seen.machine().outstanding();
        let Some(request) = wanted.iter().find(|one| one.id == *call) else { return false };
        let CallTarget::Kept { deed, arguments, .. } = &request.target else { return false };
        let content = &output.content;
        let (revision, value) = (content["revision"].as_u64(), content["value"].as_u64());
        let was =
            |counter: &Counter| Some(counter.revision) == revision && Some(counter.value) == value;
        let key = format!("/{}", arguments["key"].as_str().unwrap_or_default());
        let right = match deed {
            KeptDeed::Put => {
                let puts = known.kept.puts.get(&seen.effect(call));
                puts.is_some_and(|puts| revision.is_some_and(|one| puts.contains(&one)))
            }
            _ if content["found"] == false => true,
            _ => {
                known.kept.was.iter().any(|(name, all)| name.ends_with(&key) && all.iter().any(was))
            }
        };
        if !right {
            self.broken(
                Invariant::ResultIsTrue,
                format_args!("{} was told {content} by {call}, which is not so", seen.facts.id),
            );
        }
        true
    }

    /// A call failed: perhaps because somebody else put something first.
    pub(super) fn count_refused(&self, failure: &Failure) {
        if failure.code.to_string() == REFUSED {
            self.record.count(Exercise::PutRefused);
        }
    }

    /// At the end: what is kept is what was put last.
    pub(crate) async fn check_kept(&self) {
        use qc_store::Store;
        let Ok(there) = self.store.documents(KIND, None, 1_000).await else { return };
        let there: BTreeMap<String, Counter> = there
            .into_iter()
            .filter_map(|one| Some((one.name, serde_json::from_slice(&one.body).ok()?)))
            .collect();
        let known = self.known();
        let last = known.kept.was.iter();
        let put: BTreeMap<String, Counter> =
            last.filter_map(|(name, all)| Some((name.clone(), *all.last()?))).collect();
        if there != put {
            self.broken(
                Invariant::NoLostUpdate,
                format_args!("kept is {there:?}, and put was {put:?}"),
            );
        }
    }
}
