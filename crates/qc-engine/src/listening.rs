//! What a run waits for in the store, and what came in before it waited.
//!
//! A run's waits are written with the step that makes it wait. The events that came in since the run began are offered
//! before that step is written, and once more after it for those that came in between. From then on whoever follows the
//! signals wakes it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use qc_store::{Op, SignalFilter, StoreError, TEXT_BYTES_MAX, Wait};
use qc_workflow::{FilterIndex, Happening as Told, ListenId, Machine};
use serde_json::Value;

use crate::{
    bus::{self, bounded},
    draft::Draft,
    engine::Shared,
    run::ActiveRun,
};

/// The site at which runs wait for the ends of other runs.
pub(crate) const RUN_SITE: &str = "run";

/// How many signals one look at what came in before brings.
const PAGE: usize = 200;
/// How many events one step takes at most; the next step takes the others.
const TAKEN_MAX: usize = 500;

/// What a run has heard of what came in before it listened.
#[derive(Debug, Default)]
pub(crate) struct Hearing {
    /// Listens to which it is still to be offered.
    unheard: BTreeSet<ListenId>,
    /// What came in could not be offered when it was tried last.
    behind: bool,
    /// Up to which place it was offered, for each listen as it was begun.
    heard: HashMap<ListenId, (u64, u64)>,
    /// The waits that the run has in the store.
    pub(crate) waits: BTreeMap<String, Wait>,
}

impl Hearing {
    /// A listen begins to wait, or waits for something else.
    pub(crate) fn listens(&mut self, id: ListenId) {
        self.unheard.insert(id);
    }

    /// A listen waits no more.
    pub(crate) fn stops(&mut self, id: &ListenId) {
        self.unheard.remove(id);
    }

    /// All listens are to be offered what came in before: nobody knows what they were offered.
    pub(crate) fn anew(&mut self, machine: &Machine) {
        self.unheard = machine.subscriptions().into_iter().map(|one| one.id).collect();
    }

    /// Whether something is to be offered.
    pub(crate) fn is_due(&self) -> bool {
        !self.unheard.is_empty()
    }

    /// What came in was offered, or could not be.
    pub(crate) fn was_offered(&mut self, all: bool) {
        self.behind = !all;
    }

    /// Whether something is to be offered that could not be: that is still to be done, so the run does not only wait.
    pub(crate) fn is_behind(&self) -> bool {
        self.behind && self.is_due()
    }
}

impl ActiveRun {
    /// The waits that the run needs as it stands.
    fn needed_waits(&self, draft: &Draft) -> BTreeMap<String, Wait> {
        if draft.end.is_some() || self.end.is_some() {
            return BTreeMap::new();
        }
        let scope = bus::scope_of(&self.context.facts.tenant, &self.context.facts.environment);
        let mut waits = BTreeMap::new();
        for subscription in self.machine().subscriptions() {
            for (at, filter) in subscription.filters.iter().enumerate() {
                let id = bounded(&format!("{}#{at}", subscription.id));
                waits.insert(id.clone(), wait_of(id, scope.clone(), filter));
            }
        }
        for child in self.machine().children() {
            let Some(run) = child.run else { continue };
            let id = bounded(&format!("child {}", child.request.id));
            let (scope, kind) = (bus::RUNS.to_owned(), bus::RUN_ENDED.to_owned());
            waits.insert(id.clone(), Wait { id, scope, kind, site: RUN_SITE.to_owned(), key: run });
        }
        waits
    }

    /// How the waits in the store have to change, and what they are then.
    pub(crate) fn wait_changes(&self, draft: &Draft) -> (Vec<Op>, BTreeMap<String, Wait>) {
        let needed = self.needed_waits(draft);
        // The step that ends a run takes all its waits with it.
        if draft.end.is_some() {
            return (Vec::new(), needed);
        }
        let had = &self.hearing.waits;
        let gone = had.keys().filter(|id| !needed.contains_key(*id));
        let mut ops: Vec<Op> = gone.map(|id| Op::Unwait(id.clone())).collect();
        let new = needed.values().filter(|wait| had.get(&wait.id) != Some(wait));
        ops.extend(new.cloned().map(Op::Wait));
        (ops, needed)
    }

    /// Offers an event to every listen that waits now. How many took it.
    pub(crate) fn offer(&mut self, event: &Value, entropy: u64, draft: &mut Draft) -> usize {
        let mut taken = 0;
        for listen in self.machine().subscriptions() {
            if draft.end.is_none() && self.machine().wants(&listen.id, event) {
                self.take_event(listen.id, event, entropy, draft);
                taken += 1;
            }
        }
        taken
    }

    fn take_event(&mut self, listen: ListenId, event: &Value, entropy: u64, draft: &mut Draft) {
        self.tell(Told::EventReceived { listen, event: event.clone() }, entropy, draft);
    }

    /// Offers what came in since the run began to those who listen anew. Answers those that were offered everything and
    /// still wait: what comes in until their waits are written is to be offered, too.
    pub(crate) async fn hear(
        &mut self,
        shared: &Shared,
        draft: &mut Draft,
    ) -> Result<BTreeSet<ListenId>, StoreError> {
        let mut offered = BTreeSet::new();
        let mut taken = 0;
        while let Some(listen) = self.hearing.unheard.pop_first() {
            if taken >= TAKEN_MAX || draft.end.is_some() {
                offered.insert(listen);
                continue;
            }
            match self.hear_one(shared, &listen, &mut taken, draft).await {
                Ok(true) => drop(offered.insert(listen)),
                Ok(false) => {}
                Err(error) => {
                    self.hearing.unheard.insert(listen);
                    self.hearing.unheard.append(&mut offered);
                    return Err(error);
                }
            }
        }
        Ok(offered)
    }

    /// They are to be offered more.
    pub(crate) fn hear_again(&mut self, listens: BTreeSet<ListenId>) {
        self.hearing.unheard.extend(listens);
    }

    /// Whether the listen still waits after it was offered everything.
    async fn hear_one(
        &mut self,
        shared: &Shared,
        listen: &ListenId,
        taken: &mut usize,
        draft: &mut Draft,
    ) -> Result<bool, StoreError> {
        loop {
            let Some(opened) = self.machine().listen_opened(listen) else { return Ok(false) };
            let subscriptions = self.machine().subscriptions();
            let Some(wanted) = subscriptions.iter().find(|one| one.id == *listen) else {
                return Ok(false);
            };
            let known = self.hearing.heard.get(listen).filter(|(begun, _)| *begun == opened);
            let filter = SignalFilter {
                scope: Some(bus::scope_of(
                    &self.context.facts.tenant,
                    &self.context.facts.environment,
                )),
                kind: only_kind(&wanted.filters),
                since: Some(self.context.facts.accepted_at),
                after: known.map_or(0, |(_, seq)| *seq),
                limit: PAGE,
            };
            let page = shared.store.signals(&filter).await?;
            let last = page.len() < PAGE;
            for entry in page {
                if self.machine().listen_opened(listen) != Some(opened) {
                    // It was heard out, or is at work on what it took.
                    return Ok(false);
                }
                if let Ok(bus::Told::Event(published)) = bus::decode(&entry.signal)
                    && self.machine().wants(listen, &published.event)
                {
                    let entropy = shared.entropy.next_u64();
                    self.take_event(listen.clone(), &published.event, entropy, draft);
                    *taken += 1;
                }
                self.hearing.heard.insert(listen.clone(), (opened, entry.seq));
                if *taken >= TAKEN_MAX {
                    return Ok(true);
                }
            }
            if last {
                return Ok(self.machine().listen_opened(listen) == Some(opened));
            }
        }
    }
}

/// The one kind of events that all filters take; None when they take several.
fn only_kind(filters: &[FilterIndex]) -> Option<String> {
    let first = filters.first()?.event_type.as_ref()?;
    filters.iter().all(|filter| filter.event_type.as_ref() == Some(first)).then(|| bounded(first))
}

fn wait_of(id: String, scope: String, filter: &FilterIndex) -> Wait {
    let kind = filter.event_type.as_deref().map(bounded).unwrap_or_default();
    // A site is read again from its text. One that is too long for an index is waited for like one without: more events
    // are looked at, and none is missed.
    let (site, key) = if filter.site.len() > TEXT_BYTES_MAX {
        (String::new(), String::new())
    } else {
        (filter.site.clone(), bounded(&filter.key))
    };
    Wait { id, scope, kind, site, key }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(kind: Option<&str>, site: &str, key: &str) -> FilterIndex {
        let event_type = kind.map(str::to_owned);
        FilterIndex { event_type, site: site.to_owned(), key: key.to_owned() }
    }

    #[test]
    fn a_wait_is_found_by_what_its_filter_knows() {
        let wait = |filter: &FilterIndex| wait_of("w".to_owned(), "t/e".to_owned(), filter);
        let known = wait(&filter(Some("paid"), "[\".subject\"]", "[\"7\"]"));
        assert_eq!(
            (&*known.kind, &*known.site, &*known.key),
            ("paid", "[\".subject\"]", "[\"7\"]")
        );
        let any = wait(&filter(None, "", ""));
        assert_eq!((&*any.kind, &*any.site, &*any.key), ("", "", ""));
        let long = format!("[\".{}\"]", "x".repeat(2_000));
        let long = wait(&filter(Some("paid"), &long, "[1]"));
        assert_eq!((&*long.site, &*long.key), ("", ""), "any event of the type is looked at");
        let key = wait(&filter(Some("paid"), "[\".a\"]", &"k".repeat(2_000)));
        assert!(key.key.starts_with("sha256:"));
    }

    #[test]
    fn only_what_all_filters_take_is_read() {
        let (a, b, any) =
            (filter(Some("a"), "", ""), filter(Some("b"), "", ""), filter(None, "", ""));
        assert_eq!(only_kind(&[a.clone(), a.clone()]).as_deref(), Some("a"));
        assert_eq!(only_kind(&[a.clone(), b]), None);
        assert_eq!(only_kind(&[a, any]), None);
    }
}
