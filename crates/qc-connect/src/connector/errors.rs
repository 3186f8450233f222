use http::HeaderName;
use qc_document::{Node, ObjectReader, Reader};
use qc_expression::Expression;
use qc_model::{Applied, Class};

use super::expression;
use crate::codes;

/// Variables of an error rule's expressions.
const ERROR_VARIABLES: [&str; 2] = ["status", "headers"];

/// Most rules of one connector.
const MOST_RULES: usize = 200;

/// One row of a connector's error map: which answers are which failure. Also for answers with a success status whose
/// body tells of an error.
#[derive(Debug, Clone)]
pub struct ErrorRule {
    /// The statuses; any when empty.
    pub statuses: Vec<StatusMatch>,
    /// A header that must be there, with this value when one is given.
    pub header: Option<(HeaderName, Option<String>)>,
    /// What must be true of the body.
    pub body: Option<Expression>,
    /// The failure's class.
    pub class: Class,
    /// Whether the effect took place, when the vendor's answer tells.
    pub applied: Option<Applied>,
    /// What the vendor says, over the body; becomes part of the failure's data.
    pub message: Option<Expression>,
}

/// A status or a family of statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusMatch {
    /// `409`
    Exactly(u16),
    /// `4xx`
    Family(u16),
}

impl StatusMatch {
    /// Whether the status is meant.
    pub fn matches(self, status: u16) -> bool {
        match self {
            Self::Exactly(one) => status == one,
            Self::Family(family) => status / 100 == family,
        }
    }

    pub(super) fn read(reader: &Reader<'_>, node: &Node) -> Option<Self> {
        let number = node.as_i64().and_then(|n| u16::try_from(n).ok());
        let family = node.as_str().and_then(|text| match text.to_ascii_lowercase().as_bytes() {
            [digit @ b'1'..=b'5', b'x', b'x'] => Some(Self::Family(u16::from(digit - b'0'))),
            _ => None,
        });
        let found = match number {
            Some(status @ 100..=599) => Some(Self::Exactly(status)),
            _ => family,
        };
        if found.is_none() {
            reader.invalid(node, "a status is a number from 100 to 599, or a family such as `5xx`");
        }
        found
    }
}

/// Reads `errors`.
pub(super) fn read(connector: &mut ObjectReader<'_, '_>) -> Vec<ErrorRule> {
    let nodes = connector.list("errors");
    if let Some(node) = nodes.get(MOST_RULES) {
        connector
            .reader()
            .invalid(node, format!("a connector has at most {MOST_RULES} error rules"));
    }
    connector.objects("errors").into_iter().take(MOST_RULES).filter_map(rule).collect()
}

fn rule(mut object: ObjectReader<'_, '_>) -> Option<ErrorRule> {
    let applieds = [("no", Applied::No), ("maybe", Applied::Maybe), ("yes", Applied::Yes)];
    let reader = object.reader();
    let classes: Vec<(&str, Class)> =
        Class::ALL.into_iter().map(|class| (class.as_str(), class)).collect();
    let class = object.choice("class", &classes);
    let applied = object.optional_choice("applied", &applieds);
    let message = expression::optional(&mut object, "message", &ERROR_VARIABLES);
    let matching = object.object("match");
    object.finish();
    let mut matching = matching?;
    let statuses = match matching.optional("status") {
        None => Vec::new(),
        Some(node) => match node.as_sequence() {
            Some(items) => items.iter().filter_map(|one| StatusMatch::read(reader, one)).collect(),
            None => vec![StatusMatch::read(reader, node)?],
        },
    };
    let header = matching.optional("header").and_then(|node| header(reader, node));
    let body = expression::optional(&mut matching, "body", &ERROR_VARIABLES);
    let (span, has_body, has_header) =
        (matching.span(), matching.has("body"), matching.has("header"));
    let has_status = matching.has("status");
    matching.finish();
    if !(has_body || has_header || has_status) {
        reader.report(codes::BAD_ERROR_RULE, span, "a rule that matches every answer is no rule");
        return None;
    }
    // A condition that could not be read was reported; without it the rule would match too much.
    if (has_body && body.is_none())
        || (has_header && header.is_none())
        || (has_status && statuses.is_empty())
    {
        return None;
    }
    Some(ErrorRule { statuses, header, body, class: class?, applied, message })
}

/// A header's name alone, or an object of one name and its value.
fn header(reader: &Reader<'_>, node: &Node) -> Option<(HeaderName, Option<String>)> {
    let name = |text: &str| {
        let parsed = text.parse::<HeaderName>().ok();
        if parsed.is_none() {
            reader.invalid(node, "not a header's name");
        }
        parsed
    };
    if let Some(text) = node.as_str() {
        return name(text).map(|name| (name, None));
    }
    let [(key, value)] = reader.entries(node, "`header`")? else {
        reader.invalid(node, "`header` names one header");
        return None;
    };
    let value = reader.text(value, "a header's value")?;
    name(&key.name).map(|name| (name, Some(value.to_owned())))
}
