//! An expression, read once and evaluated many times.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::codes;
use crate::fault::{EvalError, ParseError};
use crate::lower::{Compiled, lower};
use crate::machine::{Machine, Spot};
use crate::meter::{Limit, Limits, Meter, Raised, Stop};
use crate::parser;
use crate::value::Val;

/// The longest source text of one expression, in bytes.
pub const SOURCE_LIMIT: usize = 16 * 1024;

/// A jq expression, compiled. Cloning shares it; threads may evaluate it at once.
#[derive(Clone)]
pub struct Expression {
    inner: Arc<Inner>,
}

struct Inner {
    source: String,
    variables: Vec<String>,
    compiled: Compiled,
}

/// What an evaluation sees besides its input.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The variables, in the order in which they were named when the expression was read.
    pub variables: &'a [&'a Value],
    /// What `now` says, in milliseconds since 1970: the journalled time, never the clock.
    pub now_ms: i64,
    /// What the evaluation may use.
    pub limits: Limits,
}

impl Expression {
    /// Reads a bare jq expression. `variables` are the names without `$`, in the order of
    /// [`Scope::variables`].
    pub fn parse(source: &str, variables: &[&str]) -> Result<Self, ParseError> {
        if source.len() > SOURCE_LIMIT {
            let message =
                format!("the expression has {} bytes; {SOURCE_LIMIT} are the most", source.len());
            return Err(ParseError::new(codes::SOURCE_TOO_LONG, message, 0..source.len()));
        }
        if source.trim().is_empty() {
            let error = ParseError::new(codes::SYNTAX, "the expression is empty", 0..source.len());
            return Err(error.with_help("write `.` for the whole input"));
        }
        let compiled = lower(&parser::parse(source)?, variables)?;
        let variables = variables.iter().map(|name| (*name).to_owned()).collect();
        Ok(Self { inner: Arc::new(Inner { source: source.to_owned(), variables, compiled }) })
    }

    /// Reads a field that holds an expression: bare jq, or the whole of it within `${ … }`.
    pub fn parse_field(source: &str, variables: &[&str]) -> Result<Self, ParseError> {
        match crate::template::inside(source) {
            Some(inside) => Self::parse(&source[inside.clone()], variables)
                .map_err(|error| error.shifted(inside.start)),
            None => Self::parse(source, variables),
        }
    }

    /// The text that was read, without any `${ }` around it.
    pub fn source(&self) -> &str {
        &self.inner.source
    }

    /// Whether the expression reads this variable (named without `$`).
    pub fn uses(&self, variable: &str) -> bool {
        let named = self.inner.variables.iter().zip(&self.inner.compiled.reads);
        named.into_iter().any(|(name, read)| *read && name == variable)
    }

    /// The single output. None or several are errors.
    pub fn evaluate(&self, input: &Value, scope: &Scope<'_>) -> Result<Value, EvalError> {
        let meter = Meter::new(scope.limits);
        let value = self.single(&meter, input, scope)?;
        value.into_json(&meter).map_err(|limit| spent(limit, scope))
    }

    /// Whether the single output is neither null nor false.
    pub fn test(&self, input: &Value, scope: &Scope<'_>) -> Result<bool, EvalError> {
        let meter = Meter::new(scope.limits);
        self.single(&meter, input, scope).map(|value| value.truthy())
    }

    /// All outputs; more than `max` are an error.
    pub fn evaluate_all(
        &self,
        input: &Value,
        scope: &Scope<'_>,
        max: usize,
    ) -> Result<Vec<Value>, EvalError> {
        let meter = Meter::new(scope.limits);
        let mut outputs = Vec::new();
        let mut over = false;
        let done = self.run(&meter, input, scope, &mut |machine, spot| {
            if outputs.len() >= max {
                over = true;
                return Err(Stop::Downstream);
            }
            outputs.push(spot.value.into_json(machine.meter)?);
            Ok(())
        });
        if over {
            return Err(EvalError::TooManyOutputs { max });
        }
        done.map(|()| outputs)
    }

    fn single<'a>(
        &'a self,
        meter: &'a Meter,
        input: &'a Value,
        scope: &Scope<'a>,
    ) -> Result<Val<'a>, EvalError> {
        let mut found = None;
        let mut many = false;
        let done = self.run(meter, input, scope, &mut |_, spot| {
            if found.is_some() {
                many = true;
                return Err(Stop::Downstream);
            }
            found = Some(spot.value);
            Ok(())
        });
        if many {
            return Err(EvalError::ManyOutputs);
        }
        done?;
        found.ok_or(EvalError::NoOutput)
    }

    fn run<'a>(
        &'a self,
        meter: &'a Meter,
        input: &'a Value,
        scope: &Scope<'a>,
        out: crate::machine::Sink<'_, 'a>,
    ) -> Result<(), EvalError> {
        if let Some(name) = self.inner.variables.get(scope.variables.len()) {
            return Err(EvalError::MissingVariable { name: name.clone() });
        }
        let compiled = &self.inner.compiled;
        let depth = scope.limits.depth;
        let mut machine = Machine::new(meter, scope.variables, compiled.slots, scope.now_ms, depth);
        machine
            .eval(&compiled.root, Spot::off(Val::lend(input)), out)
            .map_err(|stop| failure(stop, meter, scope))
    }
}

fn spent(limit: Limit, scope: &Scope<'_>) -> EvalError {
    match limit {
        Limit::Fuel => EvalError::Fuel { limit: scope.limits.fuel },
        Limit::Bytes => EvalError::Bytes { limit: scope.limits.bytes },
        Limit::Depth => EvalError::Depth,
    }
}

fn failure<'a>(stop: Stop<'a>, meter: &'a Meter, scope: &Scope<'_>) -> EvalError {
    match stop {
        Stop::Spent(limit) => spent(limit, scope),
        Stop::Raised(raised) => match *raised {
            Raised::Failed(message) => EvalError::Failed { message },
            Raised::Value(value) => match value.into_json(meter) {
                Ok(value) => EvalError::Raised { value },
                Err(limit) => spent(limit, scope),
            },
        },
        // Lowering gives every `break` its label, and every consumer of ours sets its own reason.
        Stop::Break(_) | Stop::Downstream => {
            EvalError::Failed { message: "a break left its label".to_owned() }
        }
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Expression").field("source", &self.inner.source).finish()
    }
}
