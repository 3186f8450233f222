//! Runs of this node that wait in the store for a place in memory, and whose turn it is. What is here is a hint: the
//! truth is the store, the sweep fills this from it, and what does not fit in here is found by it again.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use qc_model::{Name, RunId, TenantName, Timestamp};
use qc_store::{Priority, RunFacts};
use tokio::sync::Notify;

use super::{Robin, Share};

/// So many waiting runs of one tenant are remembered, and so many of all.
const TENANT_MAX: usize = 20_000;
const WAITING_MAX: usize = 200_000;

/// Runs that wait for a place.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    rows: Mutex<Rows>,
    /// Somebody waits, or a place may be free.
    pub(crate) came: Notify,
}

#[derive(Debug, Default)]
struct Rows {
    robin: Robin<RunId>,
    there: HashMap<RunId, Facts>,
    tenants: HashMap<TenantName, usize>,
    oldest: BTreeSet<(Priority, Timestamp, RunId)>,
    /// Whose further runs wait in the store and are not remembered here.
    more: HashSet<TenantName>,
    /// The same, as far as the round of the sweep has come.
    more_in_round: HashSet<TenantName>,
}

/// What is known of a waiting run.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) run: RunId,
    pub(crate) tenant: TenantName,
    pub(crate) integration: Name,
    /// Since when it waits: since its event was accepted, or since it woke.
    pub(crate) since: Timestamp,
    pub(crate) priority: Priority,
}

impl Facts {
    pub(crate) fn of(facts: &RunFacts) -> Self {
        Self {
            run: facts.id,
            tenant: facts.tenant.clone(),
            integration: facts.integration.clone(),
            since: facts.accepted_at,
            priority: facts.priority,
        }
    }
}

impl Backlog {
    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lines a run up, when it does not wait already.
    pub(crate) fn add(&self, facts: Facts) {
        let mut rows = self.rows();
        let Rows { robin, there, tenants, oldest, more, more_in_round } = &mut *rows;
        if there.contains_key(&facts.run) {
            return;
        }
        let count = tenants.entry(facts.tenant.clone()).or_default();
        if *count >= TENANT_MAX || there.len() >= WAITING_MAX {
            more.insert(facts.tenant.clone());
            more_in_round.insert(facts.tenant);
            return;
        }
        *count += 1;
        // Those of one tenant and integration keep their order; runs of one key stand in lines of their own.
        let share = Share {
            tenant: facts.tenant.clone(),
            integration: facts.integration.clone(),
            lane: "".into(),
            key: Arc::from(""),
            priority: facts.priority,
        };
        robin.push(&share, facts.run);
        oldest.insert((facts.priority, facts.since, facts.run));
        there.insert(facts.run, facts);
        drop(rows);
        self.came.notify_one();
    }

    /// Whose turn it is among those who may have a place.
    pub(crate) fn next(&self, may: impl Fn(&TenantName, Priority) -> bool) -> Option<Facts> {
        let mut rows = self.rows();
        let run = rows.robin.pop(|tenant, _, priority| may(tenant, priority))?;
        let facts = rows.there.remove(&run)?;
        rows.oldest.remove(&(facts.priority, facts.since, run));
        if let Some(count) = rows.tenants.get_mut(&facts.tenant) {
            *count -= 1;
            if *count == 0 {
                rows.tenants.remove(&facts.tenant);
            }
        }
        Some(facts)
    }

    /// Whether runs of a tenant wait, so that a new one has to wait behind them.
    pub(crate) fn holds(&self, tenant: &TenantName) -> bool {
        let rows = self.rows();
        rows.tenants.contains_key(tenant) || rows.more.contains(tenant)
    }

    /// How many wait, as far as they are remembered.
    pub(crate) fn len(&self) -> usize {
        self.rows().there.len()
    }

    /// Since when the one waits that waits longest and is not of low priority.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        let of = |priority| self.oldest_of(priority);
        of(Priority::High).into_iter().chain(of(Priority::Normal)).min()
    }

    fn oldest_of(&self, priority: Priority) -> Option<Timestamp> {
        let first = (priority, Timestamp::from_millis(i64::MIN), RunId::from_bits(0));
        let rows = self.rows();
        let oldest = rows.oldest.range(first..).next();
        oldest.filter(|(found, ..)| *found == priority).map(|(_, at, _)| *at)
    }

    /// A round of the sweep begins.
    pub(crate) fn round_begins(&self) {
        self.rows().more_in_round.clear();
    }

    /// A round of the sweep has seen all open runs: whoever was not found to have more has none.
    pub(crate) fn round_ends(&self) {
        let mut rows = self.rows();
        rows.more = std::mem::take(&mut rows.more_in_round);
    }

    /// Whether runs wait that only the sweep can find, and few are left of those that are remembered.
    pub(crate) fn runs_low(&self) -> bool {
        let rows = self.rows();
        let left = |tenant: &TenantName| rows.tenants.get(tenant).copied().unwrap_or(0);
        rows.more.iter().any(|tenant| left(tenant) < TENANT_MAX / 4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(n: u128, tenant: &str) -> Facts {
        Facts {
            run: RunId::from_bits(n),
            tenant: Name::new(tenant).unwrap(),
            integration: Name::new("it").unwrap(),
            since: Timestamp::from_millis(i64::try_from(n).unwrap()),
            priority: Priority::Normal,
        }
    }

    #[test]
    fn what_does_not_fit_is_known_to_be_there() {
        let backlog = Backlog::default();
        let max = u128::try_from(TENANT_MAX).unwrap();
        backlog.round_begins();
        for n in 1..=max + 1 {
            backlog.add(facts(n, "a"));
            backlog.add(facts(n, "a"));
        }
        backlog.add(facts(max + 7, "b"));
        backlog.round_ends();
        assert_eq!(backlog.len(), TENANT_MAX + 1);
        assert_eq!(backlog.oldest_of(Priority::Normal), Some(Timestamp::from_millis(1)));
        let first: Vec<u128> =
            (0..3).map(|_| backlog.next(|_, _| true).unwrap().run.bits()).collect();
        assert_eq!(first, [1, max + 7, 2]);
        assert_eq!(backlog.oldest_of(Priority::Normal), Some(Timestamp::from_millis(3)));
        assert!(!backlog.runs_low() && backlog.oldest_of(Priority::Low).is_none());
        while backlog.next(|_, _| true).is_some() {}
        let name = |text: &str| Name::new(text).unwrap();
        assert!(backlog.holds(&name("a")) && !backlog.holds(&name("b")) && backlog.runs_low());
        backlog.round_begins();
        backlog.round_ends();
        assert!(!backlog.holds(&name("a")) && !backlog.runs_low());
    }
}
