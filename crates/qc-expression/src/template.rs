//! JSON in which a string that is `${ … }` as a whole is an expression.

use std::ops::Range;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::codes;
use crate::expression::{Expression, Scope};
use crate::fault::{EvalError, ParseError};
use crate::meter::VALUE_DEPTH;

/// A JSON tree with expressions for leaves. Keys are never expressions.
#[derive(Debug, Clone)]
pub struct Template {
    root: Arc<Part>,
}

#[derive(Debug)]
enum Part {
    /// Holds no expression anywhere within.
    Constant(Value),
    Expression(Expression),
    Array(Vec<Part>),
    Object(Vec<(String, Part)>),
}

impl Template {
    /// Reads a tree. Every problem is reported, each with the JSON pointer of its leaf.
    pub fn parse(value: &Value, variables: &[&str]) -> Result<Self, Vec<(String, ParseError)>> {
        let mut problems = Vec::new();
        let root = read(value, variables, &mut String::new(), 0, &mut problems);
        if problems.is_empty() { Ok(Self { root: Arc::new(root) }) } else { Err(problems) }
    }

    /// Whether there is no expression in it.
    pub fn is_constant(&self) -> bool {
        matches!(*self.root, Part::Constant(_))
    }

    /// Whether any of its expressions reads this variable (named without `$`).
    pub fn uses(&self, variable: &str) -> bool {
        uses(&self.root, variable)
    }

    /// The tree with every expression replaced by its single output. The limits hold for each
    /// expression by itself.
    pub fn evaluate(&self, input: &Value, scope: &Scope<'_>) -> Result<Value, EvalError> {
        evaluate(&self.root, input, scope)
    }
}

/// Where the expression stands within `${ … }`, if the text is that and nothing else.
pub(crate) fn inside(text: &str) -> Option<Range<usize>> {
    let trimmed = text.trim();
    if !(trimmed.starts_with("${") && trimmed.ends_with('}')) || trimmed.len() < 3 {
        return None;
    }
    let start = text.len() - text.trim_start().len();
    Some(start + 2..start + trimmed.len() - 1)
}

fn read(
    value: &Value,
    variables: &[&str],
    pointer: &mut String,
    depth: u32,
    problems: &mut Vec<(String, ParseError)>,
) -> Part {
    if depth > VALUE_DEPTH {
        let message = format!("the value nests more than {VALUE_DEPTH} levels deep");
        problems.push((pointer.clone(), ParseError::new(codes::TOO_COMPLEX, message, 0..0)));
        return Part::Constant(Value::Null);
    }
    match value {
        Value::String(text) => leaf(text, variables, pointer, problems),
        Value::Array(items) => {
            let parts: Vec<Part> = items
                .iter()
                .enumerate()
                .map(|(at, item)| {
                    let length = pointer.len();
                    pointer.push('/');
                    pointer.push_str(&at.to_string());
                    let part = read(item, variables, pointer, depth + 1, problems);
                    pointer.truncate(length);
                    part
                })
                .collect();
            if parts.iter().all(|part| matches!(part, Part::Constant(_))) {
                return Part::Constant(value.clone());
            }
            Part::Array(parts)
        }
        Value::Object(map) => {
            let parts: Vec<(String, Part)> = map
                .iter()
                .map(|(key, item)| {
                    let length = pointer.len();
                    pointer.push('/');
                    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                    let part = read(item, variables, pointer, depth + 1, problems);
                    pointer.truncate(length);
                    (key.clone(), part)
                })
                .collect();
            if parts.iter().all(|(_, part)| matches!(part, Part::Constant(_))) {
                return Part::Constant(value.clone());
            }
            Part::Object(parts)
        }
        scalar => Part::Constant(scalar.clone()),
    }
}

fn leaf(
    text: &str,
    variables: &[&str],
    pointer: &str,
    problems: &mut Vec<(String, ParseError)>,
) -> Part {
    if let Some(inside) = inside(text) {
        match Expression::parse(&text[inside.clone()], variables) {
            Ok(expression) => return Part::Expression(expression),
            Err(error) => {
                // `${ .a }-${ .b }` begins and ends like one expression, but is two with text.
                let error = match text[inside.clone()].find("${") {
                    Some(_) => partial(text),
                    None => error.shifted(inside.start),
                };
                problems.push((pointer.to_owned(), error));
            }
        }
    } else if text.contains("${") {
        problems.push((pointer.to_owned(), partial(text)));
    }
    Part::Constant(Value::String(text.to_owned()))
}

fn partial(text: &str) -> ParseError {
    let start = text.find("${").unwrap_or(0);
    let end = text[start..].find('}').map_or(text.len(), |end| start + end + 1);
    ParseError::new(
        codes::PARTIAL_INTERPOLATION,
        "an expression must be the whole of a string; this one has text around it",
        start..end,
    )
    .with_help(
        "put the text into the expression, as in `${ \"Hello \\(.name)\" }`; \
         for a literal `${` write `${ \"${\" }`",
    )
}

fn uses(part: &Part, variable: &str) -> bool {
    match part {
        Part::Constant(_) => false,
        Part::Expression(expression) => expression.uses(variable),
        Part::Array(parts) => parts.iter().any(|part| uses(part, variable)),
        Part::Object(parts) => parts.iter().any(|(_, part)| uses(part, variable)),
    }
}

fn evaluate(part: &Part, input: &Value, scope: &Scope<'_>) -> Result<Value, EvalError> {
    Ok(match part {
        Part::Constant(value) => value.clone(),
        Part::Expression(expression) => expression.evaluate(input, scope)?,
        Part::Array(parts) => Value::Array(
            parts.iter().map(|part| evaluate(part, input, scope)).collect::<Result<_, _>>()?,
        ),
        Part::Object(parts) => {
            let mut map = Map::new();
            for (key, part) in parts {
                map.insert(key.clone(), evaluate(part, input, scope)?);
            }
            Value::Object(map)
        }
    })
}
