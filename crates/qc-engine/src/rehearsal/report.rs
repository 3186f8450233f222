//! What a rehearsal found.

use qc_model::{RunId, Timestamp};
use serde::{Deserialize, Serialize};

/// Past runs, rehearsed on a candidate.
#[derive(Debug, Clone, PartialEq)]
pub struct Rehearsal {
    /// The candidate's hash.
    pub release: String,
    /// How many runs there were to choose from; those that are looked at are bounded.
    pub found: usize,
    /// Whether there were more than are looked at.
    pub more: bool,
    /// The runs of the sample, the oldest first.
    pub runs: Vec<RehearsedRun>,
    /// So many runs of the sample were not reached in the time that a rehearsal has.
    pub left: usize,
}

/// One of them.
#[derive(Debug, Clone, PartialEq)]
pub struct RehearsedRun {
    /// The run.
    pub run: RunId,
    /// The release that ran.
    pub release: String,
    /// When its event was accepted.
    pub accepted_at: Timestamp,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of a run on the candidate.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The same effects.
    Same,
    /// Others; not empty.
    Differs(Vec<Difference>),
    /// It could not be compared.
    Incomparable(Incomparable),
}

/// Why a run cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Incomparable {
    /// Its journal cannot be read, or its release is gone.
    Unreadable,
    /// It is too large.
    TooLarge,
    /// Another run ran it: that one is compared.
    Child,
    /// It was ended before it began.
    NeverBegun,
    /// It is not at its end.
    NotOver,
    /// Played on the release that ran it does not come out as it did.
    NotReproduced,
    /// The same, and the server's clock went back while it ran: nobody knows what was before what.
    ClockWentBack,
    /// The program failed while it was played.
    BrokeOff,
}

impl Incomparable {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "its journal or its release cannot be read any more",
            Self::TooLarge => "it is too large to be played",
            Self::Child => "another run ran it as its child; that one is compared",
            Self::NeverBegun => "it was ended before it began",
            Self::NotOver => "it is not at its end",
            Self::NotReproduced => {
                "played on its own release it does not come out as it did, so a difference would mean nothing"
            }
            Self::ClockWentBack => {
                "the server's clock went back while it ran, so its order is not known"
            }
            Self::BrokeOff => {
                "the program failed while it played the run: a defect of QuickConnect"
            }
        }
    }
}

/// An effect that is different.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// In which way.
    pub kind: DifferenceKind,
    /// Which effect: `tracker.createTicket`, `emit order.paid`; empty where it is the run's end or its event.
    pub effect: String,
    /// The task; empty as above.
    pub task: String,
    /// Which fields, where they changed.
    pub fields: Vec<FieldDifference>,
    /// What more there is to say; without data.
    pub detail: String,
}

/// A field that is different.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FieldDifference {
    /// Where: a JSON Pointer. `*` stands for a name that may be data itself.
    pub pointer: String,
    /// What was there: the kind of value, and where it came from when that is plain.
    pub was: String,
    /// What is there now.
    pub is: String,
}

/// In which way an effect is different.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DifferenceKind {
    /// The candidate does not take the event.
    Event,
    /// It is made, and was not.
    Added,
    /// It is not made any more.
    Missing,
    /// It is made with something else.
    Changed,
    /// It is made earlier or later among the others.
    Moved,
    /// It is tried more or less often.
    Attempts,
    /// The policy of data now refuses it, or does not any more.
    Policy,
    /// The run does not come to its end with what is recorded.
    Unfinished,
    /// The run ends in another way.
    Outcome,
    /// Whoever waits for the end gets something else.
    Reply,
}

impl DifferenceKind {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Added => "added",
            Self::Missing => "missing",
            Self::Changed => "changed",
            Self::Moved => "moved",
            Self::Attempts => "attempts",
            Self::Policy => "policy",
            Self::Unfinished => "unfinished",
            Self::Outcome => "outcome",
            Self::Reply => "reply",
        }
    }
}
