use qc_model::{RunId, Timestamp};

use super::state::{Place, State};
use crate::{DeadState, Erased, Pruned, Retention};

impl State {
    pub(super) fn prune(&mut self, retention: &Retention, limit: usize) -> Pruned {
        Pruned {
            keys: self.prune_keys(retention.keys_now, limit),
            signals: self.prune_signals(retention.signals_now, limit),
            runs: self.prune_runs(retention, limit),
            ledger: self.prune_ledger(retention, limit),
        }
    }

    fn prune_keys(&mut self, now: Timestamp, limit: usize) -> usize {
        let mut keys: Vec<_> = self
            .keys
            .iter()
            .filter(|(_, known)| known.expires_at <= now)
            .map(|(key, known)| (known.expires_at, key.clone()))
            .collect();
        keys.sort_unstable();
        keys.truncate(limit);
        for (_, key) in &keys {
            self.keys.remove(key);
        }
        keys.len()
    }

    fn prune_signals(&mut self, now: Timestamp, limit: usize) -> usize {
        let mut past: Vec<_> = self
            .signals
            .iter()
            .filter(|(_, signal)| signal.expires_at <= now)
            .map(|(seq, signal)| (signal.expires_at, *seq))
            .collect();
        past.sort_unstable();
        past.truncate(limit);
        for (_, seq) in &past {
            if let Some(signal) = self.signals.remove(seq) {
                self.signal_ids.remove(&(signal.scope, signal.id));
            }
        }
        past.len()
    }

    fn prune_runs(&mut self, retention: &Retention, limit: usize) -> usize {
        let mut runs: Vec<_> = self
            .runs
            .values()
            .map(|run| &run.head)
            .filter(|head| {
                let letter = self.dead.get(&head.facts.id);
                head.state.status.is_terminal()
                    && head.state.updated_at < retention.run_since(head.state.status)
                    && letter.is_none_or(|letter| letter.state != DeadState::Open)
            })
            .map(|head| (head.state.updated_at, head.facts.id))
            .collect();
        runs.sort_unstable();
        runs.truncate(limit);
        for (_, id) in &runs {
            self.forget_run(*id);
        }
        runs.len()
    }

    /// Removes a run with all that belongs to it.
    fn forget_run(&mut self, id: RunId) {
        self.end_turn(id);
        self.dead.remove(&id);
        self.waits.retain(|(of, _), _| *of != id);
        if let Some(run) = self.runs.remove(&id) {
            let counted = self.counted.entry(Place::of_run(&run.head.facts)).or_default();
            counted.pruned.add(run.head.state.status);
        }
    }

    pub(super) fn erase(&mut self, runs: &[RunId], signals: &[u64]) -> Erased {
        let mut erased = Erased::default();
        for id in runs {
            let ended = self.runs.get(id).is_some_and(|run| run.head.state.status.is_terminal());
            if ended {
                // A letter that goes is settled: nobody waits for it any more.
                self.settle_letter(*id, DeadState::Discarded);
                self.forget_run(*id);
                erased.runs += 1;
                let before = self.keys.len();
                self.keys.retain(|_, known| known.run != *id);
                erased.keys += before - self.keys.len();
            }
        }
        for seq in signals {
            if let Some(signal) = self.signals.remove(seq) {
                self.signal_ids.remove(&(signal.scope, signal.id));
                erased.signals += 1;
            }
        }
        erased
    }

    fn prune_ledger(&mut self, retention: &Retention, limit: usize) -> usize {
        let rows: Vec<_> = self
            .ledger
            .iter()
            .filter(|(_, entry)| entry.row.at < retention.row_since(entry.row.kind))
            .map(|(seq, _)| *seq)
            .take(limit)
            .collect();
        for seq in &rows {
            self.ledger.remove(seq);
        }
        rows.len()
    }
}
