//! For which systems runs are held here, in which order, and which of them is to try next. Pure:
//! whoever asks says what time it is.
//!
//! One run at a time tries whether its system is there again. Once it is, the others follow in the
//! order in which they were accepted: one, then two at a time, then four, as long as all goes well.
//! Nothing of this is stored. A run's head says that it is held, its journal says for what; who
//! takes it over loads it once and knows.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    time::Duration,
};

use qc_model::{EnvironmentName, Name, RunId, Timestamp};

/// The first pause before a system is tried again, and the longest.
const PROBE_FIRST: Duration = Duration::from_secs(15);
const PROBE_LAST: Duration = Duration::from_secs(5 * 60);

/// So many runs that were held try at once at most.
const WINDOW_MAX: usize = 32;

/// A system, as one integration sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GateName {
    pub(crate) environment: EnvironmentName,
    pub(crate) integration: Name,
    pub(crate) system: String,
}

/// The order in which runs are let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Order {
    pub(crate) accepted_at: Timestamp,
    pub(crate) run: RunId,
}

/// A run that is held, as it says itself.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    pub(crate) gate: GateName,
    /// When its last attempt failed.
    pub(crate) failed_at: Timestamp,
    /// Before that the other side wants no further one.
    pub(crate) not_before: Timestamp,
}

/// How a run is that was held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// Its system answered.
    Answered,
    /// It ended for another reason, or nobody knows.
    Otherwise,
}

/// All systems for which runs are held here.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    gates: BTreeMap<GateName, Gate>,
    /// Where each run waits.
    of: BTreeMap<RunId, BTreeSet<GateName>>,
}

#[derive(Debug)]
struct Gate {
    /// Who waits, and before when none of them is to try.
    held: BTreeMap<Order, Timestamp>,
    phase: Phase,
    /// How many wait on other nodes, as was seen last.
    elsewhere: usize,
}

#[derive(Debug)]
enum Phase {
    /// The system is not there.
    Away { probe_at: Timestamp, failures: u32 },
    /// One run tries.
    Probing { run: RunId, failures: u32, asked_at: Timestamp },
    /// It is there again.
    Back { since: Timestamp, window: usize, trying: BTreeMap<RunId, Timestamp> },
}

fn pause(failures: u32) -> Duration {
    PROBE_FIRST.saturating_mul(2u32.saturating_pow(failures.min(8))).min(PROBE_LAST)
}

impl Gate {
    fn new(stop: &Stop) -> Self {
        let probe_at = (stop.failed_at + PROBE_FIRST).max(stop.not_before);
        let phase = Phase::Away { probe_at, failures: 0 };
        Self { held: BTreeMap::new(), phase, elsewhere: 0 }
    }

    /// A run is held here, or again.
    fn stop(&mut self, order: Order, stop: &Stop, now: Timestamp) {
        let news = self.held.insert(order, stop.not_before).is_none();
        let failed = |failures: u32| {
            let probe_at = (now + pause(failures)).max(stop.not_before);
            Phase::Away { probe_at, failures }
        };
        match &self.phase {
            Phase::Probing { run, failures, .. } if *run == order.run => {
                self.phase = failed(failures.saturating_add(1));
            }
            Phase::Back { trying, since, .. }
                if trying.contains_key(&order.run) || news && stop.failed_at > *since =>
            {
                self.phase = failed(0);
            }
            Phase::Away { .. } | Phase::Probing { .. } | Phase::Back { .. } => {}
        }
    }

    /// A run is not held here any more.
    fn leave(&mut self, order: Order, left: Left, now: Timestamp) {
        self.held.remove(&order);
        match (&mut self.phase, left) {
            (Phase::Probing { run, .. }, Left::Answered) if *run == order.run => {
                self.phase = Phase::Back { since: now, window: 1, trying: BTreeMap::new() };
            }
            (Phase::Probing { run, failures, .. }, Left::Otherwise) if *run == order.run => {
                self.phase = Phase::Away { probe_at: now, failures: *failures };
            }
            (Phase::Back { window, trying, .. }, left) => {
                if trying.remove(&order.run).is_some() && left == Left::Answered {
                    *window = (*window * 2).min(WINDOW_MAX);
                }
            }
            // Whoever got through by itself shows that the others would, too.
            (Phase::Away { probe_at, .. }, Left::Answered) => *probe_at = now,
            (Phase::Away { .. } | Phase::Probing { .. }, _) => {}
        }
    }

    /// Who is to try now.
    fn due(&mut self, now: Timestamp, due: &mut Vec<RunId>) {
        match &mut self.phase {
            Phase::Away { probe_at, failures } if *probe_at <= now => {
                let first = self.held.iter().find(|(_, not_before)| **not_before <= now);
                let Some((order, _)) = first else { return };
                due.push(order.run);
                self.phase = Phase::Probing { run: order.run, failures: *failures, asked_at: now };
            }
            Phase::Back { window, trying, .. } => {
                for order in self.held.keys() {
                    if trying.len() >= *window {
                        break;
                    }
                    if let Entry::Vacant(place) = trying.entry(order.run) {
                        place.insert(now);
                        due.push(order.run);
                    }
                }
            }
            Phase::Away { .. } | Phase::Probing { .. } => {}
        }
    }

    fn next(&self) -> Option<Timestamp> {
        match &self.phase {
            Phase::Away { probe_at, .. } => {
                let earliest = self.held.values().min().copied()?;
                Some(earliest.max(*probe_at))
            }
            Phase::Probing { .. } | Phase::Back { .. } => None,
        }
    }

    fn trying(&self) -> Vec<(RunId, Timestamp)> {
        match &self.phase {
            Phase::Away { .. } => Vec::new(),
            Phase::Probing { run, asked_at, .. } => vec![(*run, *asked_at)],
            Phase::Back { trying, .. } => trying.iter().map(|(run, at)| (*run, *at)).collect(),
        }
    }
}

impl Gates {
    /// Whether it is known for what this run waits.
    pub(crate) fn knows(&self, run: RunId) -> bool {
        self.of.contains_key(&run)
    }

    /// A run says where it is held now; nowhere, when `stops` is empty. `left`: how it left those
    /// where it is held no longer.
    pub(crate) fn report(&mut self, order: Order, stops: &[Stop], left: Left, now: Timestamp) {
        let before = self.of.remove(&order.run).unwrap_or_default();
        for name in before {
            if !stops.iter().any(|stop| stop.gate == name)
                && let Some(gate) = self.gates.get_mut(&name)
            {
                gate.leave(order, left, now);
                if gate.held.is_empty() {
                    self.gates.remove(&name);
                }
            }
        }
        for stop in stops {
            let gate = self.gates.entry(stop.gate.clone()).or_insert_with(|| Gate::new(stop));
            gate.stop(order, stop, now);
            self.of.entry(order.run).or_default().insert(stop.gate.clone());
        }
    }

    /// A run is not this node's any more, or cannot be reached.
    pub(crate) fn forget(&mut self, run: RunId, now: Timestamp) {
        for name in self.of.remove(&run).unwrap_or_default() {
            let Some(gate) = self.gates.get_mut(&name) else { continue };
            let order = gate.held.keys().find(|order| order.run == run).copied();
            if let Some(order) = order {
                gate.leave(order, Left::Otherwise, now);
            }
            if gate.held.is_empty() {
                self.gates.remove(&name);
            }
        }
    }

    /// All runs that are held here.
    pub(crate) fn runs(&self) -> Vec<RunId> {
        self.of.keys().copied().collect()
    }

    /// The runs that are trying, each with its system, and since when.
    pub(crate) fn trying(&self) -> Vec<(GateName, RunId, Timestamp)> {
        let of = |(name, gate): (&GateName, &Gate)| {
            let runs = gate.trying().into_iter();
            let name = name.clone();
            runs.map(move |(run, at)| (name.clone(), run, at)).collect::<Vec<_>>()
        };
        self.gates.iter().flat_map(of).collect()
    }

    /// A run that was to try did not come to it: it is this system's turn again later.
    pub(crate) fn not_tried(&mut self, name: &GateName, run: RunId, now: Timestamp) {
        let Some(gate) = self.gates.get_mut(name) else { return };
        match &mut gate.phase {
            Phase::Probing { run: probing, failures, .. } if *probing == run => {
                let probe_at = now + PROBE_FIRST;
                gate.phase = Phase::Away { probe_at, failures: *failures };
            }
            Phase::Back { trying, .. } => {
                trying.remove(&run);
            }
            Phase::Away { .. } | Phase::Probing { .. } => {}
        }
    }

    /// Who is to try now, each with the system.
    pub(crate) fn due(&mut self, now: Timestamp) -> Vec<(GateName, RunId)> {
        let mut all = Vec::new();
        for (name, gate) in &mut self.gates {
            let mut due = Vec::new();
            gate.due(now, &mut due);
            all.extend(due.into_iter().map(|run| (name.clone(), run)));
        }
        all
    }

    /// When somebody is to try next.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.gates.values().filter_map(Gate::next).min()
    }

    /// How many runs wait for a system, on all nodes.
    pub(crate) fn waiting(&self, name: &GateName) -> usize {
        self.gates.get(name).map_or(0, |gate| gate.held.len() + gate.elsewhere)
    }

    /// The systems for which runs wait here.
    pub(crate) fn names(&self) -> Vec<GateName> {
        self.gates.keys().cloned().collect()
    }

    /// How many runs wait for a system on other nodes.
    pub(crate) fn seen_elsewhere(&mut self, name: &GateName, count: usize) {
        if let Some(gate) = self.gates.get_mut(name) {
            gate.elsewhere = count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000 + seconds * 1_000)
    }

    fn order(n: u64) -> Order {
        struct One(u64);
        impl qc_model::Entropy for One {
            fn next_u64(&self) -> u64 {
                self.0
            }
        }
        let accepted_at = at(i64::try_from(n).unwrap());
        Order { accepted_at, run: RunId::new(accepted_at, &One(n)) }
    }

    fn name() -> GateName {
        GateName {
            environment: EnvironmentName::new("production").unwrap(),
            integration: Name::new("test").unwrap(),
            system: "crm".to_owned(),
        }
    }

    fn stop(failed: i64) -> Vec<Stop> {
        vec![Stop { gate: name(), failed_at: at(failed), not_before: at(failed) }]
    }

    fn held(runs: u64) -> Gates {
        let mut gates = Gates::default();
        // They come in any order.
        for n in (1..=runs).rev() {
            gates.report(order(n), &stop(100), Left::Otherwise, at(100));
        }
        gates
    }

    fn due(gates: &mut Gates, now: i64) -> Vec<RunId> {
        gates.due(at(now)).into_iter().map(|(_, run)| run).collect()
    }

    #[test]
    fn the_first_of_all_tries_and_nobody_else_until_it_is_known() {
        let mut gates = held(5);
        assert_eq!(due(&mut gates, 114), []);
        assert_eq!(gates.next(), Some(at(115)));
        assert_eq!(due(&mut gates, 115), [order(1).run]);
        assert_eq!(due(&mut gates, 500), []);
        // It is held again: the pause is longer.
        gates.report(order(1), &stop(500), Left::Otherwise, at(500));
        assert_eq!(gates.next(), Some(at(530)));
        assert_eq!(due(&mut gates, 529), []);
        assert_eq!(due(&mut gates, 530), [order(1).run]);
    }

    #[test]
    fn the_others_follow_in_order_and_a_few_at_a_time() {
        let mut gates = held(6);
        let through = |gates: &mut Gates, n: u64| {
            gates.report(order(n), &[], Left::Answered, at(120));
        };
        assert_eq!(due(&mut gates, 115), [order(1).run]);
        through(&mut gates, 1);
        assert_eq!(due(&mut gates, 120), [order(2).run]);
        assert_eq!(due(&mut gates, 120), []);
        through(&mut gates, 2);
        assert_eq!(due(&mut gates, 120), [order(3).run, order(4).run]);
        // It goes away again: all wait, and one tries after the pause.
        gates.report(order(3), &stop(121), Left::Otherwise, at(121));
        assert_eq!(due(&mut gates, 122), []);
        through(&mut gates, 4);
        assert_eq!(due(&mut gates, 122), [order(3).run], "who came through shows the way");
        for n in [3, 5, 6] {
            through(&mut gates, n);
        }
        assert!(gates.names().is_empty() && gates.runs().is_empty());
    }

    #[test]
    fn a_run_that_is_gone_is_no_answer() {
        let mut gates = held(2);
        assert_eq!(due(&mut gates, 115), [order(1).run]);
        gates.report(order(1), &[], Left::Otherwise, at(116));
        assert_eq!(due(&mut gates, 116), [order(2).run], "the next one tries, alone");
        gates.not_tried(&name(), order(2).run, at(117));
        assert_eq!(due(&mut gates, 118), []);
        assert_eq!(due(&mut gates, 132), [order(2).run]);
        gates.forget(order(2).run, at(133));
        assert!(gates.names().is_empty());
    }

    #[test]
    fn a_pause_that_the_other_side_wants_is_kept() {
        let mut gates = Gates::default();
        let stop = Stop { gate: name(), failed_at: at(100), not_before: at(400) };
        gates.report(order(1), &[stop], Left::Otherwise, at(100));
        assert_eq!(gates.next(), Some(at(400)));
        assert_eq!(due(&mut gates, 399), []);
        assert_eq!(due(&mut gates, 400), [order(1).run]);
    }
}
