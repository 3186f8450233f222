//! What expressions see as `$workflow`, `$runtime` and `$task`.

use qc_model::Timestamp;
use serde_json::{Value, json};

use super::frame::TaskState;
use crate::{Program, RuntimeFacts, Start, program::Task};

pub(super) fn workflow(program: &Program, start: &Start) -> Value {
    json!({
        "id": start.run,
        "definition": *program.definition,
        "input": start.input,
        "startedAt": moment(start.at),
    })
}

pub(super) fn runtime(facts: &RuntimeFacts) -> Value {
    json!({ "name": facts.name, "version": facts.version, "metadata": facts.metadata })
}

pub(super) fn task(task: &Task, state: &TaskState, raw_output: Option<&Value>) -> Value {
    json!({
        "name": *task.name,
        "reference": *task.pointer,
        "definition": *task.definition,
        "input": *state.raw,
        "output": raw_output,
        "startedAt": moment(state.started),
    })
}

fn moment(at: Timestamp) -> Value {
    json!({
        "iso8601": at.to_string(),
        "epoch": { "seconds": at.as_secs(), "milliseconds": at.as_millis() },
    })
}
