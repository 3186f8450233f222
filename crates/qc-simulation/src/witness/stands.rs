//! How a run says that it stands, and whether that is so.

use qc_store::{DeadState, LiveCause, RunState, RunStatus};
use qc_workflow::Outcome;

use super::{Run, Witness, commit::Look};
use crate::Invariant;

/// The longest pause before a call whose credential is refused is tried again, in milliseconds.
const PROBE_WITHIN: u64 = 15 * 60 * 1_000;

/// Whether a run is left alone because it was taken up before too many ends of the process.
pub(crate) fn is_quarantined(state: &RunState) -> bool {
    state.cause == LiveCause::Parked
        && state.wake_at.is_none()
        && state
            .summary
            .as_deref()
            .is_some_and(|said| said.starts_with("QC-R003: the run was taken"))
}

impl Witness {
    /// A run that is not at its end has one live cause, which is true; one that failed has its
    /// dead letter.
    pub(super) fn check_standing(&self, seen: &mut Run, look: &Look<'_>) {
        let run = seen.facts.id;
        let state = &look.head.state;
        let told = match seen.machine().outcome() {
            Some(Outcome::Completed { .. }) => Some(RunStatus::Completed),
            Some(Outcome::Faulted { .. }) => Some(RunStatus::Faulted),
            Some(Outcome::Cancelled { .. }) => Some(RunStatus::Cancelled),
            None => None,
        };
        let stated = state.status.is_terminal().then_some(state.status);
        if told != stated {
            self.broken(
                Invariant::LiveCause,
                format_args!("{run} is {:?}, and its journal says {told:?}", state.status),
            );
        }
        if told.is_some() {
            seen.parked.clear();
            seen.open.clear();
            seen.in_line = false;
        }
        if let Some(why) = Self::untrue(seen, look) {
            self.broken(Invariant::LiveCause, format_args!("{run}: {why}; {state:?}"));
        }
        let letter = look.dead.as_ref().map(|letter| letter.state);
        let right = match state.status {
            RunStatus::Faulted => matches!(letter, Some(DeadState::Open | DeadState::Discarded)),
            _ => letter.is_none_or(|state| state != DeadState::Open),
        };
        if !right {
            self.broken(
                Invariant::DeadLettersAreComplete,
                format_args!("{run} is {:?}, its dead letter {letter:?}", state.status),
            );
        }
    }

    /// What is not true about the stated cause.
    fn untrue(seen: &Run, look: &Look<'_>) -> Option<&'static str> {
        let state = &look.head.state;
        let wanted = seen.machine().outstanding();
        let busy = wanted
            .iter()
            .any(|call| !seen.parked.contains_key(&call.id) && !seen.tasks.asks(&call.id));
        let idle_parked = wanted.iter().any(|call| seen.parked.contains_key(&call.id));
        let timer = seen.machine().next_wake().into_iter().chain(seen.tasks.next_at()).min();
        let children = seen.machine().children();
        let errands = children.iter().any(|child| child.run.is_none() || child.cut);
        let delegates = !children.is_empty();
        let listens = !seen.machine().subscriptions().is_empty();
        if is_quarantined(state) {
            // Whatever it has to do waits for a person.
            return None;
        }
        let missed = timer.is_some_and(|at| state.wake_at.is_none_or(|wake| wake > at));
        match (state.cause, state.status) {
            (LiveCause::Ended, status) if status.is_terminal() => {
                state.wake_at.is_some().then_some("it is at its end and wakes")
            }
            _ if missed => Some("a timer is armed, and it does not wake for it"),
            (LiveCause::Activity, RunStatus::Running) => {
                // A parked call that tries again may wait for its turn at the gate: its intent is not journaled before.
                let quiet = !busy && !idle_parked && !listens && !delegates;
                quiet.then_some("nothing of it is under way")
            }
            (_, RunStatus::Running | RunStatus::Waiting | RunStatus::Parked) if busy => {
                Some("a call is to be made, and it does not say so")
            }
            (LiveCause::Person, RunStatus::Waiting)
                if !errands && seen.tasks.is_asking() && !idle_parked =>
            {
                (timer != state.wake_at).then_some("it does not wake for its tasks")
            }
            _ if seen.tasks.is_asking() && !idle_parked => {
                Some("a person is asked, and it does not say so")
            }
            (_, RunStatus::Running | RunStatus::Waiting | RunStatus::Parked) if errands => {
                Some("a child is to be seen to, and it does not say so")
            }
            (LiveCause::Child, RunStatus::Waiting) if delegates && !idle_parked => {
                (timer != state.wake_at).then_some("it waits for a child, and not for its timers")
            }
            _ if delegates && !idle_parked => Some("it waits for a child, and does not say so"),
            (LiveCause::Event, RunStatus::Waiting) if listens && !idle_parked => {
                (timer != state.wake_at).then_some("it listens, and does not wake for its timers")
            }
            (LiveCause::Timer, RunStatus::Waiting) if !listens => {
                (timer.is_none() || timer != state.wake_at).then_some("no timer is armed for then")
            }
            (LiveCause::Parked, RunStatus::Parked) if idle_parked => {
                let probed = seen.parked.values().any(|one| one.class == qc_model::Class::Auth);
                let soon = state.wake_at.is_some_and(|at| {
                    at.since(state.updated_at).as_millis() <= u128::from(PROBE_WITHIN)
                });
                (probed && !soon).then_some("a refused credential is not looked at again")
            }
            _ => Some("it has no such cause"),
        }
    }
}
