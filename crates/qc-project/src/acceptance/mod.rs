//! Acceptance scenarios: given, when, then; run on simulators, in virtual time, without a network.

mod clock;
mod given;
mod life;
mod observe;
mod people;
mod report;
mod run;
mod scenario;
mod send;
mod show;
mod stand_ins;
mod then;
mod verdict;
mod when;
mod world;

pub use given::{Given, SystemFault};
pub(crate) use observe::{AnswerField, Observed, observed};
pub use people::{ActWord, Deed, StateWord, TaskDeed, TaskWanted};
pub use report::{Report, ScenarioReport};
pub(crate) use run::compiled;
pub use run::{Selection, run};
pub use scenario::Scenario;
pub use show::{human, json, junit};
pub use stand_ins::{StandIns, stand_ins};
pub use then::{End, SystemWanted, Then};
pub use when::{Publishing, Sending, Step};
