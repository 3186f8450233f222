//! What people do to runs: cancel, resolve truthfully, resume, retry, discard, replay.

use std::collections::BTreeSet;

use qc_engine::{EngineError, Replay, Resolution};
use qc_model::{Actor, RunId};
use qc_store::{LiveCause, RunHead, RunStatus, StoreError};
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

/// What a person asks of a run.
#[derive(Debug)]
enum Wish {
    Cancel,
    Retry,
    Discard,
    Replay(Replay),
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
        if self.asked.lock().unwrap().contains(&run) {
            return;
        }
        match head.state.status {
            RunStatus::Running | RunStatus::Waiting => {
                let waits_for_child = head.state.cause == LiveCause::Child;
                if self.dice.percent(if waits_for_child { 70 } else { 30 }) {
                    self.ask(run, Wish::Cancel);
                }
            }
            RunStatus::Parked if self.dice.percent(20) => self.ask(run, Wish::Cancel),
            RunStatus::Parked => Box::pin(self.decide(&head, true)).await,
            RunStatus::Faulted if self.dice.percent(60) && !self.replayed.contains(&run) => {
                self.ask(run, Wish::Retry);
            }
            RunStatus::Faulted if self.dice.percent(20) => self.ask(run, Wish::Discard),
            // A second replay at the same time would be a race of people, not of ours.
            RunStatus::Completed | RunStatus::Faulted | RunStatus::Cancelled => {
                if self.replayed.insert(run) {
                    let wish = self.replay();
                    self.ask(run, wish);
                }
            }
        }
    }

    fn replay(&mut self) -> Wish {
        if !self.dice.percent(25) {
            return Wish::Replay(Replay::default());
        }
        self.events += 1;
        let input = json!({ "n": self.events - 1 + 2_000_000 });
        Wish::Replay(Replay { new_effects: true, input: Some(input), ..Replay::default() })
    }

    /// Asks something of a run without waiting for the answer: the story goes on meanwhile, but
    /// nobody else asks anything of it.
    fn ask(&mut self, run: RunId, wish: Wish) {
        let engine = self.world.engine.clone();
        self.ask_meanwhile(run, format!("{wish:?}"), async move {
            let who = somebody();
            match wish {
                Wish::Cancel => engine.cancel(run, "a whim", &who).await,
                Wish::Retry => engine.retry_dead(run, &who).await,
                Wish::Discard => engine.discard_dead(run, "not needed", &who).await,
                Wish::Replay(replay) => engine.replay(run, replay, &who).await.map(drop),
            }
        });
    }

    /// The same for whatever can be asked.
    pub(crate) fn ask_meanwhile(
        &mut self,
        run: RunId,
        what: String,
        asking: impl Future<Output = Result<(), EngineError>> + Send + 'static,
    ) {
        self.witness.touched(run);
        self.tell(format_args!("asked of {run}: {what}"));
        let record = self.record.clone();
        let asked = self.asked.clone();
        asked.lock().unwrap().insert(run);
        tokio::spawn(async move {
            let answer = asking.await;
            record.tell(format_args!("{run} answers: {answer:?}"));
            // One that may still be done is not over.
            if !matches!(answer, Err(EngineError::Store(StoreError::Unknown(_)))) {
                asked.lock().unwrap().remove(&run);
            }
        });
    }

    /// Decides what a run is parked for: the truth about ambiguous calls, and with `mended` that
    /// all else is.
    pub(crate) async fn decide(&mut self, head: &RunHead, mended: bool) {
        let run = head.facts.id;
        let engine = self.world.engine.clone();
        self.answer_all(run).await;
        if crate::witness::is_quarantined(&head.state) {
            // Too many processes ended while it was being taken up: it was none of its own doing.
            self.witness.touched(run);
            let answer = engine.resume(run, &somebody()).await;
            self.tell(format_args!("resume quarantined {run}: {answer:?}"));
        }
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
