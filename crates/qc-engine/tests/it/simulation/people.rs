//! What people do to runs: cancel, resolve truthfully, resume, retry, replay.

use std::collections::BTreeSet;

use qc_engine::{Replay, Resolution};
use qc_model::{Actor, RunId};
use qc_store::{RunHead, RunStatus};
use serde_json::json;

use super::Simulation;

/// A parked call, as the journal tells.
struct ParkedCall {
    name: String,
    /// The effect as the outside knows it.
    effect: String,
    ambiguous: bool,
}

impl Simulation {
    fn somebody() -> Actor {
        Actor::platform("people")
    }

    /// One random deed to one random run.
    pub(super) async fn operate(&mut self) {
        let runs = self.runs().await;
        let Some(head) = self.dice.pick(&runs).cloned() else { return };
        let run = head.facts.id;
        let engine = self.anybody().clone();
        match head.state.status {
            RunStatus::Running | RunStatus::Waiting => {
                if self.dice.percent(30) {
                    self.touched.insert(run);
                    let answer = engine.cancel(run, "a whim", &Self::somebody()).await;
                    self.tell(&format!("cancel {run}: {answer:?}"));
                }
            }
            RunStatus::Parked if self.dice.percent(20) => {
                self.touched.insert(run);
                let answer = engine.cancel(run, "no patience", &Self::somebody()).await;
                self.tell(&format!("cancel parked {run}: {answer:?}"));
            }
            RunStatus::Parked => Box::pin(self.decide(&head)).await,
            RunStatus::Faulted if self.dice.percent(70) => {
                self.touched.insert(run);
                let answer = engine.retry_dead(run, &Self::somebody()).await;
                self.tell(&format!("retry {run}: {answer:?}"));
            }
            RunStatus::Completed | RunStatus::Faulted | RunStatus::Cancelled => {
                self.replay(run).await;
            }
        }
    }

    /// Also of a run that somebody has retried or replayed before.
    async fn replay(&mut self, run: RunId) {
        let answer = self.anybody().replay(run, Replay::default(), &Self::somebody()).await;
        self.tell(&format!("replay {run}: {answer:?}"));
    }

    /// Decides what a run is parked for: the truth about ambiguous calls, and that all else is mended.
    pub(super) async fn decide(&mut self, head: &RunHead) {
        let run = head.facts.id;
        let engine = self.anybody().clone();
        self.touched.insert(run);
        if head.state.summary.as_deref().is_some_and(|said| said.starts_with("QC-R003")) {
            // Too many processes ended while it was being taken up: it was none of its own doing.
            let answer = engine.resume(run, &Self::somebody()).await;
            self.tell(&format!("resume quarantined {run}: {answer:?}"));
        }
        for parked in self.parked(run).await {
            if !parked.ambiguous {
                let answer = engine.resume(run, &Self::somebody()).await;
                self.tell(&format!("resume {run}: {answer:?}"));
                continue;
            }
            let resolution = if self.outside.applied(&parked.effect) {
                Resolution::Applied { output: json!({"id": 7}) }
            } else {
                Resolution::NotApplied
            };
            let told = format!("resolve {run} {}: {resolution:?}", parked.name);
            let answer =
                engine.resolve_call(run, &parked.name, resolution, &Self::somebody()).await;
            self.tell(&format!("{told}: {answer:?}"));
        }
    }

    /// The calls that a run's journal tells are parked. (Those interrupted since are gone from the
    /// run; asking for them is refused, which harms nobody.)
    async fn parked(&mut self, run: RunId) -> Vec<ParkedCall> {
        let Ok(view) = self.anybody().inspect(run).await else { return Vec::new() };
        let event = &view.input["n"];
        let mut parked: Vec<ParkedCall> = Vec::new();
        let mut gone: BTreeSet<String> = BTreeSet::new();
        for entry in view.journal.iter().rev() {
            let call = match entry["what"].as_str() {
                Some("input") => &entry["input"]["happening"]["call"],
                _ => &entry["call"],
            };
            let Some(pointer) = call["pointer"].as_str() else { continue };
            let visit = call["visit"].as_str().unwrap();
            let name = format!("{pointer}:{visit}");
            // Only the last word about a call counts.
            if !gone.insert(name.clone()) || entry["what"] != "parked" {
                continue;
            }
            let task = pointer.rsplit('/').next().unwrap();
            let effect = format!("{event}/{task}/{}", loops(pointer, visit));
            let ambiguous = entry["failure"]["code"] == "QC-R002";
            parked.push(ParkedCall { name, effect, ambiguous });
        }
        parked
    }
}

/// The loop indexes of a visit, as the outside writes them. A visit counts for every list around a
/// task how often the path was entered before (in these workflows never, so 0), and for every loop
/// its index.
fn loops(pointer: &str, visit: &str) -> String {
    let indexes: Vec<&str> =
        loop_places(pointer).into_iter().filter_map(|place| visit.split('.').nth(place)).collect();
    format!("[{}]", indexes.join(","))
}

/// Which parts of a visit are loop indexes: a loop's name in a pointer is `for<n>`, followed by `do`.
fn loop_places(pointer: &str) -> Vec<usize> {
    let parts: Vec<&str> = pointer.split('/').filter(|part| !part.is_empty()).collect();
    let mut place = 0;
    let mut places = Vec::new();
    for pair in parts.windows(2) {
        let list = matches!(pair[0], "do" | "try") && pair[1].parse::<u32>().is_ok();
        if list {
            place += 1;
        }
        if pair[0].starts_with("for")
            && pair[0] != "fork"
            && !pair[0].starts_with("fork")
            && pair[1] == "do"
        {
            places.push(place);
            place += 1;
        }
    }
    places
}
