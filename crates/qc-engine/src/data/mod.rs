//! What is known of an integration's data: the classes of what comes in, of what goes out, and where it may go.
//!
//! `rules` says what a release knows, `egress` holds a request against it before its intent is journaled, and `custody`
//! is what is known of a run in memory: it takes what is sensitive out of what is said of the run.

mod custody;
mod egress;
mod roots;
mod rules;

pub(crate) use custody::Custody;
pub use roots::TokenRoots;
pub use rules::{DataRules, Spot};
