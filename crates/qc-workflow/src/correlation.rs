//! Correlation keys: what an event says about which run it is for. Computed without a run, so that
//! an index finds the runs that wait for an event.

use std::collections::BTreeMap;

use qc_expression::{Expression, Limits, Scope};
use serde_json::{Number, Value};

/// From where a filter takes its correlation's values: expressions over the event, in the order of
/// their names.
#[derive(Debug, Clone)]
pub struct CorrelationSite {
    expressions: Vec<Expression>,
}

impl CorrelationSite {
    /// Reads a [`crate::FilterIndex::site`]. None when it is not one.
    pub fn parse(site: &str) -> Option<Self> {
        let sources: Vec<String> = serde_json::from_str(site).ok()?;
        let expressions: Option<Vec<Expression>> =
            sources.iter().map(|source| Expression::parse(source, &[]).ok()).collect();
        Some(Self { expressions: expressions.filter(|all| !all.is_empty())? })
    }

    /// The key of an event, as it stands in [`crate::FilterIndex::key`]. None when the event does
    /// not carry every value.
    pub fn key(&self, event: &Value) -> Option<String> {
        let values: Option<Vec<Value>> =
            self.expressions.iter().map(|expression| extract(expression, event)).collect();
        Some(key_of(values?))
    }
}

/// The key that an event has at a [`crate::FilterIndex::site`]. A filter with that site and another
/// key does not want the event. None when the event does not carry every value: then no filter with
/// that site wants it. Whoever asks often keeps a [`CorrelationSite`].
pub fn correlation_key(site: &str, event: &Value) -> Option<String> {
    CorrelationSite::parse(site)?.key(event)
}

/// The value that an event carries; neither null nor one that cannot be computed counts.
pub(crate) fn extract(from: &Expression, event: &Value) -> Option<Value> {
    // No moment of its own: the value is the same whenever it is asked for.
    let scope = Scope { variables: &[], now_ms: 0, limits: Limits::default() };
    from.evaluate(event, &scope).ok().filter(|value| !value.is_null()).map(canonical)
}

/// The canonical JSON of values.
pub(crate) fn key_of(values: Vec<Value>) -> String {
    Value::Array(values).to_string()
}

/// The canonical text of a site.
pub(crate) fn site_of<'e>(sources: impl Iterator<Item = &'e str>) -> String {
    let sources: Vec<&str> = sources.map(str::trim).collect();
    if sources.is_empty() { String::new() } else { Value::from(sources).to_string() }
}

/// Equal values have one form: keys are sorted, and a whole number is written without a fraction.
pub(crate) fn canonical(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(whole(&number).unwrap_or(number)),
        Value::Array(items) => Value::Array(items.into_iter().map(canonical).collect()),
        Value::Object(entries) => {
            let sorted: BTreeMap<String, Value> =
                entries.into_iter().map(|(key, value)| (key, canonical(value))).collect();
            Value::Object(sorted.into_iter().collect())
        }
        other => other,
    }
}

fn whole(number: &Number) -> Option<Number> {
    /// Above this a float does not tell neighbouring integers apart.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if !number.is_f64() {
        return None;
    }
    let float = number.as_f64().filter(|f| f.fract() == 0.0 && f.abs() <= EXACT)?;
    #[expect(clippy::cast_possible_truncation, reason = "a whole number within 2^53")]
    let integer = float as i64;
    Some(integer.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_is_the_values_in_the_order_of_their_names() {
        let site = site_of([".data.order ", ".subject"].into_iter());
        assert_eq!(site, r#"[".data.order",".subject"]"#);
        let event = json!({"subject": "s", "data": {"order": {"b": 1.0, "a": 2}}});
        assert_eq!(correlation_key(&site, &event).unwrap(), r#"[{"a":2,"b":1},"s"]"#);
    }

    #[test]
    fn an_event_without_a_value_has_no_key() {
        let site = site_of([".subject"].into_iter());
        for event in [json!({}), json!({"subject": null}), json!(7)] {
            assert_eq!(correlation_key(&site, &event), None, "{event}");
        }
        for site in ["", "[]", "7", "[\"|\"]", "not JSON"] {
            assert_eq!(correlation_key(site, &json!({})), None, "{site}");
        }
    }
}
