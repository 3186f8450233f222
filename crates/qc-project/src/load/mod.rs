//! Load tests: the traffic that a brief declares, what is sent of it and when, and how what came of it is graded against
//! the brief's non-functional requirements.
//!
//! Here: [`LoadProfile`] (what is declared), [`plan`] (the moments), [`Bodies`] (what is sent, made of the events of the
//! integration's scenarios), [`grade`] (the verdict) and the evidence that is kept of it. Nothing here sends anything or
//! knows what time it is; `qc loadtest` does.

mod bodies;
mod check;
mod grade;
mod plan;
mod profile;

#[cfg(test)]
mod tests;

pub use bodies::{Bodies, Body};
pub(crate) use check::check;
pub use grade::{
    About, Check, DoorSaid, LoadReport, PhaseReport, RunEnded, Sent, Spread, Verdict, grade,
};
pub use plan::{Pace, Phase, PhaseKind, Send, plan};
pub use profile::{LoadProfile, Source};

/// The evidence's file, in an integration's folder.
pub const EVIDENCE: &str = "evidence/load.json";
