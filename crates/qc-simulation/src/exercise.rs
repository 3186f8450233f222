//! What a story made the engine do, counted: seeds that never come to something prove nothing of it.

use std::{collections::BTreeMap, fmt};

/// Something that the engine did in a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exercise {
    /// A task was answered by a person.
    TaskAnswered,
    /// A task was claimed by a person.
    TaskClaimed,
    /// A task was over before anybody had answered.
    TaskExpired,
    /// The next ones were asked.
    TaskEscalated,
    /// A run that could not go on was tried again by way of its task.
    StuckResumed,
    /// A run that could not go on went on with a person's answer.
    StuckSkipped,
    /// A run that could not go on was given up by way of its task.
    StuckDiscarded,
    /// A run that slept until an event came was told of it.
    ListenerWoken,
    /// A run was told of an event that had come before it slept.
    EventHeardBefore,
    /// An event was published that was on the bus already.
    EventRepeated,
    /// A run began that another one runs.
    ChildBegun,
    /// A run was told how its child ended.
    ChildEnded,
    /// A child was cancelled with its parent.
    ChildCancelled,
    /// A run put something into what is kept.
    StatePut,
    /// A put was refused: somebody else was first.
    PutRefused,
    /// A run began whose turn had come in its line.
    TurnCame,
    /// A run failed, and its key was parked.
    KeyParked,
    /// A line went on without the failed run at its head.
    LineFreed,
    /// A trigger was paused.
    TriggerPaused,
    /// A paused trigger went on.
    TriggerResumed,
    /// An event was accepted while its trigger was paused.
    EventHeld,
    /// A run began that had been held.
    HeldBegun,
    /// A run that was held was given up.
    HeldDiscarded,
    /// An event was accepted for which a limit had no room.
    EventQueued,
    /// A run began that had been queued.
    QueuedBegun,
}

impl Exercise {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::TaskAnswered,
        Self::TaskClaimed,
        Self::TaskExpired,
        Self::TaskEscalated,
        Self::StuckResumed,
        Self::StuckSkipped,
        Self::StuckDiscarded,
        Self::ListenerWoken,
        Self::EventHeardBefore,
        Self::EventRepeated,
        Self::ChildBegun,
        Self::ChildEnded,
        Self::ChildCancelled,
        Self::StatePut,
        Self::PutRefused,
        Self::TurnCame,
        Self::KeyParked,
        Self::LineFreed,
        Self::TriggerPaused,
        Self::TriggerResumed,
        Self::EventHeld,
        Self::HeldBegun,
        Self::HeldDiscarded,
        Self::EventQueued,
        Self::QueuedBegun,
    ];
}

impl fmt::Display for Exercise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// How often each happened.
pub type Exercised = BTreeMap<Exercise, u64>;
