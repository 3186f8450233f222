//! Events that are published for those who listen: some come twice, and some out of order.

use qc_store::{LiveCause, RunHead};
use serde_json::json;

use crate::{
    Invariant,
    story::Story,
    workflows::{EVENTS, NUMBERS},
};

/// So many events, one after the other, are one of every type with every number.
const ALL: u64 = EVENTS.len() as u64 * NUMBERS;

impl Story {
    /// Publishes an event, now and then one that was published before.
    pub(crate) fn publish(&mut self) {
        let again = self.published > 0 && self.dice.percent(30);
        let nth = if again { self.dice.below(self.published) } else { self.published };
        self.published = self.published.max(nth + 1);
        self.publish_nth(nth);
    }

    /// When somebody waits for events: publishes one of each.
    pub(crate) fn publish_for(&mut self, open: &[RunHead]) {
        if open.iter().any(|head| head.state.cause == LiveCause::Event) {
            let first = self.published.div_ceil(ALL) * ALL;
            self.published = first + ALL;
            (first..first + ALL).for_each(|nth| self.publish_nth(nth));
        }
    }

    fn publish_nth(&self, nth: u64) {
        let (kind, n) = (EVENTS[usize::from(nth % 2 == 1)], nth / 2 % NUMBERS);
        let id = format!("e{nth}");
        self.tell(format_args!("{id} is published: {kind} {n}"));
        let (sender, record) = (self.world.sender(), self.record.clone());
        let witness = self.witness.clone();
        tokio::spawn(async move {
            let answer = sender.publish(&id, kind, json!({ "n": n })).await;
            record.tell(format_args!("{id} is answered: {answer:?}"));
            if answer.is_ok() && !witness.is_published(&id) {
                let what = format_args!("{id} was acknowledged and is not there");
                record.broken(Invariant::AcceptedIsKept, what);
            }
        });
    }
}
