//! What somebody saw, as a hash: of its JSON with sorted keys and without white space.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;

/// The SHA-256 of a value's canonical JSON, as `sha256:<hex>`: keys in the order of their bytes, nothing between the
/// tokens, texts escaped as little as JSON allows.
pub fn shown_hash(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    let hash = digest(&SHA256, text.as_bytes());
    let mut hex = String::with_capacity(7 + 64);
    hex.push_str("sha256:");
    for byte in hash.as_ref() {
        // Writing to a text cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// As deep as the value is, which the limits of JSON bound.
fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_unstable_by_key(|(key, _)| *key);
            out.push('{');
            for (at, (key, field)) in sorted.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                write(field, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_keys_does_not_matter_and_everything_else_does() {
        let one: Value =
            serde_json::from_str(r#"{"b": [1, {"d": null, "c": "x"}], "a": 2}"#).unwrap();
        let two: Value = serde_json::from_str(r#"{"a":2,"b":[1,{"c":"x","d":null}]}"#).unwrap();
        assert_eq!(shown_hash(&one), shown_hash(&two));
        assert_ne!(shown_hash(&one), shown_hash(&json!({"a": 2, "b": [{"c": "x", "d": null}, 1]})));
        // `printf '{"a":2}' | sha256sum`
        let known = "sha256:7e8059f495589fcd981232cc11d00b00da3802c01d688fa1cf1f6bed6e5bb33c";
        assert_eq!(shown_hash(&json!({"a": 2})), known);
    }
}
