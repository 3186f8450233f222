//! Requests as they arrive at the outside, and whether they may.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use qc_model::{RunId, Timestamp};

use super::{Known, Witness};
use crate::{
    Invariant,
    desk::{Class, Operation},
    effect::Effect,
};

/// What became of a request, as only the outside knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was taken, and the answer arrived, as far as the outside can tell.
    Answered,
    /// It was taken, and the sender does not know.
    AppliedUnknown,
    /// It took no effect, and the sender does not know.
    LostUnknown,
    /// It was turned away, and the sender knows.
    Refused,
}

/// A request that would change something.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// What the clock said, and how much time had really passed.
    pub(crate) at: Timestamp,
    pub(crate) since_start: Duration,
    pub(crate) operation: &'static Operation,
    pub(crate) effect: Effect,
    pub(crate) run: RunId,
    pub(crate) key: Option<String>,
    pub(crate) fate: Fate,
    /// It was recognised by its key as one that had been taken before.
    pub(crate) repeat: bool,
    /// Its credential was refused: it may be sent once more with another one.
    pub(crate) unauthorized: bool,
    /// Not again for so long.
    pub(crate) pause: Option<Duration>,
    /// Whether its sender was there to hear the answer.
    pub(crate) heard: Arc<AtomicBool>,
}

impl Request {
    pub(crate) fn took_effect(&self) -> bool {
        matches!(self.fate, Fate::Answered | Fate::AppliedUnknown)
    }

    /// Whether its sender cannot know that it took no effect.
    pub(crate) fn is_open(&self) -> bool {
        self.fate != Fate::Refused || !self.heard.load(Ordering::Relaxed)
    }

    fn task(&self) -> &str {
        self.effect.name.split('/').next().unwrap_or_default()
    }
}

impl Witness {
    /// The first run of a run's replay chain. None: there is no such run.
    pub(crate) fn origin(&self, run: RunId) -> Option<RunId> {
        self.known().runs.get(&run).map(|seen| seen.facts.origin)
    }

    /// Whether an effect took place.
    pub(crate) fn took_place(&self, effect: &Effect) -> bool {
        let known = self.known();
        known.effects.get(effect).is_some_and(|seen| seen.requests.iter().any(Request::took_effect))
    }

    /// A request has arrived.
    pub(crate) fn arrived(&self, request: Request) {
        self.record.tell(format_args!(
            "arrived: {} {} {:?}{} key {:?}",
            request.operation.name,
            request.effect,
            request.fate,
            if request.repeat { " (repeat)" } else { "" },
            request.key
        ));
        let mut known = self.known();
        self.check_intent(&known, &request);
        self.check_answered(&known, &request);
        self.check_once(&known, &request);
        self.check_pause(&known, &request);
        known.effects.entry(request.effect.clone()).or_default().requests.push(request);
    }

    fn before<'a>(known: &'a Known, request: &Request) -> &'a [Request] {
        known.effects.get(&request.effect).map_or(&[], |seen| &seen.requests)
    }

    fn check_intent(&self, known: &Known, request: &Request) {
        let intents = known
            .runs
            .get(&request.run)
            .and_then(|seen| seen.intents.get(&request.effect.name))
            .copied()
            .unwrap_or(0);
        let sent = Self::before(known, request)
            .iter()
            .filter(|one| one.run == request.run && !one.unauthorized)
            .count();
        if sent >= intents {
            self.broken(
                Invariant::IntentBeforeSend,
                format_args!(
                    "{} was sent {} times by {} with {intents} intents",
                    request.effect,
                    sent + 1,
                    request.run
                ),
            );
        }
    }

    /// What a journal holds the answer of is not sent again, unless it is idempotent and its block
    /// is tried again or its run replayed.
    fn check_answered(&self, known: &Known, request: &Request) {
        let again = if request.operation.class == Class::Idempotent {
            let of_run = known.runs.get(&request.run);
            !request.task().starts_with('r')
                && of_run.is_some_and(|seen| seen.answered.contains(&request.effect.name))
        } else {
            known.effects.get(&request.effect).is_some_and(|seen| seen.answered)
        };
        if again {
            self.broken(
                Invariant::NoRepeatAfterAnswer,
                format_args!("{} was sent again after its answer", request.effect),
            );
        }
    }

    fn check_once(&self, known: &Known, request: &Request) {
        let before = Self::before(known, request);
        let class = request.operation.class;
        let effect = &request.effect;
        let took_place = before.iter().filter(|one| one.took_effect() && !one.repeat).count()
            + usize::from(request.took_effect() && !request.repeat);
        if class != Class::Idempotent && took_place > 1 {
            self.broken(
                Invariant::EffectOnce,
                format_args!("{effect} ({class:?}) took place {took_place} times: {before:#?}"),
            );
        }
        let decided_at = known.effects.get(effect).map_or(0, |seen| seen.decided_at);
        let open = before.iter().skip(decided_at).any(|one| one.fate != Fate::Refused);
        if class == Class::Once && open {
            self.broken(
                Invariant::EffectOnce,
                format_args!("{effect} (Once) was sent again, and nobody had decided: {before:#?}"),
            );
        }
        let keyed = matches!(class, Class::Keyed | Class::KeyedThenOnce | Class::KeyedThenVerify);
        let other = before.iter().find(|one| one.key != request.key);
        if keyed && (request.key.is_none() || other.is_some()) {
            self.broken(
                Invariant::KeyIsStable,
                format_args!("{effect} came under {:?}, before {other:?}", request.key),
            );
        }
    }

    /// A stated pause is kept once a journal has taken in the answer that states it, unless a person
    /// touched the run, the clock was set, or the block around the call is tried again for another
    /// reason. An answer that ended with its process, or with its lease, nobody knows.
    fn check_pause(&self, known: &Known, request: &Request) {
        let before = Self::before(known, request);
        let Some(last) = before.last() else { return };
        let Some(pause) = last.pause else { return };
        let noted = known.effects.get(&request.effect).map_or(0, |seen| seen.failed_at);
        let excused = noted < before.len()
            || last.run != request.run
            || known.touched.contains(&request.run)
            || request.task().starts_with('r')
            || known.jumps.iter().any(|at| *at >= last.since_start);
        let kept = request.at.since(last.at) >= pause
            || request.since_start.saturating_sub(last.since_start) >= pause;
        if !excused && !kept {
            self.broken(
                Invariant::StatedPauseIsKept,
                format_args!("{} was to pause {pause:?}: {last:?} {request:?}", request.effect),
            );
        }
    }
}
