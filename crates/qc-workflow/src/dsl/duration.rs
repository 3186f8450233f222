//! Lengths of time: `PT30S`, `{ seconds: 30 }`, or an expression.

use qc_document::{DurationError, Node, ObjectReader, Reader, parse_duration};

use super::{
    Length, Timeout,
    fields::{is_expression, text},
};
use crate::codes;

const UNITS: [(&str, u64); 5] = [
    ("days", 86_400_000),
    ("hours", 3_600_000),
    ("minutes", 60_000),
    ("seconds", 1_000),
    ("milliseconds", 1),
];

/// Longest length that a file may name: 100 years, in milliseconds.
const LONGEST_MS: u64 = 100 * 365 * 86_400_000;

/// Reads a length that may be an expression.
pub(super) fn length(reader: &Reader<'_>, node: &Node, what: &str) -> Option<Length> {
    match node.as_str() {
        Some(written) if is_expression(written) => text(node).map(Length::Computed),
        _ => fixed_ms(reader, node, what).map(Length::Fixed),
    }
}

/// Reads a length that is written out, in milliseconds.
pub(super) fn fixed_ms(reader: &Reader<'_>, node: &Node, what: &str) -> Option<u64> {
    if let Some(written) = node.as_str() {
        if is_expression(written) {
            let message = format!("{what} must be written out: it takes no expression");
            reader.report(codes::DURATION, node.span, message);
            return None;
        }
        return match iso_ms(written) {
            Ok(ms) => Some(ms),
            Err(error) => {
                let help = "write ISO 8601 such as `PT30S`, or `{ seconds: 30 }`";
                let message = match error {
                    DurationError::Form => format!("{what} is `{written}`, which is no duration"),
                    other => format!("{what}: {other}"),
                };
                reader.push(reader.error(codes::DURATION, node.span, message).help(help));
                None
            }
        };
    }
    let mut fields = reader.object(node, what)?;
    let longest = i64::try_from(LONGEST_MS).unwrap_or(i64::MAX);
    let mut total = 0u64;
    let mut any = false;
    for (unit, ms) in UNITS {
        any |= fields.has(unit);
        if let Some(count) = fields.optional_integer(unit, 0..=longest) {
            let part = u64::try_from(count).unwrap_or(0).saturating_mul(ms);
            total = total.saturating_add(part);
        }
    }
    fields.finish();
    if !any || total > LONGEST_MS {
        let problem = if any { "is longer than 100 years" } else { "names no unit" };
        reader.report(codes::DURATION, node.span, format!("{what} {problem}"));
        return None;
    }
    Some(total)
}

/// Reads ISO 8601 only: the short forms of other files are not part of the DSL.
pub(crate) fn iso_ms(written: &str) -> Result<u64, DurationError> {
    if !written.starts_with('P') {
        return Err(DurationError::Form);
    }
    parse_duration(written).map(|length| u64::try_from(length.as_millis()).unwrap_or(u64::MAX))
}

/// Reads the value that an expression for a length gave: ISO 8601 text or an object of units.
pub(crate) fn value_ms(value: &serde_json::Value) -> Option<u64> {
    match value {
        serde_json::Value::String(written) => iso_ms(written).ok(),
        serde_json::Value::Object(units) if !units.is_empty() => {
            let mut total = 0u64;
            for (unit, count) in units {
                let (_, ms) = UNITS.iter().find(|(name, _)| name == unit)?;
                total = total.checked_add(count.as_u64()?.checked_mul(*ms)?)?;
            }
            (total <= LONGEST_MS).then_some(total)
        }
        _ => None,
    }
}

/// Reads `timeout`: `{ after: … }` or the name of one in `use.timeouts`.
pub(super) fn timeout(fields: &mut ObjectReader<'_, '_>) -> Option<Timeout> {
    let node = fields.optional("timeout")?;
    if node.as_str().is_some() {
        return text(node).map(Timeout::Named);
    }
    after(fields.reader(), node).map(Timeout::After)
}

/// Reads `{ after: … }`.
pub(super) fn after(reader: &Reader<'_>, node: &Node) -> Option<Length> {
    let mut inner = reader.object(node, "`timeout`")?;
    let length = inner.required("after").and_then(|node| length(reader, node, "`after`"));
    inner.finish();
    length
}
