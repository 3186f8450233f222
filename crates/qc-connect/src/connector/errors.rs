use http::HeaderName;
use qc_contract::{Operation, StatusPattern};
use qc_document::{Node, ObjectReader, Reader};
use qc_expression::Expression;
use qc_model::{Applied, Class, Finding, NextAction, Severity};

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
    /// What the reader of the failure does next; what the class says when left out.
    pub next_action: Option<NextAction>,
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
    /// `other`: every status that is no success.
    Other,
}

impl StatusMatch {
    /// Whether the status is meant.
    pub fn matches(self, status: u16) -> bool {
        match self {
            Self::Exactly(one) => status == one,
            Self::Family(family) => status / 100 == family,
            Self::Other => is_error(status),
        }
    }

    /// Whether every status that the other one means is meant.
    fn covers(self, other: Self) -> bool {
        match (self, other) {
            (_, Self::Exactly(status)) => self.matches(status),
            (Self::Family(ours), Self::Family(family)) => ours == family,
            (Self::Other, Self::Family(family)) => family >= 3,
            (Self::Other, Self::Other) => true,
            (Self::Exactly(_), _) | (Self::Family(_), Self::Other) => false,
        }
    }

    pub(super) fn read(reader: &Reader<'_>, node: &Node) -> Option<Self> {
        let number = node.as_i64().and_then(|n| u16::try_from(n).ok());
        let family = node.as_str().and_then(|text| match text.to_ascii_lowercase().as_bytes() {
            [digit @ b'1'..=b'5', b'x', b'x'] => Some(Self::Family(u16::from(digit - b'0'))),
            b"other" => Some(Self::Other),
            _ => None,
        });
        let found = match number {
            Some(status @ 100..=599) => Some(Self::Exactly(status)),
            _ => family,
        };
        if found.is_none() {
            reader.invalid(
                node,
                "a status is a number from 100 to 599, a family such as `5xx`, or `other`",
            );
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
    let reader = connector.reader();
    let mut rules: Vec<ErrorRule> = Vec::new();
    for object in connector.objects("errors").into_iter().take(MOST_RULES) {
        let span = object.span();
        let Some(rule) = rule(object) else { continue };
        if let Some(first) = rules.iter().position(|earlier| earlier.covers(&rule)) {
            let message = format!("rule {} of `errors` fits wherever this one does", first + 1);
            // A warning: releases that are deployed have such rules, and do what they did.
            let finding = reader.error(codes::SHADOWED_RULE, span, message);
            reader.push(Finding { severity: Severity::Warning, ..finding });
        }
        rules.push(rule);
    }
    rules
}

impl ErrorRule {
    /// Whether this rule fits every answer that the other one does, as far as that can be told without evaluating a body.
    fn covers(&self, other: &Self) -> bool {
        let status = self.statuses.is_empty()
            || !other.statuses.is_empty()
                && other
                    .statuses
                    .iter()
                    .all(|theirs| self.statuses.iter().any(|ours| ours.covers(*theirs)));
        let header = match (&self.header, &other.header) {
            (None, _) => true,
            (Some((ours, value)), Some((theirs, of_theirs))) => {
                ours == theirs && (value.is_none() || value == of_theirs)
            }
            (Some(_), None) => false,
        };
        // Whether one body's condition follows from another's is not known, but for none.
        status && header && self.body.is_none()
    }
}

/// Whether an answer of this status is no success.
fn is_error(status: u16) -> bool {
    !(200..300).contains(&status)
}

/// The statuses whose meaning is the same everywhere (RFC 9110, RFC 6585): without a rule they decide by themselves. What
/// others mean differs from vendor to vendor.
pub(crate) fn is_plain(status: u16) -> bool {
    matches!(
        status,
        300..=308 | 400 | 401 | 403..=406 | 408..=417 | 422 | 425 | 426 | 428 | 429 | 431 | 500..=505
    )
}

/// The errors that the document says an operation answers with, and of which neither a rule nor the status tells what they
/// mean. `default` and families say nothing that the status of an answer would not.
pub(super) fn unmapped(rules: &[ErrorRule], operation: &Operation) -> Vec<u16> {
    let declared = operation.responses.iter().filter_map(|response| match response.status {
        StatusPattern::Exact(status) => Some(status),
        StatusPattern::Range(_) | StatusPattern::Default => None,
    });
    let mapped = |status: u16| {
        rules.iter().any(|rule| {
            rule.statuses.is_empty() || rule.statuses.iter().any(|one| one.matches(status))
        })
    };
    declared.filter(|status| is_error(*status) && !is_plain(*status) && !mapped(*status)).collect()
}

fn rule(mut object: ObjectReader<'_, '_>) -> Option<ErrorRule> {
    let applieds = [("no", Applied::No), ("maybe", Applied::Maybe), ("yes", Applied::Yes)];
    let reader = object.reader();
    let classes: Vec<(&str, Class)> =
        Class::ALL.into_iter().map(|class| (class.as_str(), class)).collect();
    let class = object.choice("class", &classes);
    let applied = object.optional_choice("applied", &applieds);
    let actions: Vec<(&str, NextAction)> = NextAction::ALL
        .into_iter()
        .filter(|action| *action != NextAction::FixProject)
        .map(|action| (action.as_str(), action))
        .collect();
    let next_action = object.optional_choice("next_action", &actions);
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
    Some(ErrorRule { statuses, header, body, class: class?, applied, next_action, message })
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
