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
}

impl Exercise {
    /// All of them.
    pub const ALL: [Self; 15] = [
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
    ];
}

impl fmt::Display for Exercise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// How often each happened.
pub type Exercised = BTreeMap<Exercise, u64>;
