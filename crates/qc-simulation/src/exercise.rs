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
}

impl Exercise {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::TaskAnswered,
        Self::TaskClaimed,
        Self::TaskExpired,
        Self::TaskEscalated,
        Self::StuckResumed,
        Self::StuckSkipped,
        Self::StuckDiscarded,
    ];
}

impl fmt::Display for Exercise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// How often each happened.
pub type Exercised = BTreeMap<Exercise, u64>;
