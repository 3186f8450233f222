//! Expressions, evaluated with what a frame sees.

use std::{borrow::Cow, sync::Arc};

use qc_contract::Schema;
use qc_expression::{EvalError, Limits, Scope};
use qc_model::{Class, Failure, StandardError};
use serde_json::Value;

use super::{
    descriptor,
    fault::Fault,
    frame::{Body, FrameId},
    step::Step,
};
use crate::{
    codes,
    dsl::value_ms,
    program::{Expr, Length, Mould, Shape, Slot, Wording},
};

static NOTHING: Value = Value::Null;

/// What is seen beside the frame itself: the raw output while leaving, the transformed output while
/// exporting, and a variable that is being tried out (the error, while a catch decides).
#[derive(Clone, Copy, Default)]
pub(super) struct Sight<'v> {
    pub(super) raw_output: Option<&'v Value>,
    pub(super) output: Option<&'v Value>,
    pub(super) extra: &'v [Arc<Value>],
}

impl Step<'_> {
    fn with_variables<T>(
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
                Slot::Context => {
                    frame.map_or(&NOTHING, |frame| &*self.state.contexts[frame.thread])
                }
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
        what: &str,
    ) -> Result<Value, Fault> {
        self.with_variables(id, &expr.slots, sight, |scope| expr.expression.evaluate(dot, scope))
            .map_err(|error| self.expression_fault(id, &error, what))
    }

    pub(super) fn test(
        &self,
        id: FrameId,
        expr: &Expr,
        dot: &Value,
        sight: Sight<'_>,
        what: &str,
    ) -> Result<bool, Fault> {
        self.with_variables(id, &expr.slots, sight, |scope| expr.expression.test(dot, scope))
            .map_err(|error| self.expression_fault(id, &error, what))
    }

    pub(super) fn form(
        &self,
        id: FrameId,
        shape: &Shape,
        dot: &Value,
        sight: Sight<'_>,
        what: &str,
    ) -> Result<Arc<Value>, Fault> {
        match shape {
            Shape::Constant(value) => Ok(Arc::clone(value)),
            Shape::Expression(expr) => self.evaluate(id, expr, dot, sight, what).map(Arc::new),
            Shape::Template { template, slots } => self
                .with_variables(id, slots, sight, |scope| template.evaluate(dot, scope))
                .map(Arc::new)
                .map_err(|error| self.expression_fault(id, &error, what)),
        }
    }

    /// `input`: the schema is checked first. `output` and `export` check it last.
    pub(super) fn mould_input(
        &self,
        id: FrameId,
        mould: &Mould,
        raw: &Arc<Value>,
    ) -> Result<Arc<Value>, Fault> {
        self.conforms(id, mould.schema.as_ref(), raw, "input")?;
        match &mould.shape {
            None => Ok(Arc::clone(raw)),
            Some(shape) => self.form(id, shape, raw, Sight::default(), "input.from"),
        }
    }

    pub(super) fn conforms(
        &self,
        id: FrameId,
        schema: Option<&Schema>,
        value: &Value,
        what: &str,
    ) -> Result<(), Fault> {
        let Some(schema) = schema else { return Ok(()) };
        if schema.admits(value) {
            return Ok(());
        }
        let problems: Vec<String> = schema.check(value).iter().map(ToString::to_string).collect();
        let detail = format!("the {what} does not fit `{what}.schema`: {}", problems.join("; "));
        let title = "Data do not fit the schema";
        let failure = Failure::new(Class::Invalid, codes::SCHEMA_MISMATCH, title, detail);
        Err(self.standard_fault(id, StandardError::Validation, failure))
    }

    /// A text field: numbers and truth values are written out.
    pub(super) fn word<'w>(
        &self,
        id: FrameId,
        wording: &'w Wording,
        dot: &Value,
        what: &str,
    ) -> Result<Cow<'w, str>, Fault> {
        let expr = match wording {
            Wording::Literal(text) => return Ok(Cow::Borrowed(text)),
            Wording::Expression(expr) => expr,
        };
        match self.evaluate(id, expr, dot, Sight::default(), what)? {
            Value::String(text) => Ok(Cow::Owned(text)),
            value @ (Value::Number(_) | Value::Bool(_)) => Ok(Cow::Owned(value.to_string())),
            other => {
                let detail = format!("`{what}` must be a text, but is {}", kind_of(&other));
                Err(self.arguments_fault(id, detail))
            }
        }
    }

    pub(super) fn length_ms(
        &self,
        id: FrameId,
        length: &Length,
        dot: &Value,
        what: &str,
    ) -> Result<u64, Fault> {
        let expr = match length {
            Length::Fixed(ms) => return Ok(*ms),
            Length::Computed(expr) => expr,
        };
        let value = self.evaluate(id, expr, dot, Sight::default(), what)?;
        value_ms(&value).ok_or_else(|| {
            let detail = format!(
                "the expression for `{what}` gave {}, which is no ISO 8601 duration and no object \
                 of units",
                kind_of(&value)
            );
            let title = "Not a duration";
            let failure = Failure::new(Class::Permanent, codes::DURATION_VALUE, title, detail);
            self.standard_fault(id, StandardError::Expression, failure)
        })
    }

    fn expression_fault(&self, id: FrameId, error: &EvalError, what: &str) -> Fault {
        let title = "An expression failed";
        let detail = format!("{} in `{what}`: {error}", error.code());
        let failure = Failure::new(Class::Permanent, codes::EXPRESSION_FAILED, title, detail);
        self.standard_fault(id, StandardError::Expression, failure)
    }

    pub(super) fn arguments_fault(&self, id: FrameId, detail: String) -> Fault {
        let title = "The arguments of the call cannot be used";
        let failure = Failure::new(Class::Invalid, codes::CALL_ARGUMENTS, title, detail);
        self.standard_fault(id, StandardError::Expression, failure)
    }
}

/// The kind of a value, with its article; never the value itself.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
