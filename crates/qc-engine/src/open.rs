//! How many runs are open, by what limits count them.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use qc_limit::Scope;
use qc_model::{EnvironmentName, Name, RunId, TenantName};
use qc_store::RunFacts;

use crate::{Engine, admission::on_all_nodes, engine::Shared};

/// What open runs are counted by: an integration, or one tenant or trigger of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OpenAt {
    environment: EnvironmentName,
    integration: Name,
    of: Of,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Of {
    Integration,
    Tenant(TenantName),
    Trigger(Name),
}

impl OpenAt {
    /// What a limit of this scope counts for an event; None: it counts no open runs.
    pub fn of(
        scope: Scope,
        (environment, integration): (&EnvironmentName, &Name),
        (trigger, tenant): (&Name, &TenantName),
    ) -> Option<Self> {
        let of = match scope {
            Scope::Integration => Of::Integration,
            Scope::Tenant => Of::Tenant(tenant.clone()),
            Scope::Trigger => Of::Trigger(trigger.clone()),
            Scope::Gateway | Scope::Token => return None,
        };
        Some(Self { environment: environment.clone(), integration: integration.clone(), of })
    }

    fn all(facts: &RunFacts) -> [Self; 3] {
        let place = (&facts.environment, &facts.integration);
        let of = (&facts.trigger, &facts.tenant);
        [Scope::Integration, Scope::Tenant, Scope::Trigger]
            .map(|scope| Self::of(scope, place, of).expect("these count open runs"))
    }
}

type Numbers = HashMap<OpenAt, usize>;

/// Counted runs, and places that are taken for runs which are about to be written.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    open: Numbers,
    taken: Numbers,
    round: Option<Round>,
}

/// A round that counts all open runs anew, while others come and end. The ids live as long as the round.
#[derive(Debug, Default)]
struct Round {
    open: Numbers,
    counted: HashSet<RunId>,
    ended: HashSet<RunId>,
}

impl Round {
    fn count(&mut self, facts: &RunFacts) {
        // One that came in the round may be seen by it, too; one that ended may still be on the page that was read.
        if !self.ended.contains(&facts.id) && self.counted.insert(facts.id) {
            more(&mut self.open, facts);
        }
    }
}

impl Counts {
    /// A run is open from now on.
    pub(crate) fn opened(&mut self, facts: &RunFacts) {
        more(&mut self.open, facts);
        if let Some(round) = &mut self.round {
            round.count(facts);
        }
    }

    /// One is at its end.
    pub(crate) fn ended(&mut self, facts: &RunFacts) {
        let all = OpenAt::all(facts);
        for at in &all {
            less(&mut self.open, at, 1);
        }
        if let Some(round) = &mut self.round {
            if round.counted.remove(&facts.id) {
                for at in &all {
                    less(&mut round.open, at, 1);
                }
            }
            round.ended.insert(facts.id);
        }
    }

    pub(crate) fn round_begins(&mut self) {
        self.round = Some(Round::default());
    }

    /// The round has seen this run.
    pub(crate) fn seen(&mut self, facts: &RunFacts) {
        if let Some(round) = &mut self.round {
            round.count(facts);
        }
    }

    /// What the round counted takes the place of what was known.
    pub(crate) fn round_ends(&mut self) {
        if let Some(round) = self.round.take() {
            self.open = round.open;
        }
    }

    fn count(&self, at: &OpenAt, groups: usize) -> usize {
        let of = |map: &Numbers| map.get(at).copied().unwrap_or(0);
        on_all_nodes(of(&self.open), groups) + of(&self.taken)
    }
}

fn more(numbers: &mut Numbers, facts: &RunFacts) {
    for at in OpenAt::all(facts) {
        *numbers.entry(at).or_default() += 1;
    }
}

fn less(map: &mut Numbers, at: &OpenAt, by: usize) {
    if let Some(count) = map.get_mut(at) {
        *count = count.saturating_sub(by);
        if *count == 0 {
            map.remove(at);
        }
    }
}

/// Places for runs that are about to be written. They are free again when this goes: by then the runs count themselves.
pub struct OpenPlaces {
    shared: Arc<Shared>,
    places: Vec<OpenAt>,
    runs: usize,
}

impl Drop for OpenPlaces {
    fn drop(&mut self) {
        let mut open = self.shared.admission.open();
        for at in &self.places {
            less(&mut open.counts.taken, at, self.runs);
        }
    }
}

impl Engine {
    /// Takes places for so many runs under every one of these limits, or under none: then it says which of them has no
    /// room. Runs of other nodes count by estimate.
    pub fn take_places(&self, limits: &[(OpenAt, u64)], runs: usize) -> Result<OpenPlaces, usize> {
        let shared = &self.shared;
        let groups = shared.leases.count();
        let mut open = shared.admission.open();
        for (index, (at, most)) in limits.iter().enumerate() {
            let most = usize::try_from(*most).unwrap_or(usize::MAX);
            if open.counts.count(at, groups).saturating_add(runs) > most {
                return Err(index);
            }
        }
        let places: Vec<OpenAt> = limits.iter().map(|(at, _)| at.clone()).collect();
        for at in &places {
            *open.counts.taken.entry(at.clone()).or_default() += runs;
        }
        Ok(OpenPlaces { shared: Arc::clone(shared), places, runs })
    }

    /// How many runs are open there.
    pub fn open_runs(&self, at: &OpenAt) -> usize {
        let open = self.shared.admission.open();
        open.counts.count(at, self.shared.leases.count())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use qc_model::{EventId, Timestamp};
    use qc_store::Priority;

    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    pub(crate) fn run(id: u128) -> RunFacts {
        RunFacts {
            id: RunId::from_bits(id),
            bucket: 0,
            tenant: name("acme"),
            environment: name("sandbox"),
            integration: name("orders"),
            trigger: name("placed"),
            release: String::new(),
            event: EventId::from_bits(id),
            subject: None,
            origin: RunId::from_bits(id),
            replay_of: None,
            accepted_at: Timestamp::from_millis(0),
            trace: None,
            priority: Priority::Normal,
        }
    }

    fn at(scope: Scope) -> OpenAt {
        let (environment, integration) = (name("sandbox"), name("orders"));
        OpenAt::of(scope, (&environment, &integration), (&name("placed"), &name("acme"))).unwrap()
    }

    #[test]
    fn runs_that_come_and_end_while_all_are_counted_are_counted_right() {
        let mut counts = Counts::default();
        let count = |counts: &Counts| {
            let numbers = [Scope::Integration, Scope::Tenant, Scope::Trigger]
                .map(|scope| counts.count(&at(scope), 0));
            assert!(numbers.iter().all(|number| *number == numbers[0]), "{numbers:?}");
            numbers[0]
        };
        (1..=5).for_each(|id| counts.opened(&run(id)));
        counts.ended(&run(1));
        assert_eq!(count(&counts), 4);
        counts.round_begins();
        counts.opened(&run(6));
        counts.opened(&run(7));
        counts.ended(&run(2));
        // The page was read before the second one ended, and holds one that came meanwhile. The third is not there any
        // more: another node ended it.
        for id in [2, 4, 5, 6] {
            counts.seen(&run(id));
        }
        counts.ended(&run(4));
        counts.ended(&run(7));
        counts.round_ends();
        assert_eq!(count(&counts), 2, "the fifth and the sixth");
        for id in [5, 6] {
            counts.ended(&run(id));
        }
        assert_eq!(count(&counts), 0);
        assert!(counts.open.is_empty(), "nothing stays behind");
    }
}
