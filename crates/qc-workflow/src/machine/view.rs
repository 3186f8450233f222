//! What expressions see of a run; reads only, so that questions can be answered between steps.

use std::sync::Arc;

use qc_expression::{EvalError, Limits, Scope};
use qc_model::Timestamp;
use serde_json::Value;

use super::{
    State, descriptor,
    frame::{Body, FrameId},
};
use crate::program::{Expr, Program, Slot};

static NOTHING: Value = Value::Null;

/// What is seen beside the frame itself: the raw output while leaving, the transformed output while
/// exporting, variables that are being tried out (the error, while a catch decides), and a
/// `$context` that was kept.
#[derive(Clone, Copy, Default)]
pub(super) struct Sight<'v> {
    pub(super) raw_output: Option<&'v Value>,
    pub(super) output: Option<&'v Value>,
    pub(super) extra: &'v [Arc<Value>],
    pub(super) context: Option<&'v Value>,
}

/// A run, to be read.
#[derive(Clone, Copy)]
pub(super) struct View<'v> {
    pub(super) program: &'v Program,
    pub(super) state: &'v State,
    pub(super) now: Timestamp,
}

impl View<'_> {
    pub(super) fn with_variables<T>(
        &self,
        id: FrameId,
        slots: &[Slot],
        sight: Sight<'_>,
        evaluate: impl FnOnce(&Scope<'_>) -> Result<T, EvalError>,
    ) -> Result<T, EvalError> {
        let frame = self.state.frames.get(id);
        let facts = &self.state.facts;
        let descriptor = if slots.contains(&Slot::Task) {
            self.state
                .frames
                .task(id)
                .map(|task| descriptor::task(self.program.task(task.task), task, sight.raw_output))
        } else {
            None
        };
        let variables: Vec<&Value> = slots
            .iter()
            .map(|slot| match slot {
                Slot::Context => sight.context.unwrap_or_else(|| {
                    frame.map_or(&NOTHING, |frame| &*self.state.contexts[frame.thread])
                }),
                Slot::Input => match frame.map(|frame| &frame.body) {
                    Some(Body::Task(task)) => &*task.input,
                    _ => &NOTHING,
                },
                Slot::Output => sight.output.unwrap_or(&NOTHING),
                Slot::Secrets => &*facts.secrets,
                Slot::Workflow => &*facts.workflow,
                Slot::Runtime => &*facts.runtime,
                Slot::Task => descriptor.as_ref().unwrap_or(&NOTHING),
                Slot::Local(at) => {
                    let locals = frame.map_or(&[][..], |frame| &frame.locals);
                    let extra = at.checked_sub(locals.len()).and_then(|at| sight.extra.get(at));
                    locals.get(*at).or(extra).map_or(&NOTHING, |value| &**value)
                }
            })
            .collect();
        evaluate(&Scope {
            variables: &variables,
            now_ms: self.now.as_millis(),
            limits: Limits::default(),
        })
    }

    pub(super) fn evaluate(
        &self,
        id: FrameId,
        expr: &Expr,
        dot: &Value,
        sight: Sight<'_>,
    ) -> Result<Value, EvalError> {
        self.with_variables(id, &expr.slots, sight, |scope| expr.expression.evaluate(dot, scope))
    }
}
