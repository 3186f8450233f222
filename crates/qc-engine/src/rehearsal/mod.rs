//! Past runs gone through once more, on another release and with nobody at the other end.
//!
//! What a run once asked of the outside, and what it was answered, is in its journal (`past`). `play` goes through the
//! workflow again in virtual time: what it asks for is matched with what was asked then and gets the answer of then
//! (`answers`), so nothing is sent, no secret is opened and nothing is written. First the release that ran is played: a
//! run that does not come out as it did cannot be compared. Then the candidate, and `compare` says what of the effects
//! is different, by places and kinds of values and never by values.
//!
//! Deliberately not here: who may ask, and sending anything.

mod answers;
mod begin;
mod compare;
mod deed;
mod engine;
mod origin;
mod past;
mod play;
mod report;
mod sample;

pub(crate) use engine::busy;
pub use engine::{Rehearsing, SAMPLE_MAX, SAMPLE_USUAL};
pub use report::{
    Difference, DifferenceKind, FieldDifference, Incomparable, Rehearsal, RehearsedRun, Verdict,
};
