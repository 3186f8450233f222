//! What can be wrong with an expression: when it is read, and when it is evaluated.

use std::ops::Range;

use qc_model::Code;
use serde_json::Value;

use crate::codes;

/// An expression that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// The stable code.
    pub code: Code,
    /// What is wrong, in one sentence.
    pub message: String,
    /// Where, as byte offsets into the source that was given.
    pub range: Range<usize>,
    /// What to do about it, where that is known.
    pub help: Option<String>,
}

impl ParseError {
    pub(crate) fn new(code: Code, message: impl Into<String>, range: Range<usize>) -> Self {
        Self { code, message: message.into(), range, help: None }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn shifted(mut self, by: usize) -> Self {
        self.range = self.range.start + by..self.range.end + by;
        self
    }
}

/// An evaluation that gave no value. None of these leaves anything behind.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// The expression produced nothing (for example `empty` or a `select` that refused).
    #[error("the expression produced no value")]
    NoOutput,
    /// The expression produced more than one value.
    #[error(
        "the expression produced more than one value; put [ ] around it to collect them, or take first(…)"
    )]
    ManyOutputs,
    /// More outputs than the caller takes.
    #[error("the expression produced more than {max} values")]
    TooManyOutputs {
        /// The most that the caller takes.
        max: usize,
    },
    /// The steps ran out.
    #[error("the expression took more than {limit} steps")]
    Fuel {
        /// The limit that applied.
        limit: u64,
    },
    /// The memory ran out.
    #[error("the expression needed more than {limit} bytes")]
    Bytes {
        /// The limit that applied.
        limit: usize,
    },
    /// The evaluation, or a value, nested too deeply.
    #[error("the expression, or a value it handled, is nested too deeply")]
    Depth,
    /// An operation does not apply to the value it met (jq's own errors, which `try` catches).
    #[error("{message}")]
    Failed {
        /// What jq says about it.
        message: String,
    },
    /// The expression called `error`.
    #[error("the expression raised an error: {}", raised_text(value))]
    Raised {
        /// The value given to `error`.
        value: Value,
    },
    /// The caller gave fewer variables than the expression was read with.
    #[error("the expression reads ${name}, which was not given")]
    MissingVariable {
        /// The variable, without `$`.
        name: String,
    },
}

impl EvalError {
    /// The stable code of this error.
    pub fn code(&self) -> Code {
        match self {
            Self::NoOutput => codes::NO_OUTPUT,
            Self::ManyOutputs => codes::MANY_OUTPUTS,
            Self::TooManyOutputs { .. } => codes::TOO_MANY_OUTPUTS,
            Self::Fuel { .. } => codes::OUT_OF_FUEL,
            Self::Bytes { .. } => codes::OUT_OF_BYTES,
            Self::Depth => codes::TOO_DEEP,
            Self::Failed { .. } => codes::FAILED,
            Self::Raised { .. } => codes::RAISED,
            Self::MissingVariable { .. } => codes::MISSING_VARIABLE,
        }
    }

    /// The value that the expression itself raised with `error`, if it did.
    pub fn raised(&self) -> Option<&Value> {
        match self {
            Self::Raised { value } => Some(value),
            _ => None,
        }
    }
}

fn raised_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
