//! Faults read from YAML or JSON, with every mistake reported at its place.

use std::time::Duration;

use http::StatusCode;
use qc_document::{
    Node, NodeValue, ObjectReader, ParseLimits, Reader, Source, closest, parse_duration,
};
use qc_model::{Finding, Timestamp};

use super::{Condition, Deed, Drift, Fault, Moment};
use crate::codes;

/// Largest extra size that `oversize` may ask for.
const OVERSIZE_LIMIT: i64 = 256 << 20;
/// What `oversize` adds when it does not say.
const OVERSIZE_DEFAULT: usize = 16 << 20;

const NAMES: [&str; 14] = [
    "status",
    "throttle",
    "unavailable",
    "expire_token",
    "revoke_credentials",
    "drop_after_apply",
    "drop_before_apply",
    "hang",
    "slow",
    "malformed",
    "wrong_type",
    "drift",
    "oversize",
    "error_in_200",
];

impl Fault {
    /// Reads `when`, `then` and `times` of an object that may have further keys of the caller's
    /// own (such as the provider's name); the caller calls `finish`.
    pub fn read(object: &mut ObjectReader<'_, '_>) -> Option<Self> {
        let when = match object.optional_object("when") {
            Some(when) => read_condition(when),
            None => Condition::default(),
        };
        let recurring = when.every.is_some() || when.per_million.is_some() || when.until.is_some();
        let times = match object.optional("times") {
            None if recurring => None,
            None => Some(1),
            Some(node) if node.as_str() == Some("always") => None,
            Some(node) => match node.as_i64().and_then(|times| u64::try_from(times).ok()) {
                Some(times) if times > 0 => Some(times),
                _ => {
                    let message = "`times` must be an integer from 1 on, or `always`";
                    object.reader().invalid(node, message);
                    Some(1)
                }
            },
        };
        let reader = object.reader();
        let then = read_deed(reader, object.required("then")?)?;
        Some(Self { when, then, times })
    }

    /// Reads a list of faults.
    pub fn read_list(reader: &Reader<'_>, nodes: &[Node]) -> Vec<Self> {
        let mut faults = Vec::new();
        for node in nodes {
            let Some(mut object) = object_of(reader, node, "the fault") else { continue };
            let fault = Self::read(&mut object);
            object.finish();
            faults.extend(fault);
        }
        faults
    }

    /// Reads one fault, or a list of them, from YAML or JSON text.
    pub fn parse(text: &str) -> Result<Vec<Self>, Vec<Finding>> {
        let source = Source::new("faults", text);
        let document = qc_document::parse_yaml(source, &ParseLimits::ingress())
            .map_err(|finding| vec![*finding])?;
        let reader = Reader::new(&document.source);
        let nodes = match &document.root.value {
            NodeValue::Sequence(items) => items.as_slice(),
            _ => std::slice::from_ref(&document.root),
        };
        let faults = Self::read_list(&reader, nodes);
        let findings = reader.finish();
        if findings.is_empty() { Ok(faults) } else { Err(findings) }
    }
}

fn object_of<'r, 'n>(
    reader: &'r Reader<'_>,
    node: &'n Node,
    what: &str,
) -> Option<ObjectReader<'r, 'n>>
where
    'r: 'n,
{
    reader.object(node, what)
}

fn read_condition(mut when: ObjectReader<'_, '_>) -> Condition {
    let count = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
    let condition = Condition {
        operation: when.optional_string("operation").map(str::to_owned),
        nth: count(when.optional_integer("nth", 1..=i64::MAX)),
        every: count(when.optional_integer("every", 1..=i64::MAX)),
        per_million: when.optional_number("probability", 0.0..=1.0).map(per_million),
        body_contains: when.optional_string("body_contains").map(str::to_owned),
        body_at: when.optional_object("body").and_then(|mut body| {
            let at = pointer(&mut body, "at");
            let equals = body.entry("equals").map(|(_, node)| node.to_value());
            body.finish();
            Some((at?, equals.unwrap_or_default()))
        }),
        after: when.optional_parse("after", moment),
        until: when.optional_parse("until", moment),
    };
    let empty_span = match (condition.after, condition.until) {
        (Some(Moment::Later(after)), Some(Moment::Later(until))) => until <= after,
        (Some(Moment::At(after)), Some(Moment::At(until))) => until <= after,
        _ => false,
    };
    if empty_span || condition.per_million == Some(0) {
        let span = when.span();
        when.reader().report(codes::IMPOSSIBLE_CONDITION, span, "this condition is never true");
    }
    when.finish();
    condition
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the reader checked 0..=1"
)]
fn per_million(share: f64) -> u32 {
    (share * 1_000_000.0).round() as u32
}

fn moment(text: &str) -> Result<Moment, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(Moment::At(at));
    }
    parse_duration(text).map(Moment::Later).map_err(|_| {
        "needs a duration such as `10s`, or a time such as `2026-11-20T09:30:00Z`".into()
    })
}

fn pointer(object: &mut ObjectReader<'_, '_>, key: &'static str) -> Option<String> {
    let node = object.required(key)?;
    checked_pointer(object.reader(), node)
}

/// A JSON Pointer of an answer or a body: empty, or beginning with `/`.
/// One pointer, or a list of them.
fn pointers(reader: &Reader<'_>, node: &Node) -> Option<Vec<String>> {
    let Some(items) = node.as_sequence() else {
        return checked_pointer(reader, node).map(|one| vec![one]);
    };
    if items.is_empty() {
        reader.invalid(node, "at least one JSON Pointer is needed");
        return None;
    }
    items.iter().map(|item| checked_pointer(reader, item)).collect()
}

fn checked_pointer(reader: &Reader<'_>, node: &Node) -> Option<String> {
    let text = reader.text(node, "the JSON Pointer")?;
    if text.is_empty() || text.starts_with('/') {
        return Some(text.to_owned());
    }
    reader.push(
        reader
            .error(codes::MALFORMED_PATTERN, node.span, "a JSON Pointer begins with `/`")
            .help(format!("write `/{text}`")),
    );
    None
}

fn read_deed(reader: &Reader<'_>, node: &Node) -> Option<Deed> {
    let (name, argument) = match &node.value {
        NodeValue::String(word) => (&**word, None),
        NodeValue::Mapping(entries) if entries.len() == 1 => {
            (&*entries[0].0.name, Some(&entries[0].1).filter(|argument| !argument.is_null()))
        }
        _ => {
            let message = "`then` needs one fault: a word, or an object with one key";
            let finding = reader.error(codes::UNKNOWN_FAULT, node.span, message);
            reader.push(finding.help(format!("known faults: {}", NAMES.join(", "))));
            return None;
        }
    };
    match name {
        "expire_token" => plain(reader, argument, Deed::ExpireToken),
        "revoke_credentials" => plain(reader, argument, Deed::RevokeCredentials),
        "drop_after_apply" => plain(reader, argument, Deed::DropAfterApply),
        "drop_before_apply" => plain(reader, argument, Deed::DropBeforeApply),
        "malformed" => plain(reader, argument, Deed::Malformed),
        "throttle" => Some(Deed::Throttle { retry_after: retry_after(reader, argument) }),
        "unavailable" => Some(Deed::Unavailable { retry_after: retry_after(reader, argument) }),
        "error_in_200" => match argument {
            Some(body) => Some(Deed::ErrorIn200 { body: body.to_value() }),
            None => needs(reader, node, "the body: `error_in_200: {ok: false}`"),
        },
        "slow" => match argument {
            Some(by) => Some(Deed::Slow { by: duration(reader, by)? }),
            None => needs(reader, node, "a duration: `slow: 300ms`"),
        },
        "hang" | "wrong_type" | "oversize" | "drift" | "status" => {
            read_with_fields(reader, node, name, argument)
        }
        other => {
            let message = format!("there is no fault `{other}`");
            let finding = reader.error(codes::UNKNOWN_FAULT, node.span, message);
            let help = match closest(other, NAMES.iter().copied()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("known faults: {}", NAMES.join(", ")),
            };
            reader.push(finding.help(help));
            None
        }
    }
}

fn read_with_fields(
    reader: &Reader<'_>,
    node: &Node,
    name: &str,
    argument: Option<&Node>,
) -> Option<Deed> {
    match (name, argument) {
        ("hang", None) => Some(Deed::Hang { applied: false }),
        ("wrong_type", None) => Some(Deed::WrongType { at: None }),
        ("oversize", None) => Some(Deed::Oversize { bytes: OVERSIZE_DEFAULT }),
        ("drift", None) => needs(reader, node, "`rename`, `remove` or `change_type`"),
        ("status", None) => needs(reader, node, "a code: `status: {code: 500}`"),
        ("status", Some(argument)) => read_status(reader, argument),
        ("drift", Some(argument)) => read_drift(reader, argument),
        (_, Some(argument)) => {
            let mut fields = reader.object(argument, &format!("`{name}`"))?;
            let deed = match name {
                "hang" => {
                    Some(Deed::Hang { applied: fields.optional_bool("applied").unwrap_or(false) })
                }
                "wrong_type" => {
                    pointer(&mut fields, "at").map(|at| Deed::WrongType { at: Some(at) })
                }
                _ => fields
                    .integer("bytes", 1..=OVERSIZE_LIMIT)
                    .and_then(|bytes| usize::try_from(bytes).ok())
                    .map(|bytes| Deed::Oversize { bytes }),
            };
            fields.finish();
            deed
        }
        _ => None,
    }
}

fn read_status(reader: &Reader<'_>, argument: &Node) -> Option<Deed> {
    if let Some(code) = argument.as_i64() {
        let code = u16::try_from(code).ok().filter(|code| StatusCode::from_u16(*code).is_ok());
        if code.is_none() {
            reader.invalid(argument, "an HTTP status is from 100 to 599");
        }
        return Some(Deed::Status { code: code?, retry_after: None, body: None, applied: false });
    }
    let mut fields = reader.object(argument, "`status`")?;
    let code = fields.integer("code", 200..=599).and_then(|code| u16::try_from(code).ok());
    let retry_after = fields.optional_duration("retry_after");
    let body = fields.entry("body").map(|(_, node)| node.to_value());
    let applied = fields.optional_bool("applied").unwrap_or(false);
    fields.finish();
    Some(Deed::Status { code: code?, retry_after, body, applied })
}

fn read_drift(reader: &Reader<'_>, argument: &Node) -> Option<Deed> {
    let mut fields = reader.object(argument, "`drift`")?;
    let drift = match fields.exactly_one(&["rename", "remove", "change_type"]) {
        Some(("rename", node)) => reader.object(node, "`rename`").and_then(|mut rename| {
            let from = pointer(&mut rename, "from");
            let to = rename.string("to").map(str::to_owned);
            rename.finish();
            Some(Drift::Rename { from: from?, to: to? })
        }),
        Some(("remove", node)) => pointers(reader, node).map(|at| Drift::Remove { at }),
        Some((_, node)) => checked_pointer(reader, node).map(|at| Drift::ChangeType { at }),
        None => None,
    };
    fields.finish();
    drift.map(Deed::Drift)
}

fn plain(reader: &Reader<'_>, argument: Option<&Node>, deed: Deed) -> Option<Deed> {
    let Some(argument) = argument else { return Some(deed) };
    reader.invalid(argument, format!("`{}` takes no argument", deed.name()));
    None
}

fn needs(reader: &Reader<'_>, node: &Node, what: &str) -> Option<Deed> {
    reader.invalid(node, format!("this fault needs {what}"));
    None
}

fn duration(reader: &Reader<'_>, node: &Node) -> Option<Duration> {
    let text = reader.text(node, "the duration")?;
    match parse_duration(text) {
        Ok(duration) => Some(duration),
        Err(error) => {
            reader.invalid(node, error.to_string());
            None
        }
    }
}

fn retry_after(reader: &Reader<'_>, argument: Option<&Node>) -> Option<Duration> {
    let mut fields = reader.object(argument?, "the fault")?;
    let after = fields.optional_duration("retry_after");
    fields.finish();
    after
}
