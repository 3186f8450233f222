//! What the validator's own canonical form says.

use jsonschema::canonical::Containment;
use serde_json::Value;

use super::{CoverOptions, Covers, Draft};

/// The answer of the canonical form, without a witness.
pub(super) fn opinion(sup: &Value, sub: &Value, options: CoverOptions) -> Covers {
    let canonical = |schema: &Value| {
        jsonschema::canonical::options()
            .offline()
            .with_draft(draft(options.draft))
            .should_validate_formats(options.formats)
            .canonicalize(schema)
    };
    let (Ok(sup), Ok(sub)) = (canonical(sup), canonical(sub)) else {
        return Covers::Unknown { why: "a schema is not valid" };
    };
    match sup.covers(&sub) {
        Ok(Containment::Yes) => Covers::Yes,
        Ok(Containment::No) => Covers::No { witness: None },
        Ok(Containment::Unknown) | Err(_) => {
            Covers::Unknown { why: "the two schemas combine keywords whose effect was not decided" }
        }
    }
}

fn draft(draft: Draft) -> jsonschema::Draft {
    match draft {
        Draft::Draft4 => jsonschema::Draft::Draft4,
        Draft::Draft6 => jsonschema::Draft::Draft6,
        Draft::Draft7 => jsonschema::Draft::Draft7,
        Draft::Draft201909 => jsonschema::Draft::Draft201909,
        Draft::Draft202012 => jsonschema::Draft::Draft202012,
    }
}
