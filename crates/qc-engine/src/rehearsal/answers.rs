//! The virtual other end: what is asked now is matched with what was asked then, and gets the answer of then.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use qc_workflow::{CallId, Happening, Program};

use super::{
    deed::{Deed, names_of},
    past::{Ask, Attempt, Past},
};

/// Who answers.
pub(super) struct Answers<'p> {
    past: &'p Past,
    used: BTreeSet<usize>,
    /// What stands for what, of those that are asked again and again.
    matched: HashMap<CallId, Matched>,
    /// The same the other way round, for what came without being asked for.
    moved: BTreeMap<CallId, CallId>,
    /// The places of the program that is played: what was asked from one of them waits for that place.
    places: BTreeSet<String>,
}

#[derive(Debug, Clone, Copy)]
struct Matched {
    ask: usize,
    attempts: usize,
    again: bool,
}

/// What was found.
pub(super) enum Found<'p> {
    /// This attempt of this ask of then.
    Attempt { ask: usize, attempt: &'p Attempt },
    /// It was asked once then; the same answer stands for the harmless repetition.
    Again { attempt: &'p Attempt },
    /// Nobody ever said anything to that.
    Nothing,
}

impl<'p> Answers<'p> {
    pub(super) fn new(past: &'p Past, program: &Program) -> Self {
        let places = program.tasks().map(|task| names_of(&task.pointer)).collect();
        Self {
            past,
            used: BTreeSet::new(),
            matched: HashMap::new(),
            moved: BTreeMap::new(),
            places,
        }
    }

    /// The answer to one attempt. The first attempt of an id chooses what it stands for.
    pub(super) fn find(&mut self, deed: &Deed, id: &CallId) -> Found<'p> {
        if let Some(matched) = self.matched.get_mut(id) {
            matched.attempts += 1;
            let Matched { ask, attempts, again } = *matched;
            let found = self.past.asks[ask].attempts.get(attempts);
            return match found {
                Some(attempt) if again => Found::Again { attempt },
                Some(attempt) => Found::Attempt { ask, attempt },
                None => Found::Nothing,
            };
        }
        if let Some(ask) = self.choose(deed) {
            self.used.insert(ask);
            let asked = &self.past.asks[ask];
            self.matched.insert(id.clone(), Matched { ask, attempts: 0, again: false });
            self.moved.insert(asked.id.clone(), id.clone());
            return match asked.attempts.first() {
                Some(attempt) => Found::Attempt { ask, attempt },
                None => Found::Nothing,
            };
        }
        let repeated = deed.harmless.then(|| self.repeated(deed)).flatten();
        let Some((ask, attempts)) = repeated else { return Found::Nothing };
        self.matched.insert(id.clone(), Matched { ask, attempts, again: true });
        Found::Again { attempt: &self.past.asks[ask].attempts[attempts] }
    }

    /// What an event that goes out stands for.
    pub(super) fn event(&mut self, deed: &Deed) -> Option<usize> {
        let ask = self.choose(deed)?;
        self.used.insert(ask);
        Some(ask)
    }

    /// The id that stands for one of then.
    pub(super) fn now(&self, then: &CallId) -> CallId {
        self.moved.get(then).unwrap_or(then).clone()
    }

    /// The same request at the same place; else the same request; else the same place; else the next in order that no
    /// other place waits for.
    fn choose(&self, deed: &Deed) -> Option<usize> {
        let free = || {
            let all = self.past.asks.iter().enumerate();
            all.filter(|(index, ask)| !self.used.contains(index) && ask.deed.label == deed.label)
        };
        let same = |ask: &Ask| ask.deed.document == deed.document;
        let here = |ask: &Ask| ask.deed.place == deed.place;
        free()
            .find(|(_, ask)| same(ask) && here(ask))
            .or_else(|| free().find(|(_, ask)| same(ask)))
            .or_else(|| free().find(|(_, ask)| here(ask)))
            .or_else(|| free().find(|(_, ask)| !self.places.contains(&names_of(&ask.id.pointer))))
            .map(|(index, _)| index)
    }

    /// The same request that was answered before.
    fn repeated(&self, deed: &Deed) -> Option<(usize, usize)> {
        let same = |ask: &Ask| {
            let attempt = ask.attempts.iter().position(|attempt| {
                let mut answers = attempt.answers.iter();
                answers.any(|(_, said)| matches!(said.happening, Happening::CallSucceeded { .. }))
            });
            attempt.filter(|_| ask.deed.label == deed.label && ask.deed.document == deed.document)
        };
        let mut asks = self.past.asks.iter().enumerate();
        asks.find_map(|(index, ask)| Some((index, same(ask)?)))
    }
}
