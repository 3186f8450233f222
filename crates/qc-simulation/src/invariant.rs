//! What must hold, by name.

use std::fmt;

/// What must hold at every moment of every story. The numbers are those of the study of durable
/// systems after which the list was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Invariant {
    /// 1: An acknowledged event is in the store, and comes to an end.
    AcceptedIsKept,
    /// 2: What was refused never became a run.
    RefusedIsNoRun,
    /// 3: One run for each key and body; another body under the key is refused.
    OneRunForAKey,
    /// 4: A run's version rises by one with each commit.
    VersionsRise,
    /// 4: A run at its end stays there, but for `dlq retry`.
    EndIsAbsorbing,
    /// 5: What stands in a journal stays there, without gaps.
    JournalIsAppendOnly,
    /// 6: A result that a run is told is true: the effect took place.
    ResultIsTrue,
    /// 6: Each result is applied to its run once.
    ResultAppliedOnce,
    /// 7: Nothing is sent whose intent is not on disk.
    IntentBeforeSend,
    /// 7: An effect takes place once, but for `idempotent` calls.
    EffectOnce,
    /// 7: An effect is sent again only after an ambiguous or failed attempt.
    NoRepeatAfterAnswer,
    /// 7: All attempts of an effect have one key.
    KeyIsStable,
    /// A pause that the other side asked for is kept.
    StatedPauseIsKept,
    /// A person is asked only about what nobody can know.
    NobodyAskedInVain,
    /// A person is asked once for each answer.
    AskedOnce,
    /// What a person was told counts is what the run goes on with, once.
    AnswersCountOnce,
    /// Whoever listens hears of each event for which it waits, once.
    EventHeardOnce,
    /// One child for each call of a workflow.
    OneChildForACall,
    /// A child for which its parent waits ends before it.
    ChildrenEndFirst,
    /// What a run was told was put is kept, and nobody's put is lost by another one's.
    NoLostUpdate,
    /// 8: Events of a key are worked on in their order, one after the other.
    OrderIsKept,
    /// While a trigger is paused nothing of it begins.
    PausedIsHeld,
    /// 9: What has lost its right to write writes nothing.
    FenceHolds,
    /// 9: A run is in memory once.
    LoadedOnce,
    /// 10: A run that is not at its end has one live cause, and what it says of itself is true.
    LiveCause,
    /// 10: A run goes on in bounded time.
    NoStuckRun,
    /// 10: Nobody turns in circles while time stands still.
    NoLivelock,
    /// 10: What is due is done at once when nothing is in its way.
    Punctual,
    /// 11: A timer never fires early, and once.
    TimersFireOnceNotEarly,
    /// 12: Every failed run has its dead letter, and no other run has an open one.
    DeadLettersAreComplete,
    /// 13: Who waits for a place in memory is not overtaken for ever.
    LineIsKept,
    /// 14: Nothing stays in memory when nothing is left to do.
    MemoryIsEmptied,
    /// 15: No secret in the store or in the log.
    SecretsStayOut,
    /// 16: The ledger says what happened.
    LedgerIsTrue,
    /// Who waits for a run's end is told at once.
    WaitersAreAnswered,
    /// A past run, played on the release that ran, comes out as it did.
    PastIsReproduced,
    /// Nothing happens that the engine itself says cannot be.
    NoInternalError,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// An invariant that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub invariant: Invariant,
    /// What happened.
    pub detail: String,
}
