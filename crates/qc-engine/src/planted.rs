//! Bugs on purpose: the simulation shows with them that it finds what it claims to find. None of
//! this is compiled but with the feature `planted-bugs`, which no release can have.

use std::cell::Cell;

/// A bug that can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// Nobody is woken when a run goes to sleep that wakes first.
    LostWakeUp,
    /// A timer fires a little before its time.
    EarlyTimer,
    /// The machine is told an answer twice.
    ResultAppliedTwice,
    /// Calls are sent while the commit of their intents is still under way.
    SentBeforeIntent,
    /// A call whose credential is refused is parked and never probed.
    ProbeNeverArmed,
    /// Runs that a process left asleep are not woken by the next one.
    TimerLostOnRestart,
    /// A run fails and leaves no dead letter.
    DeadLetterDropped,
    /// The effect's key differs from attempt to attempt.
    KeyChanged,
    /// The pause that the other side asked for is not kept.
    RetryAfterIgnored,
    /// A commit of unknown outcome is taken for written.
    UnknownTakenForWritten,
    /// A commit or accept of unknown outcome is taken for not written.
    UnknownTakenForNotWritten,
    /// A `once` call of unknown outcome is sent again.
    OnceResent,
    /// A run that is in memory is loaded once more.
    LoadedTwice,
    /// The fold of the journal forgets that a person decided that a call had not taken effect.
    DecisionForgotten,
    /// New runs do not line up behind those that wait for a place in memory.
    NoLine,
    /// Those who wait for a run's end are not told of it.
    WaitersForgotten,
    /// What people were asked is forgotten when a run is taken up again.
    TasksForgotten,
    /// An answer is taken down, and the run does not hear of it.
    AnswerNotTold,
    /// An event does not wake a run that listens and is not in memory.
    ListenerNotWoken,
    /// Whoever asks for a child begins one of its own.
    ChildBegunTwice,
    /// The child of a run that was cancelled is left alone.
    ChildLeftBehind,
    /// Whatever a writer expects to be kept, it overwrites what is.
    StateOverwritten,
    /// Runs of a line do not wait for those before them.
    OrderIgnored,
    /// Events of a paused trigger begin their runs.
    PauseIgnored,
    /// Nobody looks after queued runs.
    QueueForgotten,
    /// Queued runs begin when they are found.
    QueueIgnored,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 26] = [
        Self::LostWakeUp,
        Self::EarlyTimer,
        Self::ResultAppliedTwice,
        Self::SentBeforeIntent,
        Self::ProbeNeverArmed,
        Self::TimerLostOnRestart,
        Self::DeadLetterDropped,
        Self::KeyChanged,
        Self::RetryAfterIgnored,
        Self::UnknownTakenForWritten,
        Self::UnknownTakenForNotWritten,
        Self::OnceResent,
        Self::LoadedTwice,
        Self::DecisionForgotten,
        Self::NoLine,
        Self::WaitersForgotten,
        Self::TasksForgotten,
        Self::AnswerNotTold,
        Self::ListenerNotWoken,
        Self::ChildBegunTwice,
        Self::ChildLeftBehind,
        Self::StateOverwritten,
        Self::OrderIgnored,
        Self::PauseIgnored,
        Self::QueueForgotten,
        Self::QueueIgnored,
    ];
}

thread_local! {
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Plants a bug in the engines of this thread, or takes it out.
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

/// Whether this bug is planted in this thread.
pub(crate) fn planted(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}
