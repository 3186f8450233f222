use std::ops::Bound;

use super::{reads::is_or_any, state::State};
use crate::{Signal, SignalEntry, SignalFilter, filter_page};

impl State {
    /// Writes signals, but repeats.
    pub(super) fn signal(&mut self, signals: impl IntoIterator<Item = Signal>) {
        for signal in signals {
            let id = (signal.scope.clone(), signal.id.clone());
            if !self.signal_ids.contains_key(&id) {
                self.signal_seq += 1;
                self.signal_ids.insert(id, self.signal_seq);
                self.signals.insert(self.signal_seq, signal);
            }
        }
    }

    pub(super) fn list_signals(&self, filter: &SignalFilter) -> Vec<SignalEntry> {
        self.signals
            .range((Bound::Excluded(filter.after), Bound::Unbounded))
            .filter(|(_, signal)| {
                is_or_any(filter.scope.as_ref(), Some(&signal.scope))
                    && is_or_any(filter.kind.as_ref(), Some(&signal.kind))
                    && filter.since.is_none_or(|since| signal.at >= since)
            })
            .take(filter_page(filter.limit))
            .map(|(seq, signal)| SignalEntry { seq: *seq, signal: signal.clone() })
            .collect()
    }

    pub(super) fn one_signal(&self, scope: &str, id: &str) -> Option<SignalEntry> {
        let seq = *self.signal_ids.get(&(scope.to_owned(), id.to_owned()))?;
        Some(SignalEntry { seq, signal: self.signals.get(&seq)?.clone() })
    }
}
