//! What a run asked for and was told, from its journal.

use std::{collections::HashMap, time::Duration};

use qc_model::Timestamp;
use qc_store::{Entry, RunFacts};
use qc_workflow::{Action, CallId, Happening, Input, Machine, Outcome, Start, TimerId};

use super::{
    deed::{Deed, Desk},
    report::Incomparable,
};
use crate::{
    Deployment,
    data::Custody,
    entry::{self, Journaled},
};

/// A run that is over.
#[derive(Debug)]
pub(super) struct Past {
    /// What it began with; its time is when it really began.
    pub(super) start: Start,
    /// What it asked for, in order.
    pub(super) asks: Vec<Ask>,
    /// What came without being asked for: people's words, events, probes. With the place in the order of all.
    pub(super) unasked: Vec<(usize, Input)>,
    /// By how much each timer fired late, with its place in the order of all and its chance.
    pub(super) lags: HashMap<TimerId, (Duration, usize, u64)>,
    /// How it ended.
    pub(super) end: Outcome,
    /// Whether its times do not rise.
    pub(super) clock_went_back: bool,
}

/// Something that was asked for, and what was said to it.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) deed: Deed,
    pub(super) id: CallId,
    pub(super) attempts: Vec<Attempt>,
}

/// One attempt.
#[derive(Debug)]
pub(super) struct Attempt {
    number: u32,
    pub(super) at: Timestamp,
    /// Nothing was said of an attempt that was under way at the end.
    pub(super) answers: Vec<(usize, Input)>,
}

/// What a journal says a run began with, when it began with an event.
pub(super) fn start_of(journal: &[Entry]) -> Result<(Start, usize), Incomparable> {
    let Some(first) = journal.first() else { return Err(Incomparable::Unreadable) };
    let decoded = entry::decode(0, first).map_err(|_| Incomparable::Unreadable)?;
    let Journaled::Start { mut start, line, held, lineage, .. } = decoded else {
        return Err(Incomparable::Unreadable);
    };
    if lineage.parent.is_some() {
        return Err(Incomparable::Child);
    }
    if line.is_none() && !held {
        return Ok((*start, 1));
    }
    let Some(second) = journal.get(1) else { return Err(Incomparable::NeverBegun) };
    match entry::decode(1, second).map_err(|_| Incomparable::Unreadable)? {
        Journaled::Begun => {
            start.at = second.at;
            Ok((*start, 2))
        }
        _ => Err(Incomparable::NeverBegun),
    }
}

impl Past {
    /// Folds a journal over the release that ran.
    pub(super) fn of(
        journal: &[Entry],
        facts: &RunFacts,
        deployment: &Deployment,
        custody: Custody,
    ) -> Result<Self, Incomparable> {
        let (start, skip) = start_of(journal)?;
        let (mut machine, actions) = Machine::start(deployment.release.program.clone(), &start);
        let mut reading = Reading {
            desk: Desk::new(facts, deployment, custody),
            asks: Vec::new(),
            open: HashMap::new(),
            unasked: Vec::new(),
            lags: HashMap::new(),
        };
        reading.take(&actions, start.at);
        let (mut order, mut last, mut clock_went_back) = (0, start.at, false);
        for (index, stored) in journal.iter().enumerate().skip(skip) {
            let decoded = entry::decode(index, stored).map_err(|_| Incomparable::Unreadable)?;
            let Journaled::Input { input } = decoded else { continue };
            // Between two of them stands what would have come right after the first.
            order += 2;
            clock_went_back |= input.at < last;
            last = input.at;
            if let Happening::TimerFired { timer } = &input.happening {
                // One that another one put away before its turn came was told to nobody.
                let due = machine.timers().into_iter().find(|(id, _)| id == timer);
                if let Some((_, due)) = due {
                    reading.lags.insert(*timer, (input.at.since(due), order, input.entropy));
                }
            }
            reading.hear(order, &input);
            let armed = machine.timers();
            let (next, actions) = machine.step(&input);
            machine = next;
            reading.missed(&armed, &machine, order, input.at);
            reading.take(&actions, input.at);
        }
        let end = machine.outcome().cloned().ok_or(Incomparable::NotOver)?;
        let Reading { asks, unasked, lags, .. } = reading;
        Ok(Self { start, asks, unasked, lags, end, clock_went_back })
    }
}

struct Reading<'a> {
    desk: Desk<'a>,
    asks: Vec<Ask>,
    /// Where each id stands among the asks.
    open: HashMap<CallId, usize>,
    unasked: Vec<(usize, Input)>,
    lags: HashMap<TimerId, (Duration, usize, u64)>,
}

impl Reading<'_> {
    fn take(&mut self, actions: &[Action], at: Timestamp) {
        for action in actions {
            match action {
                Action::Call(request) => {
                    let deed = self.desk.call(request).0;
                    self.asked(deed, &request.id, request.attempt, at);
                }
                Action::StartChild(request) => {
                    self.asked(Desk::child(request), &request.id, request.attempt, at);
                }
                Action::Emit { id, event } => {
                    let deed = self.desk.event(id, event);
                    self.asks.push(Ask { deed, id: id.clone(), attempts: Vec::new() });
                }
                Action::Interrupt { .. }
                | Action::Listen(_)
                | Action::StopListening { .. }
                | Action::CancelChild { .. }
                | Action::Note(_)
                | Action::Finish(_) => {}
            }
        }
    }

    fn asked(&mut self, deed: Deed, id: &CallId, number: u32, at: Timestamp) {
        let attempt = Attempt { number, at, answers: Vec::new() };
        if let Some(index) = self.open.get(id) {
            self.asks[*index].attempts.push(attempt);
        } else {
            self.open.insert(id.clone(), self.asks.len());
            self.asks.push(Ask { deed, id: id.clone(), attempts: vec![attempt] });
        }
    }

    /// Timers that were due and were put away before they fired, by a process that was not there: they were late, too.
    fn missed(
        &mut self,
        armed: &[(TimerId, Timestamp)],
        machine: &Machine,
        order: usize,
        at: Timestamp,
    ) {
        if armed.iter().all(|(_, due)| *due >= at) {
            return;
        }
        let still = machine.timers();
        for (timer, due) in armed.iter().filter(|(_, due)| *due < at) {
            if still.iter().all(|(id, _)| id != timer) {
                self.lags.entry(*timer).or_insert((at.since(*due), order + 1, 0));
            }
        }
    }

    fn hear(&mut self, order: usize, input: &Input) {
        self.desk.hears(&input.happening);
        let answered = match &input.happening {
            Happening::CallSucceeded { call, attempt, .. }
            | Happening::CallFailed { call, attempt, .. }
            | Happening::PutOff { call, attempt, .. } => Some((call, *attempt)),
            Happening::ChildStarted { id, attempt, .. }
            | Happening::ChildEnded { id, attempt, .. } => Some((id, *attempt)),
            Happening::TimerFired { .. } => return,
            Happening::Cancelled { .. }
            | Happening::EventReceived { .. }
            | Happening::Reopened
            | Happening::Probed { .. }
            | Happening::NotHeld { .. } => None,
        };
        let Some((id, number)) = answered else {
            self.unasked.push((order, input.clone()));
            return;
        };
        let ask = self.open.get(id).map(|index| &mut self.asks[*index]);
        let attempt = ask
            .and_then(|ask| ask.attempts.iter_mut().rev().find(|attempt| attempt.number == number));
        // An answer to what was not asked changes nothing in the machine either.
        if let Some(attempt) = attempt {
            attempt.answers.push((order, input.clone()));
        }
    }
}
