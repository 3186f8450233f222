//! Whether an answer can be taken.

use std::collections::BTreeMap;

use qc_contract::Schema;
use qc_model::{Class, Code, Failure, NextAction};
use qc_workflow::FILLED;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{PersonTask, TaskKind};
use crate::{EngineError, codes};

/// The most bytes of a reason.
const REASON_MAX: usize = 4_096;
/// The most bytes, as JSON, of what a person gives.
const GIVEN_MAX: usize = 256 * 1024;
/// So many wrong places of a form are told.
const PLACES: usize = 10;

/// An answer as somebody gives it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskAnswer {
    /// `approved`, `rejected`, `filled`, or the option.
    pub answer: String,
    /// The values of a form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The hash of what was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

/// A request that is refused, with what its sender does next.
pub(crate) fn refused(
    class: Class,
    code: Code,
    title: &str,
    detail: impl Into<String>,
) -> EngineError {
    let mut failure = Failure::new(class, code, title, detail);
    failure.next_action = NextAction::FixRequest;
    if class == Class::Invalid {
        failure.status = 422;
    }
    EngineError::Refused(Box::new(failure))
}

fn unfit(detail: impl Into<String>) -> EngineError {
    refused(Class::Invalid, codes::TASK_ANSWER, "The answer does not fit the task", detail)
}

/// A reason that may be kept.
pub(crate) fn check_reason(reason: Option<&str>) -> Result<(), EngineError> {
    if reason.is_some_and(|reason| reason.len() > REASON_MAX) {
        return Err(unfit(format!("the reason has more than {REASON_MAX} bytes")));
    }
    Ok(())
}

/// A value that may be kept.
pub(crate) fn check_size(value: &Value) -> Result<(), EngineError> {
    if value.to_string().len() > GIVEN_MAX {
        return Err(unfit(format!("what is given has more than {GIVEN_MAX} bytes")));
    }
    Ok(())
}

/// Whether the answer is one that the task can have, to what it shows.
pub(crate) fn check(task: &PersonTask, given: &TaskAnswer) -> Result<(), EngineError> {
    check_reason(given.reason.as_deref())?;
    match &given.hash {
        Some(hash) if *hash != task.hash => {
            return Err(refused(
                Class::Conflict,
                codes::TASK_STALE,
                "Something else is shown",
                format!(
                    "the answer is to {hash}, and {} shows {}: look at it again",
                    task.id(),
                    task.hash
                ),
            ));
        }
        None if !task.of.is_null() => {
            return Err(refused(
                Class::Invalid,
                codes::TASK_HASH,
                "It is not said what was seen",
                format!(
                    "send the `hash` that {} shows: an answer counts for what was seen",
                    task.id()
                ),
            ));
        }
        _ => {}
    }
    match task.kind {
        TaskKind::Approve | TaskKind::Choose => {
            if given.data.is_some() {
                return Err(unfit(format!(
                    "`data` belongs to a form; {} is to {}",
                    task.id(),
                    task.kind.as_str()
                )));
            }
            if !task.options.iter().any(|option| option.id == given.answer) {
                let names: Vec<String> =
                    task.options.iter().map(|option| format!("`{}`", option.id)).collect();
                let detail =
                    format!("`{}` is not one of {}", clipped(&given.answer), names.join(", "));
                return Err(unfit(detail));
            }
            Ok(())
        }
        TaskKind::Fill => fill(task, given),
        TaskKind::Stuck => Err(refused(
            Class::Conflict,
            codes::TASK_ACT,
            "It is not answered",
            format!("{} is about a run that cannot go on: say how it is to go on", task.id()),
        )),
    }
}

fn fill(task: &PersonTask, given: &TaskAnswer) -> Result<(), EngineError> {
    if given.answer != FILLED {
        return Err(unfit(format!("a form is answered with `{FILLED}` and its `data`")));
    }
    let Some(data) = &given.data else {
        return Err(unfit("`data` is missing: the values of the form"));
    };
    check_size(data)?;
    let Some(schema) = &task.schema else { return Ok(()) };
    let schema = compiled(schema).map_err(unfit)?;
    let wrong = schema.check(data);
    if wrong.is_empty() {
        return Ok(());
    }
    let places: Vec<String> = wrong
        .iter()
        .take(PLACES)
        .map(|one| {
            format!("{}: {}", if one.pointer.is_empty() { "/" } else { &one.pointer }, one.message)
        })
        .collect();
    Err(unfit(format!("the form's values do not fit: {}", places.join("; "))))
}

/// A form's schema, compiled; or why it cannot be.
pub(crate) fn compiled(schema: &Value) -> Result<Schema, String> {
    let none: BTreeMap<String, String> = BTreeMap::new();
    Schema::compile(schema, &none).map_err(|findings| {
        let first = findings.first().map_or_else(String::new, |finding| finding.message.clone());
        format!("the form's schema cannot be used: {first}")
    })
}

fn clipped(text: &str) -> String {
    text.chars().take(80).collect()
}
