//! A second opinion on what is left open: the validator's own canonical form.

use jsonschema::canonical::Containment;
use serde_json::Value;

use super::{CoverOptions, Covers};

/// Largest schema that is asked about, in values: the canonical form knows no limits of its own.
const SIZE_LIMIT: usize = 400;
/// Deepest schema that is asked about.
const DEPTH_LIMIT: usize = 32;

/// What the canonical form proves about two normalised schemas, if anything.
pub(super) fn opinion(sup: &Value, sub: &Value, options: CoverOptions) -> Option<Covers> {
    if !is_small(sup) || !is_small(sub) {
        return None;
    }
    let canonical = |schema: &Value| {
        jsonschema::canonical::options()
            .offline()
            .with_draft(jsonschema::Draft::Draft202012)
            .should_validate_formats(options.formats)
            .canonicalize(schema)
    };
    match canonical(sup).ok()?.covers(&canonical(sub).ok()?).ok()? {
        Containment::Yes => Some(Covers::Yes),
        Containment::No => Some(Covers::No { witness: None }),
        Containment::Unknown => None,
    }
}

fn is_small(schema: &Value) -> bool {
    let mut stack = vec![(schema, 0)];
    let mut size = 0;
    while let Some((value, depth)) = stack.pop() {
        size += 1;
        if size > SIZE_LIMIT || depth > DEPTH_LIMIT {
            return false;
        }
        match value {
            Value::Array(items) => stack.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(map) => stack.extend(map.values().map(|inner| (inner, depth + 1))),
            _ => {}
        }
    }
    true
}
