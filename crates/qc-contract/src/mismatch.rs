//! What does not fit a contract, said without the payload's values.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::{Value, json};

/// The longest part of a contract that is told, in bytes.
const LONGEST_EXPECTED: usize = 1_000;

/// Which way a payload travels, seen from the caller of the API.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Direction {
    /// To the API.
    Request,
    /// From the API.
    Response,
}

/// One way in which a payload breaks its contract. Messages name fields, kinds and the contract's own limits; the
/// payload's values never appear.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mismatch {
    /// JSON Pointer in the payload. For parameters: `/path/petId`, `/query/limit`, `/header/X-Id`; for a body inside a
    /// request: `/body/…`.
    pub pointer: String,
    /// JSON Pointer of the violated keyword in the (normalised) schema.
    pub schema_pointer: String,
    /// What is wrong.
    pub message: String,
    /// The violated keyword, such as `required`; `argument` when no schema is involved.
    pub keyword: String,
    /// What is taken there: the violated part of the contract, where it is short enough to be told.
    pub expected: Option<Value>,
    /// Which way the payload travels.
    pub direction: Direction,
}

impl Mismatch {
    /// Most mismatches that one check answers.
    pub const LIMIT: usize = 20;

    pub(crate) fn argument(pointer: String, message: impl Into<String>) -> Self {
        Self {
            pointer,
            schema_pointer: String::new(),
            message: message.into(),
            keyword: "argument".to_owned(),
            expected: None,
            direction: Direction::Request,
        }
    }

    pub(crate) fn of(error: &ValidationError<'_>, direction: Direction) -> Self {
        // An alternative that was nearly right says more than "none of the alternatives".
        if let Some(inner) = likeliest(error) {
            return Self::of(inner, direction);
        }
        Self {
            pointer: error.instance_path().to_string(),
            schema_pointer: error.schema_path().to_string(),
            message: message(error),
            keyword: error.kind().keyword().to_owned(),
            expected: expected(error),
            direction,
        }
    }

    /// The same, with the pointer below a prefix.
    #[must_use]
    pub(crate) fn below(mut self, prefix: &str) -> Self {
        self.pointer.insert_str(0, prefix);
        self
    }
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.pointer.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "`{}`: {}", self.pointer, self.message)
        }
    }
}

/// For `anyOf`/`oneOf` without a match: the one error of the one alternative that was meant. Alternatives of another
/// kind were not, nor were those whose fixed values (a discriminator's, say) differ.
fn likeliest<'e>(error: &'e ValidationError<'_>) -> Option<&'e ValidationError<'static>> {
    use ValidationErrorKind as Kind;
    let (Kind::AnyOf { context } | Kind::OneOfNotValid { context }) = error.kind() else {
        return None;
    };
    let here = error.instance_path();
    let other_kind = |inner: &ValidationError<'_>| {
        inner.instance_path() == here && matches!(inner.kind(), Kind::Type { .. })
    };
    let other_value = |inner: &ValidationError<'_>| {
        matches!(inner.kind(), Kind::Enum { .. } | Kind::Constant { .. })
    };
    let mut meant: Vec<_> =
        context.iter().filter(|errors| !errors.iter().any(other_kind)).collect();
    if meant.len() > 1 {
        meant.retain(|errors| !errors.iter().any(other_value));
    }
    match meant[..] {
        [only] if only.len() == 1 => only.first(),
        _ => None,
    }
}

/// The kind of a value, with its article.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a number",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn message(error: &ValidationError<'_>) -> String {
    use ValidationErrorKind as Kind;
    let is = kind(error.instance());
    match error.kind() {
        Kind::Type { kind } => {
            let expected = match kind {
                TypeKind::Single(one) => one.to_string(),
                TypeKind::Multiple(set) => {
                    let names: Vec<String> = set.iter().map(|one| one.to_string()).collect();
                    names.join(" or ")
                }
            };
            format!("must be of type {expected}, but is {is}")
        }
        Kind::Required { property } => {
            format!("`{}` is missing", property.as_str().unwrap_or_default())
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let mut names: Vec<String> =
                unexpected.iter().take(5).map(|name| format!("`{}`", short(name))).collect();
            if unexpected.len() > names.len() {
                names.push(format!("{} more", unexpected.len() - names.len()));
            }
            format!("has fields that are not allowed: {}", names.join(", "))
        }
        Kind::UnevaluatedItems { .. } | Kind::AdditionalItems { .. } => {
            "has more items than allowed".to_owned()
        }
        Kind::Enum { options } => {
            let count = options.as_array().map_or(0, Vec::len);
            format!("is none of the {count} allowed values")
        }
        Kind::Constant { .. } => "is not the one allowed value".to_owned(),
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => {
            format!("is {is} that fits none of the allowed alternatives")
        }
        Kind::OneOfMultipleValid { .. } => {
            "fits several alternatives of which it may fit only one".to_owned()
        }
        Kind::Format { format } => format!("is not a valid `{format}`"),
        Kind::Pattern { .. } => "does not match the pattern".to_owned(),
        Kind::Maximum { limit } => format!("must be at most {limit}"),
        Kind::Minimum { limit } => format!("must be at least {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        Kind::MultipleOf { multiple_of } => format!("must be a multiple of {multiple_of}"),
        Kind::MaxLength { limit } => format!("must have at most {limit} characters"),
        Kind::MinLength { limit } => format!("must have at least {limit} characters"),
        Kind::MaxItems { limit } => format!("must have at most {limit} items"),
        Kind::MinItems { limit } => format!("must have at least {limit} items"),
        Kind::MaxProperties { limit } => format!("must have at most {limit} fields"),
        Kind::MinProperties { limit } => format!("must have at least {limit} fields"),
        Kind::UniqueItems => "has an item twice".to_owned(),
        Kind::Contains => "does not contain the required items".to_owned(),
        Kind::PropertyNames { .. } => "has a field whose name is not allowed".to_owned(),
        Kind::FalseSchema => "is not allowed here".to_owned(),
        Kind::Not { .. } => "is what the contract rules out".to_owned(),
        Kind::BacktrackLimitExceeded { .. } | Kind::RegexEngineFailure { .. } => {
            "takes too long to match against the pattern".to_owned()
        }
        Kind::ContentEncoding { content_encoding } => format!("is not valid {content_encoding}"),
        Kind::ContentMediaType { content_media_type } => {
            format!("is not valid {content_media_type}")
        }
        other => format!("does not satisfy `{}`", other.keyword()),
    }
}

/// The violated part of the contract as a schema of one keyword. It is the contract's own, so it holds nothing of the
/// payload; what is longer than [`LONGEST_EXPECTED`] is left out.
fn expected(error: &ValidationError<'_>) -> Option<Value> {
    use ValidationErrorKind as Kind;
    let (keyword, value) = match error.kind() {
        Kind::Type { kind } => match kind {
            TypeKind::Single(one) => ("type", json!(one.to_string())),
            TypeKind::Multiple(set) => {
                let names: Vec<String> = set.iter().map(|one| one.to_string()).collect();
                ("type", json!(names))
            }
        },
        Kind::Required { property } => ("required", json!([property])),
        Kind::AdditionalProperties { .. } => ("additionalProperties", json!(false)),
        Kind::UnevaluatedProperties { .. } => ("unevaluatedProperties", json!(false)),
        Kind::Enum { options } => ("enum", json!(**options)),
        Kind::Constant { expected_value } => ("const", json!(**expected_value)),
        Kind::Format { format } => ("format", json!(format)),
        Kind::Pattern { pattern } => ("pattern", json!(pattern)),
        Kind::Maximum { limit } => ("maximum", json!(limit)),
        Kind::Minimum { limit } => ("minimum", json!(limit)),
        Kind::ExclusiveMaximum { limit } => ("exclusiveMaximum", json!(limit)),
        Kind::ExclusiveMinimum { limit } => ("exclusiveMinimum", json!(limit)),
        Kind::MultipleOf { multiple_of } => ("multipleOf", json!(multiple_of)),
        Kind::MaxLength { limit } => ("maxLength", json!(limit)),
        Kind::MinLength { limit } => ("minLength", json!(limit)),
        Kind::MaxItems { limit } => ("maxItems", json!(limit)),
        Kind::MinItems { limit } => ("minItems", json!(limit)),
        Kind::MaxProperties { limit } => ("maxProperties", json!(limit)),
        Kind::MinProperties { limit } => ("minProperties", json!(limit)),
        Kind::UniqueItems => ("uniqueItems", json!(true)),
        _ => return None,
    };
    let schema = json!({ keyword: value });
    (schema.to_string().len() <= LONGEST_EXPECTED).then_some(schema)
}

fn short(name: &str) -> String {
    if name.chars().count() <= 64 {
        return name.to_owned();
    }
    let head: String = name.chars().take(63).collect();
    head + "…"
}
