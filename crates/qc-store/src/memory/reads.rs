use std::ops::{Bound, Range};

use qc_model::{RunId, Timestamp};

use super::state::{Run, State};
use crate::{LedgerEntry, LedgerFilter, LedgerRow, RunFilter, RunHead, filter_page};

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
            .map(|(_, run)| run)
            .filter(|run| run_passes(filter, run))
            .map(|run| &run.head)
            .take(filter_page(filter.limit))
            .cloned()
            .collect()
    }

    pub(super) fn list_ledger(&self, filter: &LedgerFilter) -> Vec<LedgerEntry> {
        self.ledger
            .range((Bound::Excluded(filter.after), Bound::Unbounded))
            .map(|(_, entry)| entry)
            .filter(|entry| passes(filter, &entry.row))
            .take(filter_page(filter.limit))
            .cloned()
            .collect()
    }
}

fn run_passes(filter: &RunFilter, run: &Run) -> bool {
    let facts = &run.head.facts;
    (filter.statuses.is_empty() || filter.statuses.contains(&run.head.state.status))
        && is_or_any(filter.environment.as_ref(), Some(&facts.environment))
        && is_or_any(filter.integration.as_ref(), Some(&facts.integration))
        && is_or_any(filter.trigger.as_ref(), Some(&facts.trigger))
        && is_or_any(filter.release.as_ref(), Some(&facts.release))
        && is_or_any(filter.event.as_ref(), Some(&facts.event))
        && is_or_any(filter.subject.as_ref(), facts.subject.as_ref())
        && is_or_any(filter.trace.as_ref(), facts.trace.as_ref())
        && filter.since.is_none_or(|since| facts.accepted_at >= since)
        && filter.until.is_none_or(|until| facts.accepted_at < until)
        && filter.key.as_ref().is_none_or(|key| run.keys.contains(key))
        && filter.value.as_ref().is_none_or(|value| run.keys.iter().any(|key| key.value == *value))
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

pub(super) fn is_or_any<T: PartialEq>(wanted: Option<&T>, present: Option<&T>) -> bool {
    wanted.is_none() || wanted == present
}
