//! What people do to runs: cancel, resolve truthfully, resume, retry, discard, replay.

use std::collections::BTreeSet;

use qc_engine::{Replay, Resolution};
use qc_model::{Actor, RunId};
use qc_store::{RunHead, RunStatus};
use qc_workflow::CallId;
use serde_json::json;

use crate::{
    effect::{Effect, name_of},
    story::Story,
};

/// A parked call, as the journal tells.
struct ParkedCall {
    call: CallId,
    ambiguous: bool,
}

fn somebody() -> Actor {
    Actor::platform("people")
}

impl Story {
    /// One random deed to one random run.
    pub(crate) async fn operate(&mut self) {
        let runs = self.runs().await;
        let Some(head) = self.dice.pick(&runs).cloned() else { return };
        let run = head.facts.id;
        let engine = self.world.engine.clone();
        match head.state.status {
            RunStatus::Running | RunStatus::Waiting => {
                if self.dice.percent(30) {
                    self.cancel(run, "a whim");
                }
            }
            RunStatus::Parked if self.dice.percent(20) => self.cancel(run, "no patience"),
            RunStatus::Parked => self.decide(&head, true).await,
            RunStatus::Faulted if self.dice.percent(60) && !self.replayed.contains(&run) => {
                self.witness.touched(run);
                let record = self.record.clone();
                tokio::spawn(async move {
                    let answer = engine.retry_dead(run, &somebody()).await;
                    record.tell(format_args!("retry {run}: {answer:?}"));
                });
            }
            RunStatus::Faulted if self.dice.percent(20) => {
                let record = self.record.clone();
                tokio::spawn(async move {
                    let answer = engine.discard_dead(run, "not needed", &somebody()).await;
                    record.tell(format_args!("discard {run}: {answer:?}"));
                });
            }
            RunStatus::Completed | RunStatus::Faulted | RunStatus::Cancelled => {
                self.replay(run);
            }
        }
    }

    /// Asks for a run's end without waiting for the answer: the story goes on meanwhile.
    fn cancel(&mut self, run: RunId, why: &'static str) {
        self.witness.touched(run);
        let (engine, record) = (self.world.engine.clone(), self.record.clone());
        tokio::spawn(async move {
            let answer = engine.cancel(run, why, &somebody()).await;
            record.tell(format_args!("cancel {run}: {answer:?}"));
        });
    }

    /// One replay of a run: a second one at the same time would be a race of people, not of ours.
    fn replay(&mut self, run: RunId) {
        if !self.replayed.insert(run) {
            return;
        }
        let anew = self.dice.percent(25);
        let replay = if anew {
            self.events += 1;
            Replay { new_effects: true, input: Some(json!({ "n": self.events - 1 + 2_000_000 })) }
        } else {
            Replay::default()
        };
        let (engine, record) = (self.world.engine.clone(), self.record.clone());
        tokio::spawn(async move {
            let answer = engine.replay(run, replay, &somebody()).await;
            record.tell(format_args!("replay {run}, anew: {anew}: {answer:?}"));
        });
    }

    /// Decides what a run is parked for: the truth about ambiguous calls, and with `mended` that
    /// all else is.
    pub(crate) async fn decide(&mut self, head: &RunHead, mended: bool) {
        let run = head.facts.id;
        let engine = self.world.engine.clone();
        for parked in self.parked(run).await {
            if !parked.ambiguous {
                if mended {
                    self.witness.touched(run);
                    let answer = engine.resume(run, &somebody()).await;
                    self.tell(format_args!("resume {run}: {answer:?}"));
                }
                continue;
            }
            self.witness.touched(run);
            let effect = Effect { origin: head.facts.origin, name: name_of(&parked.call) };
            let resolution = if self.witness.took_place(&effect) {
                Resolution::Applied { output: json!({"id": 7}) }
            } else {
                Resolution::NotApplied
            };
            let name = parked.call.to_string();
            let told = format!("resolve {run} {name}: {resolution:?}");
            let answer = engine.resolve_call(run, &name, resolution, &somebody()).await;
            self.tell(format_args!("{told}: {answer:?}"));
        }
    }

    /// The calls that a run's journal tells are parked. (Those interrupted since are gone from the
    /// run; asking for them is refused, which harms nobody.)
    async fn parked(&self, run: RunId) -> Vec<ParkedCall> {
        let Ok(view) = self.world.engine.inspect(run).await else { return Vec::new() };
        let mut parked: Vec<ParkedCall> = Vec::new();
        let mut gone: BTreeSet<CallId> = BTreeSet::new();
        for entry in view.journal.iter().rev() {
            let call = match entry["what"].as_str() {
                Some("input") => &entry["input"]["happening"]["call"],
                _ => &entry["call"],
            };
            let Ok(call) = serde_json::from_value::<CallId>(call.clone()) else { continue };
            // Only the last word about a call counts.
            if gone.insert(call.clone()) && entry["what"] == "parked" {
                let ambiguous = entry["failure"]["code"] == "QC-R002";
                parked.push(ParkedCall { call, ambiguous });
            }
        }
        parked
    }
}
