//! Typed variables.

use qc_document::{Node, Reader};
use serde_json::Value;

use crate::shape::{Definitions, Fields, Record, Shape, Spanned, read_word, word_schema};

/// A variable that environments give values.
#[derive(Debug, Clone)]
pub struct Variable {
    /// What kind of value it takes.
    pub kind: VariableType,
    /// What it is.
    pub description: Option<String>,
    /// Its value where an environment gives none.
    pub default: Option<Spanned<Value>>,
}

/// The kinds of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VariableType {
    /// Text.
    String,
    /// An absolute `http` or `https` address without credentials in it.
    Url,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
}

const TYPES: &[(&str, VariableType)] = &[
    ("string", VariableType::String),
    ("url", VariableType::Url),
    ("integer", VariableType::Integer),
    ("boolean", VariableType::Boolean),
];

impl VariableType {
    /// What is wrong with a value, if anything.
    pub fn mismatch(self, value: &Value) -> Option<&'static str> {
        let (fits, expected) = match self {
            Self::String => (value.is_string(), "text"),
            Self::Url => (
                value.as_str().is_some_and(is_plain_url),
                "an absolute http or https address without credentials",
            ),
            Self::Integer => (value.is_i64() || value.is_u64(), "a whole number"),
            Self::Boolean => (value.is_boolean(), "true or false"),
        };
        (!fits).then_some(expected)
    }
}

fn is_plain_url(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
    })
}

impl Shape for VariableType {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        read_word(TYPES, node, what, reader)
    }

    fn schema(_: &mut Definitions) -> Value {
        word_schema(TYPES)
    }
}

impl Record for Variable {
    const NAME: &'static str = "variable";
    const DOC: &'static str = "A variable that environments give values. Never a secret: those are `secret://` references.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let kind = f.required("type", "What kind of value it takes.");
        let description = f.optional("description", "What it is.");
        let default = f.optional("default", "Its value where an environment gives none.");
        Some(Self { kind: kind?, description, default })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_checked_by_type() {
        let fits = |kind: VariableType, value: Value| kind.mismatch(&value).is_none();
        assert!(fits(VariableType::Url, json!("https://api.example.com/v1")));
        assert!(!fits(VariableType::Url, json!("https://user:pw@api.example.com")));
        assert!(!fits(VariableType::Url, json!("/v1")));
        assert!(!fits(VariableType::Url, json!("ftp://example.com")));
        assert!(fits(VariableType::Integer, json!(3)) && !fits(VariableType::Integer, json!(3.5)));
        assert!(fits(VariableType::Boolean, json!(true)) && !fits(VariableType::String, json!(1)));
    }
}
