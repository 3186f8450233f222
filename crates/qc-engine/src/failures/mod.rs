//! Failures as people work on them: dead letters of one fingerprint are one group, and what was
//! said of a group stands in a document beside the letters, which stay as they are.
//!
//! A group's state is not stored. It is judged when somebody looks, from the letters and from the
//! last word that was said: a new death needs no further write to open a resolved group again.

mod chores;
mod error;
mod group;
mod tend;

pub use error::FailuresError;
pub use group::{FailureGroup, GroupFilter, GroupState, MUTE_LONGEST, Said, Word};
