//! From a schema's value to a validator that is bounded and never fetches.

use jsonschema::{Draft, PatternOptions, Retrieve, Uri, Validator};
use serde_json::Value;

/// Most backtracking steps that a pattern may take on one string.
const BACKTRACK_LIMIT: usize = 100_000;
/// Largest compiled pattern, in bytes.
const PATTERN_SIZE_LIMIT: usize = 2 << 20;

/// Which draft, and whether `format` is checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Dialect {
    /// The draft; `None` takes what `$schema` says, 2020-12 otherwise.
    pub(crate) draft: Option<Draft>,
    pub(crate) formats: bool,
}

/// Compiles a schema; references to other resources are answered by `retriever` only.
pub(crate) fn compile(
    value: &Value,
    dialect: Dialect,
    base: &str,
    retriever: impl Retrieve + 'static,
) -> Result<Validator, String> {
    let patterns = PatternOptions::fancy_regex()
        .backtrack_limit(BACKTRACK_LIMIT)
        .size_limit(PATTERN_SIZE_LIMIT)
        .dfa_size_limit(PATTERN_SIZE_LIMIT);
    let mut options = jsonschema::options()
        .with_retriever(retriever)
        .with_base_uri(base.to_owned())
        .with_pattern_options(patterns)
        .should_validate_formats(dialect.formats);
    if let Some(draft) = dialect.draft {
        options = options.with_draft(draft);
    }
    options.build(value).map_err(|error| {
        let at = error.instance_path().to_string();
        let message = error.to_string();
        let message: String = message.chars().take(300).collect();
        if at.is_empty() { message } else { format!("{message} (in `{at}`)") }
    })
}

/// Compiles a self-contained schema; when a pattern is what fails, compiles it without the patterns that are no
/// regular expressions here, and names them.
pub(crate) fn compile_tolerant(
    value: &Value,
    dialect: Dialect,
) -> Result<(Validator, Vec<String>), String> {
    let first = match compile(value, dialect, BASE, Nothing) {
        Ok(validator) => return Ok((validator, Vec::new())),
        Err(error) => error,
    };
    let mut repaired = value.clone();
    let mut dropped = Vec::new();
    drop_bad_patterns(&mut repaired, dialect, &mut dropped);
    if dropped.is_empty() {
        return Err(first);
    }
    compile(&repaired, dialect, BASE, Nothing).map(|validator| (validator, dropped))
}

const BASE: &str = "qc-contract:///schema.json";

fn drop_bad_patterns(value: &mut Value, dialect: Dialect, dropped: &mut Vec<String>) {
    let compiles = |pattern: &str| {
        let probe = serde_json::json!({ "pattern": pattern });
        compile(&probe, dialect, BASE, Nothing).is_ok()
    };
    match value {
        Value::Object(map) => {
            if let Some(Value::String(pattern)) = map.get("pattern")
                && !compiles(pattern)
            {
                dropped.push(pattern.clone());
                map.remove("pattern");
            }
            if let Some(Value::Object(patterns)) = map.get_mut("patternProperties") {
                let bad: Vec<String> =
                    patterns.keys().filter(|pattern| !compiles(pattern)).cloned().collect();
                for pattern in bad {
                    patterns.remove(&pattern);
                    dropped.push(pattern);
                }
            }
            for (_, inner) in map.iter_mut() {
                drop_bad_patterns(inner, dialect, dropped);
            }
        }
        Value::Array(items) => {
            for item in items {
                drop_bad_patterns(item, dialect, dropped);
            }
        }
        _ => {}
    }
}

/// Refuses every reference that the schema does not contain itself.
pub(crate) struct Nothing;

impl Retrieve for Nothing {
    fn retrieve(&self, _: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err("a schema may refer only to files beside it".into())
    }
}
