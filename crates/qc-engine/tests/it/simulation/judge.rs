//! What must hold when everything has calmed down.

use std::collections::{BTreeMap, BTreeSet};

use qc_engine::{Accepted, RunEnd};
use qc_model::RunId;
use qc_store::{LedgerFilter, LedgerKind, RunHead, RunStatus, Store};

use super::{
    Simulation,
    hostile::{Fate, Request, by_effect, keys},
    refused,
};

impl Simulation {
    pub(super) async fn judge(&mut self) {
        let runs = self.runs().await;
        self.one_run_for_each_key(&runs);
        let mut not_applied: BTreeMap<String, usize> = BTreeMap::new();
        for head in &runs {
            self.judge_run(head, &mut not_applied).await;
        }
        self.judge_effects(&runs, &not_applied);
        let all: Vec<_> = self.nodes.iter().map(|node| node.engine.gauges()).collect();
        for gauges in all {
            if gauges.stuck > 0 {
                self.problems.push(format!("{} runs were stuck", gauges.stuck));
            }
            let ended = runs.iter().all(|head| head.state.status.is_terminal());
            if gauges.runs_in_memory > 0 && ended {
                self.problems.push(format!("{} places are still taken", gauges.runs_in_memory));
            }
        }
        self.judge_nodes().await;
    }

    /// Every answer about a key names one run, which exists; what was refused never became one.
    fn one_run_for_each_key(&mut self, runs: &[RunHead]) {
        let originals: Vec<RunId> = runs
            .iter()
            .filter(|head| head.facts.replay_of.is_none())
            .map(|head| head.facts.id)
            .collect();
        let mut by_event: BTreeMap<u64, BTreeSet<RunId>> = BTreeMap::new();
        let mut may_exist = 0;
        let mut events = BTreeSet::new();
        for sent in &self.sent {
            match sent.answer {
                Ok(Accepted::New { run } | Accepted::Repeat { run }) => {
                    by_event.entry(sent.event).or_default().insert(run);
                    if !originals.contains(&run) {
                        self.problems.push(format!("{run} was accepted and is not there"));
                    }
                }
                Err(_) if refused(&sent.answer) => {}
                Err(_) => {
                    if events.insert(sent.event) {
                        may_exist += 1;
                    }
                }
            }
        }
        for (event, of_event) in &by_event {
            if of_event.len() > 1 {
                self.problems.push(format!("event {event} has the runs {of_event:?}"));
            }
        }
        may_exist -= events.iter().filter(|event| by_event.contains_key(event)).count();
        let certain = by_event.len();
        if originals.len() < certain || originals.len() > certain + may_exist {
            self.problems.push(format!(
                "{} runs for {certain} accepted events and {may_exist} of unknown outcome",
                originals.len()
            ));
        }
    }

    async fn judge_run(&mut self, head: &RunHead, not_applied: &mut BTreeMap<String, usize>) {
        let run = head.facts.id;
        if !head.state.status.is_terminal() {
            let state = format!("{:?}", head.state);
            let journal = self.nodes[0].engine.inspect(run).await.map(|view| view.journal);
            self.problems.push(format!("{run} is not at its end: {state}\n{journal:#?}"));
            return;
        }
        let view = match self.nodes[0].engine.inspect(run).await {
            Ok(view) => view,
            Err(error) => return self.problems.push(format!("{run} cannot be read: {error}")),
        };
        let folded = match &view.end {
            Some(RunEnd::Completed { .. }) => Some(RunStatus::Completed),
            Some(RunEnd::Faulted { .. }) => Some(RunStatus::Faulted),
            Some(RunEnd::Cancelled { .. }) => Some(RunStatus::Cancelled),
            None => None,
        };
        if folded != Some(head.state.status) {
            let status = head.state.status;
            self.problems.push(format!("{run} is {status:?}, its journal says {folded:?}"));
        }
        if let Some(RunEnd::Faulted { failure, error }) = &view.end
            && error["title"] == "early"
        {
            self.problems.push(format!("a timer of {run} was early: {failure:?}"));
        }
        for entry in &view.journal {
            if entry["what"] == "not_applied" {
                let pointer = entry["call"]["pointer"].as_str().unwrap();
                let task = pointer.rsplit('/').next().unwrap();
                *not_applied.entry(format!("{}/{task}", view.input["n"])).or_default() += 1;
            }
        }
        let filter = LedgerFilter { run: Some(run), limit: 1_000, ..LedgerFilter::default() };
        let rows = self.store.ledger(&filter).await.unwrap();
        let told = rows.iter().any(|entry| {
            entry.row.kind == LedgerKind::Run && entry.row.outcome == head.state.status.as_str()
        });
        if !told {
            self.problems.push(format!("the ledger does not tell the end of {run}"));
        }
    }

    fn judge_effects(&mut self, runs: &[RunHead], not_applied: &BTreeMap<String, usize>) {
        let seen = self.outside.seen();
        let replays: BTreeSet<RunId> = runs
            .iter()
            .filter(|head| head.facts.replay_of.is_some())
            .map(|head| head.facts.id)
            .collect();
        for (effect, requests) in by_effect(&seen) {
            let applied = requests
                .iter()
                .filter(|one| matches!(one.fate, Fate::Answered | Fate::AppliedUnknown))
                .count();
            let unknown = requests.iter().filter(|one| one.fate != Fate::Refused).count();
            let (of_task, _) = effect.rsplit_once('/').unwrap();
            let decided = not_applied.get(of_task).copied().unwrap_or(0);
            match requests[0].operation {
                "charge" if applied > 1 || unknown > 1 + decided => self.problems.push(format!(
                    "once: {effect} took effect {applied} times, was sent {unknown} times with \
                     {decided} decisions that it had not: {requests:#?}"
                )),
                "postMessage" if applied > 1 => self
                    .problems
                    .push(format!("verify: {effect} took effect {applied} times: {requests:#?}")),
                "createTicket" if keys(&requests).len() != 1 || keys(&requests).contains(&None) => {
                    self.problems.push(format!("keyed: {effect} has many keys: {requests:#?}"));
                }
                _ => {}
            }
            self.judge_repeats(effect, &requests, &replays);
        }
    }

    /// After an answer nothing is sent again, unless the process ended before it was on disk, its
    /// block is tried again, or its run is replayed. And a stated pause is kept.
    fn judge_repeats(&mut self, effect: &str, requests: &[&Request], replays: &BTreeSet<RunId>) {
        let task = &requests[0].task;
        let by_right = task.starts_with('r');
        let first = requests
            .iter()
            .filter(|one| !replays.contains(&one.run) && !self.touched.contains(&one.run));
        let answered = first.filter(|one| one.fate == Fate::Answered).count();
        if !by_right && answered > 1 + self.kills.len() {
            self.problems.push(format!("{effect} was sent again after its answer: {requests:#?}"));
        }
        for pair in requests.windows(2) {
            let same = pair[0].run == pair[1].run && !self.touched.contains(&pair[0].run);
            // A process that ends with the answer in its hands cannot keep it in mind.
            let ended = self.kills.iter().any(|at| (pair[0].at..=pair[1].at).contains(at));
            if let Some(until) = pair[0].pause_until
                && same
                && !ended
                && !self.jumped
                && !by_right
                && pair[1].at < until
            {
                self.problems.push(format!("{effect} did not keep a stated pause: {pair:#?}"));
            }
        }
    }
}
