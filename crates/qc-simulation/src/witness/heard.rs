//! Events as they are published, and whether those who listen hear them: each one, once, and soon.

use std::time::Duration;

use qc_model::Timestamp;
use qc_store::{LiveCause, Signal};
use qc_workflow::ListenId;
use serde_json::Value;

use super::{Known, Run, Witness, entries::millis};
use crate::{Invariant, exercise::Exercise};

/// In the calm whoever listens has heard of an event within this.
const HEARD_WITHIN: Duration = Duration::from_secs(4 * 60);

/// In a full house each run that is woken takes as long as this: those who find no place look again
/// after ten seconds.
const IN_A_FULL_HOUSE: Duration = Duration::from_secs(12);

/// An event on the bus.
pub(super) struct Published {
    event: Value,
    /// When it came, by the clock.
    came: Timestamp,
    /// Since when it is there, by the time that had really passed.
    at: Duration,
}

/// An event is unique by its source and id.
fn name_of(event: &Value) -> (String, String) {
    let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    (text("source"), text("id"))
}

impl Witness {
    /// A write brought these signals; those that were known already are repeats.
    pub(super) fn published<'a>(
        &self,
        known: &mut Known,
        signals: impl IntoIterator<Item = &'a Signal>,
    ) {
        for signal in signals {
            let body: Value = serde_json::from_slice(&signal.body).unwrap_or_default();
            let event = &body["published"]["event"];
            if event.is_null() {
                continue;
            }
            let (name, at) = (name_of(event), self.clock.uptime());
            if known.events.contains_key(&name) {
                self.record.count(Exercise::EventRepeated);
            }
            known.events.entry(name).or_insert_with(|| Published {
                event: event.clone(),
                came: signal.at,
                at,
            });
        }
    }

    /// Whether an event is on the bus.
    pub(crate) fn is_published(&self, id: &str) -> bool {
        self.known().events.keys().any(|(_, known)| known == id)
    }

    /// A run is told of an event: one that was published, and for which it waits.
    pub(super) fn heard(&self, known: &Known, seen: &mut Run, listen: &ListenId, event: &Value) {
        let run = seen.facts.id;
        let Some(published) = known.events.get(&name_of(event)).filter(|one| one.event == *event)
        else {
            return self.broken(
                Invariant::ResultIsTrue,
                format_args!("{run} was told of an event that nobody published: {event}"),
            );
        };
        // A listen that is begun anew by a `try` may hear again what it heard before.
        let begun = seen.machine().listen_opened(listen).unwrap_or_default();
        let again = !seen.heard.insert((listen.clone(), begun, name_of(event)));
        if again || !seen.machine().wants(listen, event) {
            return self.broken(
                Invariant::EventHeardOnce,
                format_args!("{run} was told at {listen} of what it does not wait for: {event}"),
            );
        }
        // A listen that begins in this very write hears what came before it.
        let waited = seen.listening.contains(&(listen.clone(), begun));
        if seen.cause != LiveCause::Event || !waited {
            return self.record.count(Exercise::EventHeardBefore);
        }
        self.record.count(Exercise::ListenerWoken);
        let by = published.at.max(seen.stood_at);
        let late = self.clock.uptime().saturating_sub(by);
        if late > known.at_once() && known.is_caught_up(by) {
            self.broken(
                Invariant::Punctual,
                format_args!("{run} was told of an event {} late", millis(late)),
            );
        }
    }

    /// Takes down which listens wait now.
    pub(super) fn note_listens(seen: &mut Run) {
        let listens = seen.machine().subscriptions().into_iter().map(|one| one.id);
        let begun = |id: &ListenId| seen.machine().listen_opened(id).unwrap_or_default();
        seen.listening = listens.map(|id| (id.clone(), begun(&id))).collect();
    }

    /// In the calm: nobody waits for what is there.
    pub(crate) fn check_heard(&self) {
        let known = self.known();
        let Some(calm) = known.calm_since else { return };
        let (now, calm) = (self.clock.uptime(), calm.max(known.leased_at));
        let runs = u32::try_from(known.runs.len()).unwrap_or(u32::MAX);
        let crowd = if known.is_roomy() { 0 } else { runs };
        let within = HEARD_WITHIN + IN_A_FULL_HOUSE.saturating_mul(crowd);
        let listening = known.runs.values().filter(|seen| seen.cause == LiveCause::Event);
        for seen in listening {
            let jumped = !known.jumps.is_empty();
            let missed = known.events.values().find(|published| {
                // What came before it waited counts from its acceptance on, by the clock.
                let meant = published.at > seen.stood_at
                    || published.came >= seen.facts.accepted_at && !jumped;
                let by = published.at.max(seen.stood_at).max(calm);
                let wanted = || {
                    let listens = seen.machine().subscriptions();
                    listens.iter().any(|one| seen.machine().wants(&one.id, &published.event))
                };
                meant && by + within < now && wanted()
            });
            if let Some(missed) = missed {
                self.broken(
                    Invariant::EventHeardOnce,
                    format_args!("{} waits, and was not told of {}", seen.facts.id, missed.event),
                );
            }
        }
    }
}
