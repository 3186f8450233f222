//! What is allowed and probably not meant.

use qc_document::{Node, NodeValue};

use super::{Compiler, variables::is_identifier};
use crate::{codes, dsl::is_expression};

impl Compiler<'_> {
    /// Looks through a data field: undeclared secrets, and texts that look like expressions.
    pub(super) fn inspect_data(&mut self, node: &Node, names: &[&str]) {
        match &node.value {
            NodeValue::String(text) if is_expression(text) => {
                self.check_secrets_in(text, node.span);
            }
            NodeValue::String(text) if looks_like_expression(text, names) => {
                let message = format!("`{text}` is sent as this text, not evaluated");
                let help = format!("in data an expression is written `${{ {text} }}`");
                self.warn(codes::LOOKS_LIKE_EXPRESSION, node.span, message, &help);
            }
            NodeValue::Sequence(items) => {
                for item in items {
                    self.inspect_data(item, names);
                }
            }
            NodeValue::Mapping(entries) => {
                for (_, entry) in entries {
                    self.inspect_data(entry, names);
                }
            }
            _ => {}
        }
    }
}

/// `.customer.name`, or a variable in scope with or without a path.
fn looks_like_expression(text: &str, names: &[&str]) -> bool {
    let path = |path: &str| path.split('.').all(is_identifier);
    if let Some(rest) = text.strip_prefix('$') {
        let name = rest.split('.').next().unwrap_or_default();
        return names.contains(&name) && path(rest);
    }
    text.strip_prefix('.').is_some_and(path)
}
