//! Expressions, evaluated with what a frame sees.

use std::{borrow::Cow, sync::Arc};

use qc_contract::Schema;
use qc_expression::EvalError;
use qc_model::{Class, Failure, StandardError};
use serde_json::Value;

use super::{
    fault::Fault,
    frame::FrameId,
    step::Step,
    view::{Sight, View},
};
use crate::{
    codes,
    dsl::value_ms,
    program::{Expr, Length, Mould, Shape, Wording},
};

impl Step<'_> {
    pub(super) fn view(&self) -> View<'_> {
        View { program: self.program, state: self.state, now: self.now }
    }

    pub(super) fn evaluate(
        &self,
        id: FrameId,
        expr: &Expr,
        dot: &Value,
        sight: Sight<'_>,
        what: &str,
    ) -> Result<Value, Fault> {
        self.view()
            .evaluate(id, expr, dot, sight)
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
        self.view()
            .with_variables(id, &expr.slots, sight, |scope| expr.expression.test(dot, scope))
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
                .view()
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

    /// `output` and `export`: their schemas are checked last. `of` goes before their names.
    pub(super) fn mould_output(
        &mut self,
        id: FrameId,
        output: &Mould,
        export: &Mould,
        raw: &Arc<Value>,
        sight: Sight<'_>,
        of: &str,
    ) -> Result<Arc<Value>, Fault> {
        let formed = match &output.shape {
            None => Arc::clone(raw),
            Some(shape) => self.form(id, shape, raw, sight, &format!("{of}output.as"))?,
        };
        self.conforms(id, output.schema.as_ref(), &formed, &format!("{of}output"))?;
        let exported = match &export.shape {
            None => None,
            Some(shape) => {
                let sight = Sight { output: Some(&formed), ..sight };
                Some(self.form(id, shape, &formed, sight, &format!("{of}export.as"))?)
            }
        };
        if let Some(thread) = self.state.frames.get(id).map(|frame| frame.thread) {
            let context = exported.as_ref().unwrap_or(&self.state.contexts[thread]);
            self.conforms(id, export.schema.as_ref(), context, &format!("{of}export"))?;
            if let Some(context) = exported {
                self.state.contexts[thread] = context;
            }
        }
        Ok(formed)
    }

    /// A literal text, or whatever an expression gives.
    pub(super) fn worded(
        &self,
        id: FrameId,
        wording: &Wording,
        dot: &Value,
        what: &str,
    ) -> Result<Value, Fault> {
        match wording {
            Wording::Literal(text) => Ok(Value::String(text.to_string())),
            Wording::Expression(expr) => self.evaluate(id, expr, dot, Sight::default(), what),
        }
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
