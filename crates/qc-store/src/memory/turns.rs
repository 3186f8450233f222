use std::ops::Range;

use qc_model::RunId;

use super::state::{Run, State};
use crate::{KEYS_MAX, LiveCause, PAGE_MAX, RunHead, RunKey, Turn, TurnPlace};

impl State {
    /// Joins the end of a line, or takes the place there of the run that it replays.
    pub(super) fn join_line(&mut self, turn: &Turn, id: RunId, replay_of: Option<RunId>) {
        let line = self.lines.entry(turn.clone()).or_default();
        let replayed = replay_of.filter(|replayed| line.contains(replayed));
        let Some(replayed) = replayed else { return line.push(id) };
        line.iter_mut().filter(|run| **run == replayed).for_each(|run| *run = id);
        if let Some(run) = self.runs.get_mut(&replayed) {
            run.turn = None;
        }
    }

    pub(super) fn end_turn(&mut self, id: RunId) {
        let Some(turn) = self.runs.get_mut(&id).and_then(|run| run.turn.take()) else { return };
        if let Some(line) = self.lines.get_mut(&turn) {
            line.retain(|run| *run != id);
            if line.is_empty() {
                self.lines.remove(&turn);
            }
        }
    }

    pub(super) fn turn_of(&self, id: RunId) -> Option<TurnPlace> {
        let turn = self.runs.get(&id)?.turn.clone()?;
        let ahead = self.lines.get(&turn)?.iter().position(|run| *run == id)?;
        Some(TurnPlace { turn, ahead: ahead.min(PAGE_MAX) })
    }

    pub(super) fn runs_in_turn(&self, buckets: &Range<u16>, limit: usize) -> Vec<RunHead> {
        let mut heads: Vec<_> = self
            .lines
            .values()
            .filter_map(|line| Some(&self.runs.get(line.first()?)?.head))
            .filter(|head| {
                head.state.cause == LiveCause::Turn && buckets.contains(&head.facts.bucket)
            })
            .collect();
        heads.sort_unstable_by_key(|head| head.facts.id);
        heads.into_iter().take(limit).cloned().collect()
    }
}

impl Run {
    pub(super) fn add_keys(&mut self, keys: Vec<RunKey>) {
        for key in keys {
            if self.keys.len() < KEYS_MAX {
                self.keys.insert(key);
            }
        }
    }
}
