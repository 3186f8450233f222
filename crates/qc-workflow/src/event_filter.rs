//! Filters of events, compiled: what an event must look like to be taken.

use std::{collections::BTreeMap, sync::Arc};

use qc_expression::Expression;
use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    FilterIndex,
    correlation::{canonical, extract, key_of},
    program::{Expr, Wording},
};

/// How an event is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadAs {
    /// Its data.
    #[default]
    Data,
    /// All of it, as a structured CloudEvent.
    Envelope,
    /// Its data as text: base64 for bytes, as it stands for text, compact JSON for everything else.
    Raw,
}

impl ReadAs {
    /// What is read of a structured CloudEvent.
    pub fn of(self, event: &Value) -> Value {
        match self {
            Self::Data => event.get("data").cloned().unwrap_or(Value::Null),
            Self::Envelope => event.clone(),
            Self::Raw => match (event.get("data_base64"), event.get("data")) {
                (Some(bytes), _) => bytes.clone(),
                (None, Some(Value::String(text))) => Value::String(text.clone()),
                (None, Some(data)) => Value::String(data.to_string()),
                (None, None) => Value::Null,
            },
        }
    }
}

/// One filter.
pub(crate) struct EventFilter {
    pub(crate) properties: Vec<(String, Pattern)>,
    pub(crate) correlate: Vec<Correlation>,
    /// The only type that fits, when there is only one.
    pub(crate) event_type: Option<String>,
    /// Empty without `correlate`.
    pub(crate) site: String,
}

/// What one property of an event must be.
pub(crate) enum Pattern {
    Equal(Value),
    Text {
        text: String,
        regex: Option<Regex>,
    },
    /// Evaluated on the property: a truth value decides, any other value must be equal.
    Expression(Expr),
    /// Every entry must be there and fit.
    Object(Vec<(String, Pattern)>),
}

pub(crate) struct Correlation {
    pub(crate) name: Arc<str>,
    pub(crate) from: Expression,
    pub(crate) expect: Option<Wording>,
}

/// Values that correlations expect, by their name.
pub(crate) type Expected = BTreeMap<Arc<str>, Value>;

/// Evaluates an expression of a filter on a property; None when it fails.
pub(crate) type Evaluate<'e> = &'e dyn Fn(&Expr, &Value) -> Option<Value>;

impl EventFilter {
    /// The filter that takes every event.
    pub(crate) fn every() -> Self {
        let (properties, correlate) = (Vec::new(), Vec::new());
        Self { properties, correlate, event_type: None, site: String::new() }
    }

    /// Whether an event fits; the values of its correlations, when it does. `expected` are those
    /// that are known.
    pub(crate) fn fits(
        &self,
        event: &Value,
        expected: &Expected,
        evaluate: Evaluate<'_>,
    ) -> Option<Expected> {
        let fits = self
            .properties
            .iter()
            .all(|(name, pattern)| pattern.fits(event.get(name).unwrap_or(&Value::Null), evaluate));
        if !fits {
            return None;
        }
        let mut found = Expected::new();
        for correlation in &self.correlate {
            let value = extract(&correlation.from, event)?;
            if expected.get(&correlation.name).is_some_and(|wanted| *wanted != value) {
                return None;
            }
            found.insert(Arc::clone(&correlation.name), value);
        }
        Some(found)
    }

    /// What an index needs, with the values that are expected by now.
    pub(crate) fn index(&self, expected: &Expected) -> FilterIndex {
        let values: Option<Vec<Value>> = self
            .correlate
            .iter()
            .map(|correlation| expected.get(&correlation.name).cloned())
            .collect();
        let key = values.filter(|values| !values.is_empty()).map(key_of).unwrap_or_default();
        FilterIndex { event_type: self.event_type.clone(), site: self.site.clone(), key }
    }
}

impl Pattern {
    fn fits(&self, value: &Value, evaluate: Evaluate<'_>) -> bool {
        match self {
            Self::Equal(wanted) => *wanted == canonical(value.clone()),
            Self::Text { text, regex } => value.as_str().is_some_and(|value| {
                value == text || regex.as_ref().is_some_and(|regex| regex.is_match(value))
            }),
            Self::Expression(expr) => match evaluate(expr, value) {
                Some(Value::Bool(decided)) => decided,
                // Nothing wanted is no wish for nothing: `${ $input.missing }` fits no event.
                Some(Value::Null) | None => false,
                Some(wanted) => canonical(wanted) == canonical(value.clone()),
            },
            Self::Object(entries) => entries.iter().all(|(key, pattern)| {
                value.get(key).is_some_and(|value| pattern.fits(value, evaluate))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_read_as_is_asked() {
        let event = json!({"id": "1", "data": {"a": 1}});
        assert_eq!(ReadAs::Data.of(&event), json!({"a": 1}));
        assert_eq!(ReadAs::Envelope.of(&event), event);
        assert_eq!(ReadAs::Raw.of(&event), json!("{\"a\":1}"));
        assert_eq!(ReadAs::Raw.of(&json!({"data": "text"})), json!("text"));
        assert_eq!(ReadAs::Raw.of(&json!({"data_base64": "AA=="})), json!("AA=="));
        assert_eq!(ReadAs::Raw.of(&json!({})), Value::Null);
        assert_eq!(ReadAs::Data.of(&json!({"data_base64": "AA=="})), Value::Null);
    }
}
