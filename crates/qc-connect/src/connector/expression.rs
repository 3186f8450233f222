use qc_document::{Node, ObjectReader, Reader};
use qc_expression::Expression;

use crate::codes;

/// Reads a jq expression in a connector.
pub(super) fn parse(
    reader: &Reader<'_>,
    key: &str,
    node: &Node,
    variables: &[&str],
) -> Option<Expression> {
    let Some(text) = node.as_str() else {
        reader.wrong_kind(node, &format!("`{key}`"), "a string");
        return None;
    };
    match Expression::parse_field(text, variables) {
        Ok(expression) => Some(expression),
        Err(error) => {
            let message = format!("`{key}`: {}", error.message);
            let mut finding = reader.error(codes::BAD_EXPRESSION, node.span, message);
            finding.help = error.help;
            reader.push(finding.cause(format!("{}", error.code)));
            None
        }
    }
}

/// Reads an optional jq expression.
pub(super) fn optional(
    object: &mut ObjectReader<'_, '_>,
    key: &'static str,
    variables: &[&str],
) -> Option<Expression> {
    let node = object.optional(key)?;
    parse(object.reader(), key, node, variables)
}
