//! Acceptance scenarios: given, when, then; run on simulators, in virtual time, without a network.

mod given;
mod scenario;
mod then;
mod when;

pub use given::{Given, SystemFault};
pub use scenario::Scenario;
pub use then::{End, SystemWanted, Then};
pub use when::{Sending, Step};
