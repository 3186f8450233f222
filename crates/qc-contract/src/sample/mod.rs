//! Valid instances of schemas, made deterministically: what simulators answer with.

mod pattern;
mod text;
mod walk;

use jsonschema::Draft;
use serde_json::Value;

use crate::schema::compile::{Dialect, compile_tolerant};

/// How many ways are tried before the best effort is answered.
const ATTEMPTS: u64 = 16;

/// An instance of a self-contained JSON Schema (as [`crate::OpenApi::schema`] and [`crate::Schema::value`] give it).
/// Examples, defaults and enumerated values come first; the same seed gives the same value. Schemas that no search of
/// this size can satisfy (contradictions, exotic combinations) yield a best effort that may be invalid.
pub fn sample(schema: &Value, seed: u64) -> Value {
    let dialect = Dialect { draft: Some(Draft::Draft202012), formats: true };
    let validator = compile_tolerant(schema, dialect).ok().map(|(validator, _)| validator);
    let admits = |value: &Value| validator.as_ref().is_none_or(|v| v.is_valid(value));
    sample_where(schema, seed, &admits)
}

/// As [`sample`], with a validator that is already there.
pub(crate) fn sample_where(schema: &Value, seed: u64, admits: &dyn Fn(&Value) -> bool) -> Value {
    let mut first = None;
    for attempt in 0..ATTEMPTS {
        let effort = walk::Effort {
            // Examples in the wild may be wrong; optional properties may be what makes a value invalid.
            trusts_examples: attempt % 8 < 2,
            with_optional: attempt % 2 == 0,
            contrasts: attempt % 8 >= 4,
        };
        let value = walk::instance(schema, seed.wrapping_add(attempt / 2), effort);
        if admits(&value) {
            return value;
        }
        first.get_or_insert(value);
    }
    first.unwrap_or_default()
}

#[cfg(test)]
mod tests;
