//! Who waits for long does not wait here: its run leaves memory, and comes again when its turn may be near. So those who
//! wait for one system do not keep the places of all others.

use std::{cell::RefCell, collections::HashMap, sync::Arc, time::Duration};

use qc_model::{TenantName, Timestamp};

use super::{Gate, Grant, Later, State, Waiting};
use crate::fair::{Share, Why};

/// How often it is looked who waits for long.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A wait from which on it is long: to leave memory and to come again is a commit and a reading.
const LONG: Duration = Duration::from_secs(60);
/// The same, while others wait for a place in memory.
const LONG_FOR_OTHERS: Duration = Duration::from_secs(10);

impl Gate {
    /// Has those wait elsewhere whose turn is far away.
    pub(super) fn put_off(&self, crowded: bool, now: Timestamp) {
        let long = if crowded { LONG_FOR_OTHERS } else { LONG };
        let mut state = self.state();
        let State { waiting, tempo, .. } = &mut *state;
        let mut all = Lines::default();
        waiting.each(|one| {
            all.line_up(one);
        });
        let totals = all.totals();
        let (seen, waits) = (RefCell::new(Lines::default()), RefCell::new(Vec::new()));
        let far = waiting.take_out(|one| {
            let own = seen.borrow_mut().line_up(one);
            let before = totals.get(&one.share.lane.limit).map_or(own, |line| line.before(own));
            let wait = tempo.behind(&one.share.lane, before, now);
            let is_far = wait >= long && one.patient;
            if is_far {
                waits.borrow_mut().push(wait);
            }
            is_far
        });
        for (one, wait) in far.into_iter().zip(waits.take()) {
            let until = now + wait;
            tempo.put_off();
            let why = says(tempo.bars(&one.share.tenant, &one.share.lane, now), &one.share, until);
            // Whoever has gone away needs no answer.
            drop(one.granted.send(Grant::Later(Box::new(Later { until, why }))));
        }
    }
}

/// Requests, in parts: calls that may go together share one.
type Requests = f64;

/// Who waits at each limit: how many requests it takes for those of each tenant.
#[derive(Debug, Default)]
struct Lines(HashMap<Arc<str>, HashMap<TenantName, Requests>>);

impl Lines {
    /// One more at its limit. How many requests of its tenant go before.
    fn line_up(&mut self, one: &Waiting) -> Requests {
        let tenants = self.0.entry(one.share.lane.limit.clone()).or_default();
        let mine = tenants.entry(one.share.tenant.clone()).or_default();
        let before = *mine;
        let together = one.batch.as_ref().map_or(1, |batch| batch.most.max(1));
        *mine += 1.0 / f64::from(u32::try_from(together).unwrap_or(u32::MAX));
        before
    }

    fn totals(self) -> HashMap<Arc<str>, Totals> {
        let of = |(limit, tenants): (_, HashMap<_, Requests>)| (limit, Totals::of(tenants));
        self.0.into_iter().map(of).collect()
    }
}

/// What waits at one limit, of each tenant, the smallest first.
struct Totals {
    each: Vec<Requests>,
    /// Of so many of the first together.
    sums: Vec<Requests>,
}

impl Totals {
    fn of(tenants: HashMap<TenantName, Requests>) -> Self {
        let mut each: Vec<Requests> = tenants.into_values().collect();
        each.sort_by(Requests::total_cmp);
        let sum = |so_far: &mut Requests, one: &Requests| {
            *so_far += one;
            Some(*so_far)
        };
        let sums = std::iter::once(0.0).chain(each.iter().scan(0.0, sum)).collect();
        Self { each, sums }
    }

    /// How many go before one that has so many of its own before it: tenants take turns, so of each other one as many,
    /// or all that it has.
    fn before(&self, own: Requests) -> Requests {
        let fewer = self.each.partition_point(|one| *one < own);
        let others = u32::try_from(self.each.len() - fewer).unwrap_or(u32::MAX);
        self.sums[fewer] + own * f64::from(others)
    }
}

fn says(bars: Option<Why>, share: &Share, until: Timestamp) -> String {
    let system = share.lane.system_name();
    let stated = bars.filter(|why| matches!(why, Why::Stated(_))).and_then(|why| why.says(system));
    stated.unwrap_or_else(|| {
        format!("waits until {until} for its turn at `{system}`, where many calls stand before it")
    })
}
