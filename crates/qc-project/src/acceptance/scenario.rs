//! A scenario's file.

use std::time::Duration;

use qc_model::Name;

use super::{Given, Step, SystemFault, Then};
use crate::shape::{Fields, Record, Spanned};

/// A scenario's file.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its name, which is its file's.
    pub scenario: Spanned<Name>,
    /// What it shows, in business words.
    pub title: String,
    /// The environment whose variables hold; the first one when left out.
    pub environment: Option<Spanned<Name>>,
    /// How the world is at the beginning.
    pub given: Option<Given>,
    /// What goes wrong at the systems.
    pub faults: Vec<SystemFault>,
    /// What happens, in this order.
    pub when: Vec<Step>,
    /// How long, in virtual time, the runs may take to settle.
    pub settles_within: Option<Duration>,
    /// What must be true afterwards.
    pub then: Then,
}

impl Scenario {
    /// Whether nothing goes wrong in it.
    pub(crate) fn is_calm(&self) -> bool {
        let disturbs = |step: &Step| matches!(step, Step::Fault(_) | Step::Restart);
        self.faults.is_empty() && !self.when.iter().any(disturbs)
    }
}

impl Record for Scenario {
    const NAME: &'static str = "scenario";
    const DOC: &'static str = "An acceptance scenario: given, when, then.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let scenario = f.required("scenario", "The scenario's name; the same as its file's.");
        let title = f.required("title", "What it shows, in business words.");
        let environment = f.optional(
            "environment",
            "The environment whose variables hold; the first one when left out.",
        );
        let given = f.optional("given", "How the world is at the beginning.");
        let faults = f.several("faults", "What goes wrong at the systems.");
        let when = f.required("when", "What happens, in this order.");
        let settles_within = f.optional(
            "settles_within",
            "How long, in virtual time, the runs may take to settle; 48h when left out.",
        );
        let then = f.required("then", "What must be true afterwards.");
        Some(Self {
            scenario: scenario?,
            title: title?,
            environment,
            given,
            faults,
            when: when?,
            settles_within,
            then: then?,
        })
    }
}
