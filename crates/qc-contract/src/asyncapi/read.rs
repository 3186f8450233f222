//! From the tree of an AsyncAPI document to operations with their messages.

use std::sync::Arc;

use qc_document::{Node, NodeValue};
use qc_model::Finding;

use super::{Action, Broker, Channel, Exchange, Message, Reply};
use crate::codes;
use crate::documents::{At, last_segment};
use crate::model::{SchemaAt, SecurityRequirement};
use crate::openapi::{Reading, shared_text, text_of};

/// Most messages of one operation that are read.
const MESSAGE_LIMIT: usize = 1_000;
/// Most traits of one object that are read.
const TRAIT_LIMIT: usize = 32;

/// Formats of schemas that are JSON Schema or a superset of it, without their parameters.
const JSON_SCHEMAS: [&str; 6] = [
    "application/schema+json",
    "application/schema+yaml",
    "application/vnd.aai.asyncapi",
    "application/vnd.aai.asyncapi+json",
    "application/vnd.aai.asyncapi+yaml",
    "application/vnd.oai.openapi+json",
];

type Placed<'d> = (At, &'d Node);

pub(super) fn operations(reading: &mut Reading<'_, '_>) -> Vec<Exchange> {
    let root_at = At { file: 0, pointer: String::new() };
    for key in ["channels", "operations"] {
        let is_object = |node: &Node| matches!(node.value, NodeValue::Mapping(_));
        if !reading.documents.root().get(key).is_none_or(is_object) {
            reading.malformed(&root_at.child(key), format!("`{key}` must be an object"));
        }
    }
    let all = reading.documents.root().get("operations").and_then(Node::as_mapping);
    let at = root_at.child("operations");
    let mut operations = Vec::new();
    for (key, node) in all.unwrap_or_default() {
        let Some(found) = reading.follow(at.child(&key.name), node) else { continue };
        if let Some(operation) = operation(reading, &key.name, found) {
            operations.push(operation);
        }
    }
    operations
}

fn operation<'d>(
    reading: &mut Reading<'d, '_>,
    id: &Arc<str>,
    (at, node): Placed<'d>,
) -> Option<Exchange> {
    let action = match node.get("action").and_then(Node::as_str) {
        Some("send") => Action::Send,
        Some("receive") => Action::Receive,
        _ => {
            let message = format!("`action` of the operation `{id}` must be `send` or `receive`");
            reading.malformed(&at, message);
            return None;
        }
    };
    let Some((channel, channel_at)) = channel(reading, &at, node) else {
        reading.malformed(&at, format!("the operation `{id}` needs `channel`, a reference"));
        return None;
    };
    let messages = messages(reading, (&at, node), Some(&channel_at));
    let reply = node.get("reply").and_then(|reply_node| {
        let found = reading.follow(at.child("reply"), reply_node)?;
        Some(reply(reading, found))
    });
    let security = with_traits(reading, &at, node, "security")
        .first()
        .map(|placed| security(reading, placed))
        .unwrap_or_default();
    Some(Exchange { id: Arc::clone(id), action, channel, messages, reply, security, at })
}

/// The channel that an operation or reply refers to.
fn channel<'d>(
    reading: &mut Reading<'d, '_>,
    at: &At,
    node: &'d Node,
) -> Option<(Channel, Placed<'d>)> {
    let named = node.get("channel")?;
    let id = named.get("$ref").and_then(Node::as_str).map(last_segment)?;
    let (at, node) = reading.follow(at.child("channel"), named)?;
    let address = text_of(node, "address");
    Some((Channel { id: Arc::from(id), address, at: at.clone() }, (at, node)))
}

/// The messages that an operation or reply names, or all of its channel.
fn messages<'d>(
    reading: &mut Reading<'d, '_>,
    (at, node): (&At, &'d Node),
    channel: Option<&Placed<'d>>,
) -> Vec<Message> {
    let mut found: Vec<(Arc<str>, At, &'d Node)> = Vec::new();
    if let Some(list) = node.get("messages") {
        let at = at.child("messages");
        for (index, item) in list.as_sequence().unwrap_or_default().iter().enumerate() {
            let at = at.child(&index.to_string());
            let Some(reference) = item.get("$ref").and_then(Node::as_str) else {
                reading.malformed(&at, "a message of an operation must be a reference");
                continue;
            };
            found.push((Arc::from(last_segment(reference)), at, item));
        }
    } else if let Some((at, node)) = channel {
        let at = at.child("messages");
        for (key, item) in node.get("messages").and_then(Node::as_mapping).unwrap_or_default() {
            found.push((Arc::clone(&key.name), at.child(&key.name), item));
        }
    }
    if found.len() > MESSAGE_LIMIT {
        let message = format!("one operation has more than {MESSAGE_LIMIT} messages");
        let place = reading.documents.place(at);
        reading.push(Finding::error(codes::TOO_MANY, message).at(place));
        found.truncate(MESSAGE_LIMIT);
    }
    let mut messages = Vec::with_capacity(found.len());
    for (id, at, node) in found {
        if let Some(placed) = reading.follow(at, node) {
            messages.push(message(reading, id, placed));
        }
    }
    messages
}

fn message<'d>(reading: &mut Reading<'d, '_>, id: Arc<str>, (at, node): Placed<'d>) -> Message {
    let mut first = |key: &str| with_traits(reading, &at, node, key).into_iter().next();
    let said = |placed: Option<Placed<'_>>| placed.and_then(|(_, node)| shared_text(node));
    let (name, content_type) = (said(first("name")), said(first("contentType")));
    let correlation = first("correlationId");
    let correlation = correlation.and_then(|(at, node)| reading.follow(at, node));
    let default = text_of(reading.documents.root(), "defaultContentType");
    let payload = node.get("payload").map(|payload| (at.child("payload"), payload));
    let payload = payload.and_then(|placed| schema(reading, placed));
    let headers = with_traits(reading, &at, node, "headers");
    let headers = headers.into_iter().filter_map(|placed| schema(reading, placed)).collect();
    Message {
        id,
        name,
        content_type: content_type.or(default),
        payload,
        headers,
        correlation: correlation.and_then(|(_, node)| text_of(node, "location")),
        at,
    }
}

fn reply<'d>(reading: &mut Reading<'d, '_>, (at, node): Placed<'d>) -> Reply {
    let address = node.get("address").map(|address| (at.child("address"), address));
    let address = address.and_then(|(at, node)| reading.follow(at, node));
    let channel = channel(reading, &at, node);
    let messages = messages(reading, (&at, node), channel.as_ref().map(|(_, placed)| placed));
    Reply {
        location: address.and_then(|(_, node)| text_of(node, "location")),
        channel: channel.map(|(channel, _)| channel),
        messages,
        at,
    }
}

/// A key of an object and of its traits, what counts most first: the object itself, then its last trait.
fn with_traits<'d>(
    reading: &mut Reading<'d, '_>,
    at: &At,
    node: &'d Node,
    key: &str,
) -> Vec<Placed<'d>> {
    let mut found: Vec<Placed<'d>> = Vec::new();
    found.extend(node.get(key).map(|value| (at.child(key), value)));
    let traits_at = at.child("traits");
    let traits = node.get("traits").and_then(Node::as_sequence).unwrap_or_default();
    for (index, item) in traits.iter().enumerate().take(TRAIT_LIMIT).rev() {
        if let Some((at, node)) = reading.follow(traits_at.child(&index.to_string()), item) {
            found.extend(node.get(key).map(|value| (at.child(key), value)));
        }
    }
    found
}

/// A payload or headers: a JSON Schema, or a schema beside the name of its format.
fn schema<'d>(reading: &mut Reading<'d, '_>, (at, node): Placed<'d>) -> Option<SchemaAt> {
    let (own_at, own) = reading.follow(at.clone(), node)?;
    let Some(format) = own.get("schemaFormat") else { return Some(Reading::schema_at(at)) };
    let written = format.as_str().unwrap_or_default();
    let essence = written.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if JSON_SCHEMAS.contains(&&*essence) {
        return own.get("schema").map(|_| Reading::schema_at(own_at.child("schema")));
    }
    let message = format!("payloads of the format `{written}` are not read");
    let place = reading.documents.place(&own_at.child("schemaFormat"));
    let help = "describe the payload by a JSON Schema, or leave this message out of the comparison";
    reading.push(Finding::error(codes::UNSUPPORTED, message).at(place).help(help));
    None
}

/// The alternatives of a list of security schemes; each is a reference, or a scheme with the scopes that it needs.
fn security<'d>(
    reading: &mut Reading<'d, '_>,
    (at, node): &Placed<'d>,
) -> Vec<SecurityRequirement> {
    let mut alternatives = Vec::new();
    for (index, item) in node.as_sequence().unwrap_or_default().iter().enumerate() {
        let reference = item.get("$ref").and_then(Node::as_str).map(last_segment);
        let Some((_, scheme)) = reading.follow(at.child(&index.to_string()), item) else {
            continue;
        };
        let kind = scheme.get("type").and_then(Node::as_str).unwrap_or_default();
        let scopes = scheme.get("scopes").and_then(Node::as_sequence).unwrap_or_default();
        let name = Arc::from(reference.unwrap_or_else(|| kind.to_owned()));
        let scopes = scopes.iter().filter_map(shared_text).collect();
        alternatives.push(SecurityRequirement { schemes: vec![(name, scopes)] });
    }
    alternatives
}

/// The servers of the document.
pub(super) fn brokers(reading: &mut Reading<'_, '_>) -> Vec<Broker> {
    let at = At { file: 0, pointer: "/servers".to_owned() };
    let all = reading.documents.root().get("servers").and_then(Node::as_mapping);
    let mut brokers = Vec::new();
    for (key, node) in all.unwrap_or_default() {
        let Some((at, node)) = reading.follow(at.child(&key.name), node) else { continue };
        let text = |key: &str| text_of(node, key).unwrap_or_default();
        let address = format!("{}://{}{}", text("protocol"), text("host"), text("pathname"));
        let asked = node.get("security").map(|list| (at.child("security"), list));
        let security = asked.map(|placed| security(reading, &placed)).unwrap_or_default();
        brokers.push(Broker { name: Arc::clone(&key.name), address, security, at });
    }
    brokers
}
