use std::time::Duration;

use http::HeaderName;
use qc_document::ObjectReader;
use qc_expression::Expression;
use qc_workflow::Effect;

use super::expression;
use crate::codes;

/// Variables of a verify rule's expressions: the call's arguments and its key as sent.
const VERIFY_VARIABLES: [&str; 2] = ["arguments", "key"];

/// The longest pause before a read-back.
const LONGEST_SETTLE: Duration = Duration::from_secs(600);

/// What an ambiguous outcome of an operation does, and what it needs for it.
#[derive(Debug, Clone)]
pub struct EffectRule {
    /// The class.
    pub class: Effect,
    /// Whether the connector says so, or the class was derived from the method.
    pub declared: bool,
    /// Where the vendor takes the key; there for `keyed`.
    pub key: Option<KeyRule>,
    /// How to read back; there for `verify`, and for `keyed` with `then: verify`.
    pub verify: Option<VerifyRule>,
}

/// Where a vendor takes an idempotency key, and how long it remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRule {
    /// Where.
    pub place: KeyPlace,
    /// In which form.
    pub format: KeyFormat,
    /// How long the vendor remembers it.
    pub window: Duration,
    /// What to do past the window.
    pub then: PastWindow,
}

/// Where a key is placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPlace {
    /// A header.
    Header(HeaderName),
    /// A query parameter.
    Query(String),
    /// A top-level field of the JSON body.
    Body(String),
}

/// How a key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFormat {
    /// As it is: `qc:{origin}:{pointer}:{visit}`.
    Raw,
    /// A UUID (version 8) made from its SHA-256.
    Uuid,
    /// Its SHA-256 in hexadecimal.
    Hash,
}

/// What an ambiguous call does once the vendor no longer remembers its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PastWindow {
    /// Read back.
    Verify,
    /// Wait for a person's decision.
    Once,
}

/// How to find out whether a call took effect.
#[derive(Debug, Clone)]
pub struct VerifyRule {
    /// The operation that reads back; of the same connector.
    pub operation: String,
    /// Its arguments, over the original arguments.
    pub arguments: Expression,
    /// Whether the effect is there, over the read-back's content.
    pub applied_when: Expression,
    /// The output that stands for the lost answer, over the read-back's content; the content itself when absent.
    pub output: Option<Expression>,
    /// How long to wait before reading back, for systems that show a change late.
    pub settle: Duration,
    /// What a 404 of the read-back means.
    pub not_found: NotFound,
}

/// What a 404 of a read-back means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotFound {
    /// The effect did not take place.
    NotApplied,
    /// Nothing.
    Unknown,
}

impl EffectRule {
    /// The class of an operation whose effect is not declared (design section 5).
    pub fn derived(method: &str) -> Self {
        let safe = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "QUERY"];
        let class = if safe.contains(&method) { Effect::Idempotent } else { Effect::Once };
        Self { class, declared: false, key: None, verify: None }
    }

    pub(super) fn read(mut effect: ObjectReader<'_, '_>) -> Option<Self> {
        let classes = [
            ("idempotent", Effect::Idempotent),
            ("keyed", Effect::Keyed),
            ("verify", Effect::Verify),
            ("once", Effect::Once),
        ];
        let class_node = effect.optional("class");
        let class = effect.choice("class", &classes);
        let key = effect.optional_object("key").and_then(read_key);
        let verify = effect.optional_object("verify").and_then(read_verify);
        let (has_key, has_verify) = (effect.has("key"), effect.has("verify"));
        let then_verify = key.as_ref().is_some_and(|key| key.then == PastWindow::Verify);
        let reader = effect.reader();
        effect.finish();
        let class = class?;
        let lacking = match class {
            Effect::Keyed if !has_key => Some("`keyed` needs `key`: where the vendor takes it"),
            Effect::Verify if !has_verify => Some("`verify` needs `verify`: how to read back"),
            Effect::Keyed if then_verify && !has_verify => {
                Some("`then: verify` needs `verify`: how to read back")
            }
            Effect::Idempotent | Effect::Once if has_key || has_verify => {
                Some("`key` and `verify` have no meaning for this class")
            }
            _ => None,
        };
        if let (Some(message), Some(node)) = (lacking, class_node) {
            reader.report(codes::INCOMPLETE_EFFECT, node.span, message);
            return None;
        }
        // What was declared and could not be read was reported; a rule without it would be another rule.
        if (has_key && key.is_none()) || (has_verify && verify.is_none()) {
            return None;
        }
        Some(Self { class, declared: true, key, verify })
    }
}

fn read_key(mut object: ObjectReader<'_, '_>) -> Option<KeyRule> {
    #[derive(Clone, Copy)]
    enum In {
        Header,
        Query,
        Body,
    }
    let places = [("header", In::Header), ("query", In::Query), ("body", In::Body)];
    let formats = [("raw", KeyFormat::Raw), ("uuid", KeyFormat::Uuid), ("hash", KeyFormat::Hash)];
    let thens = [("verify", PastWindow::Verify), ("once", PastWindow::Once)];
    let place = object.choice("in", &places);
    let name_node = object.optional("name");
    let name = object.string("name");
    let format = object.optional_choice("format", &formats).unwrap_or(KeyFormat::Raw);
    let window = object.duration("window");
    let then = object.optional_choice("then", &thens).unwrap_or(PastWindow::Once);
    let reader = object.reader();
    object.finish();
    let name = name?;
    let place = match place? {
        In::Query => KeyPlace::Query(name.to_owned()),
        In::Body => KeyPlace::Body(name.to_owned()),
        In::Header => {
            let parsed = name.parse().ok();
            if let (None, Some(node)) = (&parsed, name_node) {
                reader.invalid(node, "`name` is not a header's name");
            }
            KeyPlace::Header(parsed?)
        }
    };
    Some(KeyRule { place, format, window: window?, then })
}

fn read_verify(mut object: ObjectReader<'_, '_>) -> Option<VerifyRule> {
    let not_founds = [("not_applied", NotFound::NotApplied), ("unknown", NotFound::Unknown)];
    let operation = object.string("operation").map(str::to_owned);
    let reader = object.reader();
    let arguments = object
        .required("parameters")
        .and_then(|node| expression::parse(reader, "parameters", node, &VERIFY_VARIABLES));
    let applied_when = object
        .required("applied_when")
        .and_then(|node| expression::parse(reader, "applied_when", node, &VERIFY_VARIABLES));
    let output = expression::optional(&mut object, "output", &VERIFY_VARIABLES);
    let settle_node = object.optional("settle");
    let settle = object.optional_duration("settle").unwrap_or(Duration::from_secs(2));
    let not_found =
        object.optional_choice("not_found_means", &not_founds).unwrap_or(NotFound::Unknown);
    if let Some(node) = settle_node
        && settle > LONGEST_SETTLE
    {
        reader.invalid(node, "`settle` is at most 10m");
    }
    object.finish();
    Some(VerifyRule {
        operation: operation?,
        arguments: arguments?,
        applied_when: applied_when?,
        output,
        settle: settle.min(LONGEST_SETTLE),
        not_found,
    })
}
