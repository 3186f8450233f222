//! Which variables an expression may read, by where it stands.

use std::sync::Arc;

use crate::program::Slot;

/// Where an expression stands. Source: DSL 1.0.3, the table under "Runtime expression arguments".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    WorkflowInput,
    /// `if` and `input.from` of a task.
    TaskInput,
    /// Everything that a task defines, and its `output.as`.
    Definition,
    Export,
    WorkflowOutput,
    /// Nothing but the value that it is evaluated on.
    Nothing,
}

/// The names that the runtime gives; a loop or catch cannot take them.
pub(super) const RESERVED: [&str; 8] =
    ["context", "input", "output", "secrets", "workflow", "runtime", "task", "authorization"];

/// The names in scope with what they mean. An inner variable hides an outer one of its name.
pub(super) fn in_scope(stage: Stage, locals: &[Arc<str>]) -> Vec<(Arc<str>, Slot)> {
    let runtime: &[(&str, Slot)] = match stage {
        Stage::Nothing => return Vec::new(),
        Stage::WorkflowInput => &[],
        Stage::TaskInput => &[("context", Slot::Context), ("task", Slot::Task)],
        Stage::Definition => {
            &[("context", Slot::Context), ("task", Slot::Task), ("input", Slot::Input)]
        }
        Stage::Export => &[
            ("context", Slot::Context),
            ("task", Slot::Task),
            ("input", Slot::Input),
            ("output", Slot::Output),
        ],
        Stage::WorkflowOutput => &[("context", Slot::Context)],
    };
    let always =
        [("secrets", Slot::Secrets), ("workflow", Slot::Workflow), ("runtime", Slot::Runtime)];
    let mut names: Vec<(Arc<str>, Slot)> =
        runtime.iter().chain(&always).map(|(name, slot)| (Arc::from(*name), *slot)).collect();
    for (at, name) in locals.iter().enumerate() {
        names.retain(|(known, _)| known != name);
        names.push((Arc::clone(name), Slot::Local(at)));
    }
    names
}

/// Whether a text can be the name of a variable.
pub(super) fn is_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.len() <= 64
}
