//! `simulator.yaml`: what an OpenAPI document does not say about how its provider behaves.

use std::borrow::Cow;
use std::time::Duration;

use http::HeaderName;
use qc_document::{Document, Node, NodeValue, ObjectReader, Reader, parse_duration};
use qc_expression::Expression;
use qc_model::{Finding, Place};
use serde_json::Value;

use crate::codes;
use crate::fault::Fault;

/// A simulator's file. Every part is optional; the default is what the document alone says.
#[derive(Debug, Clone, Default)]
pub struct SimulatorSpec {
    pub(crate) ids: Vec<IdRule>,
    pub(crate) reference: Vec<ReferencePath>,
    pub(crate) idempotency: Option<Idempotency>,
    pub(crate) token_lifetime: Option<Duration>,
    pub(crate) latency: Latency,
    pub(crate) batches: Vec<BatchRule>,
    pub(crate) state: Vec<(Named, Vec<Value>)>,
    pub(crate) faults: Vec<(Fault, Option<Place>)>,
}

/// A word of the file that must fit the document, with its place.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) text: String,
    pub(crate) place: Place,
}

/// How the ids of a collection are made.
#[derive(Debug, Clone)]
pub(crate) struct IdRule {
    pub(crate) collection: Named,
    pub(crate) pattern: IdPattern,
    pub(crate) field: Option<String>,
}

/// Text with `{n}` (a number counted up) and `{uuid}` in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdPattern(pub(crate) Vec<IdPart>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IdPart {
    Text(String),
    Number,
    Uuid,
}

/// Where a request's business reference stands: `/body/external_ref`, `/path/case_id`, `/query/ref`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReferencePath {
    Body(String),
    Path(String),
    Query(String),
}

/// How the provider treats idempotency keys.
#[derive(Debug, Clone)]
pub(crate) struct Idempotency {
    pub(crate) header: HeaderName,
    pub(crate) window: Duration,
    pub(crate) operations: Vec<Named>,
    /// What a known key with another request gets: 422 or 409.
    pub(crate) mismatch: u16,
}

/// An operation that does for many what another one does for one.
#[derive(Debug, Clone)]
pub(crate) struct BatchRule {
    pub(crate) operation: Named,
    /// What is done for each.
    pub(crate) each: Named,
    /// The bodies, over its own: a list.
    pub(crate) items: Expression,
    /// What it answers, over the list of what came of each: `[{status, body}]`.
    pub(crate) answer: Expression,
}

/// How long answers take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Latency {
    pub(crate) from: Duration,
    pub(crate) to: Duration,
}

/// The longest latency that a file may ask for.
const LATENCY_LIMIT: Duration = Duration::from_secs(60);
/// Most references that are looked at.
const REFERENCE_LIMIT: usize = 20;

impl SimulatorSpec {
    /// Whether it says what an operation does that takes many.
    pub fn does_many(&self, operation: &str) -> bool {
        self.batches.iter().any(|rule| rule.operation.text == operation)
    }

    /// Reads a simulator's file; every problem is a finding.
    pub fn read(document: &Document) -> (Self, Vec<Finding>) {
        let mut spec = Self::default();
        let reader = Reader::new(&document.source);
        if document.root.is_null() {
            return (spec, reader.finish());
        }
        if let Some(mut top) = reader.object(&document.root, "the simulator") {
            spec.ids = read_ids(&mut top);
            spec.reference = read_references(&mut top);
            spec.idempotency = top.optional_object("idempotency").and_then(read_idempotency);
            if let Some(mut auth) = top.optional_object("auth") {
                spec.token_lifetime = auth.optional_duration("token_lifetime");
                auth.finish();
            }
            if let Some(node) = top.optional("latency") {
                spec.latency = read_latency(&reader, node);
            }
            spec.batches = read_batches(&mut top);
            spec.state = read_state(&mut top);
            for mut object in top.objects("faults") {
                let place = reader.source().place(object.span());
                spec.faults.extend(Fault::read(&mut object).map(|fault| (fault, Some(place))));
                object.finish();
            }
            top.finish();
        }
        (spec, reader.finish())
    }
}

fn named(reader: &Reader<'_>, node: &Node, text: &str) -> Named {
    Named { text: text.to_owned(), place: reader.source().place(node.span) }
}

fn read_ids(top: &mut ObjectReader<'_, '_>) -> Vec<IdRule> {
    let reader = top.reader();
    let mut rules = Vec::new();
    for (key, node) in top.entries("id") {
        let place = reader.source().place(key.span);
        let collection = Named { text: key.name.to_string(), place };
        let (pattern, field) = match &node.value {
            NodeValue::Mapping(_) => {
                let Some(mut rule) = reader.object(node, "the id rule") else { continue };
                let pattern = rule.required("pattern");
                let field = rule.optional_string("field").map(str::to_owned);
                rule.finish();
                (pattern, field)
            }
            _ => (Some(node), None),
        };
        if let Some(pattern) = pattern.and_then(|node| read_pattern(reader, node)) {
            rules.push(IdRule { collection, pattern, field });
        }
    }
    rules
}

fn read_batches(top: &mut ObjectReader<'_, '_>) -> Vec<BatchRule> {
    let reader = top.reader();
    let mut rules = Vec::new();
    for (key, mut object) in top.named_objects("batches") {
        let place = reader.source().place(key.span);
        let operation = Named { text: key.name.to_string(), place };
        let node = object.optional("each");
        let each = object.string("each");
        let mut jq = |name: &'static str| {
            let node = object.required(name)?;
            let text = reader.text(node, "a jq expression")?;
            let parsed = Expression::parse_field(text, &[]);
            if let Err(error) = &parsed {
                let message = format!("`{name}`: {}", error.message);
                reader.report(codes::MALFORMED_PATTERN, node.span, message);
            }
            parsed.ok()
        };
        let (items, answer) = (jq("items"), jq("answer"));
        object.finish();
        if let (Some(node), Some(each), Some(items), Some(answer)) = (node, each, items, answer) {
            let each = named(reader, node, each);
            rules.push(BatchRule { operation, each, items, answer });
        }
    }
    rules
}

fn read_pattern(reader: &Reader<'_>, node: &Node) -> Option<IdPattern> {
    let text = reader.text(node, "the id pattern")?;
    let pattern = IdPattern::parse(text);
    if pattern.is_none() {
        let message = "an id pattern needs `{n}` or `{uuid}` once, and no other braces";
        let finding = reader.error(codes::MALFORMED_PATTERN, node.span, message);
        reader.push(finding.help("for example `TCK-{n}`"));
    }
    pattern
}

impl IdPattern {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (before, part, after) = match (text.split_once("{n}"), text.split_once("{uuid}")) {
            (Some((before, after)), None) => (before, IdPart::Number, after),
            (None, Some((before, after))) => (before, IdPart::Uuid, after),
            _ => return None,
        };
        if [before, after].iter().any(|text| text.contains(['{', '}', '/'])) {
            return None;
        }
        let text = |text: &str| Some(IdPart::Text(text.to_owned())).filter(|_| !text.is_empty());
        Some(Self(text(before).into_iter().chain([part]).chain(text(after)).collect()))
    }
}

fn read_references(top: &mut ObjectReader<'_, '_>) -> Vec<ReferencePath> {
    let reader = top.reader();
    let mut paths = Vec::new();
    for (node, text) in top.strings("reference").into_iter().take(REFERENCE_LIMIT) {
        let name = |rest: &str| qc_document::pointer_segments(rest).next().map(Cow::into_owned);
        let path = if let Some(rest) = text.strip_prefix("/body/") {
            Some(ReferencePath::Body(format!("/{rest}")))
        } else if text.starts_with("/path/") {
            name(&text[5..]).map(ReferencePath::Path)
        } else if text.starts_with("/query/") {
            name(&text[6..]).map(ReferencePath::Query)
        } else {
            None
        };
        if path.is_none() {
            let message = "a reference begins with `/body/`, `/path/` or `/query/`";
            reader.report(codes::MALFORMED_PATTERN, node.span, message);
        }
        paths.extend(path);
    }
    paths
}

fn read_idempotency(mut object: ObjectReader<'_, '_>) -> Option<Idempotency> {
    let reader = object.reader();
    let header = object.parse("header", |text| {
        HeaderName::try_from(text).map_err(|_| "is not a header's name".to_owned())
    });
    let window = object.duration("window");
    let operations: Vec<Named> = object
        .strings("operations")
        .into_iter()
        .map(|(node, text)| named(reader, node, text))
        .collect();
    let mismatch = object.optional("mismatch").and_then(|node| match node.as_i64() {
        Some(422) => Some(422),
        Some(409) => Some(409),
        _ => {
            reader.invalid(node, "`mismatch` is 422 or 409");
            None
        }
    });
    object.finish();
    Some(Idempotency {
        header: header?,
        window: window?,
        operations,
        mismatch: mismatch.unwrap_or(422),
    })
}

fn read_latency(reader: &Reader<'_>, node: &Node) -> Latency {
    let bounded = |duration: Option<Duration>| {
        let duration = duration.unwrap_or_default();
        if duration > LATENCY_LIMIT {
            reader.invalid(node, "a latency is at most 60 seconds");
        }
        duration.min(LATENCY_LIMIT)
    };
    if let Some(text) = node.as_str() {
        let duration = parse_duration(text);
        if let Err(error) = &duration {
            reader.invalid(node, format!("`latency`: {error}"));
        }
        let duration = bounded(duration.ok());
        return Latency { from: duration, to: duration };
    }
    let Some(mut object) = reader.object(node, "`latency`") else { return Latency::default() };
    let from = bounded(object.duration("from"));
    let to = bounded(object.duration("to"));
    object.finish();
    if from > to {
        reader.invalid(node, "`from` is longer than `to`");
    }
    Latency { from, to: to.max(from) }
}

fn read_state(top: &mut ObjectReader<'_, '_>) -> Vec<(Named, Vec<Value>)> {
    let reader = top.reader();
    let mut state = Vec::new();
    for (key, node) in top.entries("state") {
        let place = reader.source().place(key.span);
        let Some(items) = reader.list(node, "the initial resources") else { continue };
        let collection = Named { text: key.name.to_string(), place };
        state.push((collection, items.iter().map(Node::to_value).collect()));
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;
    use qc_document::{ParseLimits, Source, parse_yaml};

    fn read(text: &str) -> (SimulatorSpec, Vec<String>) {
        let source = Source::new("simulator.yaml", text);
        let document = parse_yaml(source, &ParseLimits::default()).expect("is YAML");
        let (spec, findings) = SimulatorSpec::read(&document);
        (spec, findings.iter().map(|finding| finding.code.to_string()).collect())
    }

    #[test]
    fn reads_every_part() {
        let (spec, findings) = read(
            "id:\n  /issues: TCK-{n}\n  /notes: {pattern: '{uuid}', field: key}\n\
             reference: [/body/external_ref, /path/case_id, /query/ref]\n\
             idempotency: {header: Idempotency-Key, window: 24h, operations: [createIssue]}\n\
             auth: {token_lifetime: 30s}\nlatency: {from: 1ms, to: 5ms}\n\
             state: {/channels: [{id: C1}]}\n\
             faults:\n  - {when: {operation: createIssue, nth: 2}, then: {throttle: {retry_after: 1s}}}\n",
        );
        assert_eq!(findings, Vec::<String>::new());
        assert_eq!(
            spec.ids[0].pattern,
            IdPattern(vec![IdPart::Text("TCK-".into()), IdPart::Number])
        );
        assert_eq!(spec.ids[1].field.as_deref(), Some("key"));
        assert_eq!(spec.reference.len(), 3);
        assert_eq!(spec.reference[1], ReferencePath::Path("case_id".into()));
        assert_eq!(spec.token_lifetime, Some(Duration::from_secs(30)));
        assert_eq!(spec.latency.to, Duration::from_millis(5));
        assert_eq!((spec.state.len(), spec.faults.len()), (1, 1));
    }

    #[test]
    fn reports_every_mistake() {
        let (_, findings) = read(
            "id: {/issues: TCK}\nreference: [external_ref]\nidempotency: {header: 'a b', window: 1d}\n\
             latency: 90s\nfaults:\n  - {then: explode}\nfautls: []\n",
        );
        let expected = ["QC-T005", "QC-T005", "QC-Q015", "QC-Q015", "QC-T003", "QC-Q012"];
        assert_eq!(findings, expected);
    }
}
