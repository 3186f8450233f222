use std::collections::BTreeSet;

use qc_model::{EnvironmentName, Name, RunId};

use super::{
    reads::is_or_any,
    state::{Place, State},
};
use crate::{Counted, DeadLetter, DeadState, Held, PAGE_MAX, RunStatus, Tally};

impl State {
    pub(super) fn put_letter(&mut self, letter: DeadLetter) {
        if letter.state == DeadState::Open {
            self.counted.entry(Place::of_letter(&letter)).or_default().dead_made += 1;
        }
        if let Some(before) = self.dead.insert(letter.run, letter)
            && before.state == DeadState::Open
        {
            self.counted.entry(Place::of_letter(&before)).or_default().dead_settled += 1;
        }
    }

    pub(super) fn settle_letter(&mut self, run: RunId, state: DeadState) {
        let Some(letter) = self.dead.get_mut(&run) else { return };
        let before = std::mem::replace(&mut letter.state, state);
        let counted = self.counted.entry(Place::of_letter(letter)).or_default();
        match (before == DeadState::Open, state == DeadState::Open) {
            (true, false) => counted.dead_settled += 1,
            (false, true) => counted.dead_made += 1,
            _ => {}
        }
    }

    pub(super) fn tally(
        &self,
        environment: Option<&EnvironmentName>,
        integration: Option<&Name>,
    ) -> Tally {
        let wanted = |place: &Place| {
            is_or_any(environment, Some(&place.environment))
                && is_or_any(integration, Some(&place.integration))
        };
        let mut counted = Counted::default();
        for (_, some) in self.counted.iter().filter(|(place, _)| wanted(place)) {
            counted.accepted += some.accepted;
            counted.replays += some.replays;
            counted.ended.add_all(&some.ended);
            counted.reopened.add_all(&some.reopened);
            counted.pruned.add_all(&some.pruned);
            counted.dead_made += some.dead_made;
            counted.dead_settled += some.dead_settled;
        }
        let mut held = Held::default();
        for head in self.runs.values().map(|run| &run.head) {
            if wanted(&Place::of_run(&head.facts)) {
                match head.state.status {
                    RunStatus::Running => held.running += 1,
                    RunStatus::Waiting => held.waiting += 1,
                    RunStatus::Parked => held.parked += 1,
                    ended => held.ended.add(ended),
                }
            }
        }
        for letter in self.dead.values() {
            let open = letter.state == DeadState::Open && wanted(&Place::of_letter(letter));
            held.dead_open += u64::from(open);
        }
        Tally { counted, held }
    }

    pub(super) fn tally_places(
        &self,
        after: Option<&(EnvironmentName, Name)>,
    ) -> Vec<(EnvironmentName, Name)> {
        let there = self.runs.values().map(|run| Place::of_run(&run.head.facts));
        let letters = self.dead.values().map(Place::of_letter);
        let places: BTreeSet<(EnvironmentName, Name)> = there
            .chain(letters)
            .chain(self.counted.keys().cloned())
            .map(|place| (place.environment, place.integration))
            .filter(|place| after.is_none_or(|after| place > after))
            .collect();
        places.into_iter().take(PAGE_MAX).collect()
    }
}
