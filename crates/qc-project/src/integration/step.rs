//! The business side: outcome and steps.

use crate::shape::{Fields, Record, Spanned};

/// How success is measured.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The metric's name.
    pub metric: Spanned<String>,
    /// What it counts, in business words.
    pub description: String,
    /// What is aimed at, in words or as a number with its unit.
    pub target: Option<String>,
}

/// One step in business words.
#[derive(Debug, Clone)]
pub struct Step {
    /// What happens, in business words.
    pub step: Spanned<String>,
    /// The tasks of the workflow that do it, by name.
    pub tasks: Vec<Spanned<String>>,
}

impl Record for Outcome {
    const NAME: &'static str = "outcome";
    const DOC: &'static str = "How success is measured.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let metric = f.required("metric", "The metric's name, such as `escalations_routed`.");
        let description = f.required("description", "What it counts, in business words.");
        let target = f.optional("target", "What is aimed at.");
        Some(Self { metric: metric?, description: description?, target })
    }
}

impl Record for Step {
    const NAME: &'static str = "step";
    const DOC: &'static str = "One step in business words.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let step = f.required("step", "What happens, in business words.");
        let tasks = f.required("tasks", "The tasks of the workflow that do it, by name.");
        Some(Self { step: step?, tasks: tasks? })
    }
}
