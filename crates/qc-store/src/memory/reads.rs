use std::ops::{Bound, Range};

use qc_model::{RunId, Timestamp};

use super::state::State;
use crate::{
    DeadFilter, DeadLetter, DeadState, Document, LedgerEntry, LedgerFilter, LedgerRow, RunFilter,
    RunHead, filter_page,
};

impl State {
    pub(super) fn open_runs(
        &self,
        buckets: &Range<u16>,
        after: Option<RunId>,
        limit: usize,
    ) -> Vec<RunHead> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.runs
            .range((from, Bound::Unbounded))
            .map(|(_, run)| &run.head)
            .filter(|h| !h.state.status.is_terminal() && buckets.contains(&h.facts.bucket))
            .take(limit)
            .cloned()
            .collect()
    }

    pub(super) fn due_runs(
        &self,
        buckets: &Range<u16>,
        until: Timestamp,
        limit: usize,
    ) -> Vec<RunHead> {
        let mut due: Vec<_> = self
            .runs
            .values()
            .map(|run| &run.head)
            .filter(|h| buckets.contains(&h.facts.bucket))
            .filter_map(|h| h.state.wake_at.filter(|at| *at <= until).map(|at| (at, h.facts.id, h)))
            .collect();
        due.sort_unstable_by_key(|(at, id, _)| (*at, *id));
        due.into_iter().take(limit).map(|(_, _, head)| head.clone()).collect()
    }

    pub(super) fn list_runs(&self, filter: &RunFilter) -> Vec<RunHead> {
        let to = filter.before.map_or(Bound::Unbounded, Bound::Excluded);
        self.runs
            .range((Bound::Unbounded, to))
            .rev()
            .map(|(_, run)| &run.head)
            .filter(|head| {
                let facts = &head.facts;
                (filter.statuses.is_empty() || filter.statuses.contains(&head.state.status))
                    && is_or_any(filter.environment.as_ref(), Some(&facts.environment))
                    && is_or_any(filter.integration.as_ref(), Some(&facts.integration))
                    && is_or_any(filter.subject.as_ref(), facts.subject.as_ref())
                    && filter.since.is_none_or(|since| facts.accepted_at >= since)
            })
            .take(filter_page(filter.limit))
            .cloned()
            .collect()
    }

    pub(super) fn list_dead(&self, filter: &DeadFilter) -> Vec<DeadLetter> {
        let to = filter.before.map_or(Bound::Unbounded, Bound::Excluded);
        self.dead
            .range((Bound::Unbounded, to))
            .rev()
            .map(|(_, letter)| letter)
            .filter(|letter| {
                filter.state.is_none_or(|state| letter.state == state)
                    && is_or_any(filter.environment.as_ref(), Some(&letter.environment))
                    && is_or_any(filter.integration.as_ref(), Some(&letter.integration))
            })
            .take(filter_page(filter.limit))
            .cloned()
            .collect()
    }

    pub(super) fn list_ledger(&self, filter: &LedgerFilter) -> Vec<LedgerEntry> {
        self.ledger
            .range((Bound::Excluded(filter.after), Bound::Unbounded))
            .filter(|(_, row)| passes(filter, row))
            .take(filter_page(filter.limit))
            .map(|(seq, row)| LedgerEntry { seq: *seq, row: row.clone() })
            .collect()
    }

    pub(super) fn list_documents(
        &self,
        kind: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Vec<Document> {
        let key = |name: &str| (kind.to_owned(), name.to_owned());
        let from = after.map_or(Bound::Included(key("")), |name| Bound::Excluded(key(name)));
        self.documents
            .range((from, Bound::Unbounded))
            .take_while(|((of, _), _)| of == kind)
            .take(limit)
            .map(|(_, document)| document.clone())
            .collect()
    }

    pub(super) fn prune(&mut self, now: Timestamp, keep_since: Timestamp, limit: usize) -> usize {
        let mut keys: Vec<_> = self
            .keys
            .iter()
            .filter(|(_, known)| known.expires_at <= now)
            .map(|(key, known)| (known.expires_at, key.clone()))
            .collect();
        keys.sort_unstable();
        keys.truncate(limit);
        let mut runs: Vec<_> = self
            .runs
            .values()
            .map(|run| &run.head)
            .filter(|head| {
                let letter = self.dead.get(&head.facts.id);
                head.state.status.is_terminal()
                    && head.state.updated_at < keep_since
                    && letter.is_none_or(|letter| letter.state != DeadState::Open)
            })
            .map(|head| (head.state.updated_at, head.facts.id))
            .collect();
        runs.sort_unstable();
        runs.truncate(limit);
        let rows: Vec<_> = self
            .ledger
            .iter()
            .filter(|(_, row)| row.at < keep_since)
            .map(|(seq, _)| *seq)
            .take(limit)
            .collect();
        for (_, key) in &keys {
            self.keys.remove(key);
        }
        for (_, run) in &runs {
            self.runs.remove(run);
            self.dead.remove(run);
        }
        for seq in &rows {
            self.ledger.remove(seq);
        }
        keys.len() + runs.len() + rows.len()
    }
}

fn passes(filter: &LedgerFilter, row: &LedgerRow) -> bool {
    filter.since.is_none_or(|since| row.at >= since)
        && filter.until.is_none_or(|until| row.at < until)
        && (filter.kinds.is_empty() || filter.kinds.contains(&row.kind))
        && is_or_any(filter.environment.as_ref(), row.environment.as_ref())
        && is_or_any(filter.integration.as_ref(), row.integration.as_ref())
        && is_or_any(filter.run.as_ref(), row.run.as_ref())
        && is_or_any(filter.outcome.as_ref(), Some(&row.outcome))
}

fn is_or_any<T: PartialEq>(wanted: Option<&T>, present: Option<&T>) -> bool {
    wanted.is_none() || wanted == present
}
