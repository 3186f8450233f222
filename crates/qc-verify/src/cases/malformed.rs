//! Bodies that are no documents of their media type.

use bytes::Bytes;
use qc_contract::Direction;
use serde_json::{Value, json};

use super::{Change, Expects, Kind, Maker, Plan, body_content};
use crate::credentials::Sign;
use crate::wire::{essence, is_json};

/// How deep the deep document is: more than parsers bound themselves to, and small on the wire.
const DEPTH: usize = 10_000;

impl Maker<'_> {
    pub(super) fn malformed(&mut self) {
        let Some(media_type) = self.wire.media_type.clone() else { return };
        let is_required = self.operation.request_body.as_ref().is_some_and(|body| body.required);
        if is_required {
            let change = Change::Raw { body: Bytes::new(), media_type: Some(media_type.clone()) };
            self.add(plan("empty-body", "the required body is empty", change, Expects::Refused));
        }
        self.other_media_type();
        if !is_json(&media_type) {
            self.skip("malformed documents", format!("only JSON is malformed, not `{media_type}`"));
            return;
        }
        let whole = self.wire.body.to_vec();
        let raw =
            |body: Vec<u8>| Change::Raw { body: body.into(), media_type: Some(media_type.clone()) };
        let mut truncated = whole.clone();
        truncated.pop();
        if serde_json::from_slice::<Value>(&truncated).is_err() && !truncated.is_empty() {
            self.add(plan("truncated", "the JSON is cut off", raw(truncated), Expects::Refused));
        }
        let mut trailing = whole.clone();
        trailing.extend_from_slice(b"]}");
        let name = "more follows after the JSON";
        self.add(plan("trailing", name, raw(trailing), Expects::Refused));
        self.add(plan(
            "not-json",
            "the body is no JSON",
            raw(b"{qc: not json}".to_vec()),
            Expects::Refused,
        ));
        let name = "the JSON is not UTF-8 (RFC 8259, 8.1)";
        self.add(plan("invalid-utf8", name, raw(spoiled(&whole)), Expects::Refused));
        if let Some(twice) = key_twice(&whole) {
            // RFC 8259, section 4: what receivers make of it is unpredictable.
            let name = "the JSON has a key twice";
            self.add(plan("duplicate-key", name, raw(twice), Expects::Tolerated));
        }
        let deep = [vec![b'['; DEPTH], vec![b']'; DEPTH]].concat();
        let schema = body_content(self.operation).and_then(|content| content.schema.as_ref());
        let admits_lists = schema.is_none_or(|schema| {
            self.api.check(schema, Direction::Request, &json!([[]])).is_empty()
        });
        let expects = if admits_lists { Expects::Tolerated } else { Expects::Refused };
        let name = format!("the JSON is nested {DEPTH} deep");
        self.add(plan("deep", &name, raw(deep), expects));
    }

    fn other_media_type(&mut self) {
        let described = self.operation.request_body.iter().flat_map(|body| &body.content);
        let described: Vec<String> =
            described.map(|content| essence(&content.media_type)).collect();
        let other = "application/x-qc-not-described";
        if described.iter().any(|media_type| media_type == "*/*" || media_type == "application/*") {
            return;
        }
        let change =
            Change::Raw { body: self.wire.body.clone(), media_type: Some(other.to_owned()) };
        let name = "the body has a media type that is not described";
        self.add(plan("wrong-media-type", name, change, Expects::Refused));
    }
}

fn plan(slug: &str, name: &str, change: Change, expects: Expects) -> Plan {
    let kind = Kind::Malformed;
    Plan { slug: slug.to_owned(), name: name.to_owned(), kind, change, sign: Sign::Valid, expects }
}

/// The document with a byte in it that no UTF-8 has: inside of its first text, else of a text of its own.
fn spoiled(whole: &[u8]) -> Vec<u8> {
    match whole.iter().position(|byte| *byte == b'"') {
        Some(quote) => {
            let (before, after) = whole.split_at(quote + 1);
            [before, &[0xff][..], after].concat()
        }
        None => vec![b'"', 0xff, b'"'],
    }
}

/// An object with its first field written twice.
fn key_twice(whole: &[u8]) -> Option<Vec<u8>> {
    let value: Value = serde_json::from_slice(whole).ok()?;
    let (name, first) = value.as_object()?.iter().next()?;
    let mut twice = format!("{{{}:{first},", Value::from(name.as_str())).into_bytes();
    twice.extend_from_slice(whole.get(1..)?);
    Some(twice)
}
