//! Changes of what is exchanged over channels.

use serde_json::{Value, json};

use crate::sites::{Site, below, of_sites};
use crate::{Area, Kind, Label, Pair, Way, edited};

/// Which way the messages of a channel travel: the application tells of orders and answers commands; it takes commands
/// and levels of stock.
const CHANNELS: [(&str, Way); 4] = [
    ("placed", Way::Response),
    ("results", Way::Response),
    ("commands", Way::Request),
    ("stock", Way::Request),
];

/// Operator, pointer, value (`-` removes), what must be told of it, and of the way back.
const EDITS: [(&str, &str, &str, &str, &str); 30] = [
    (
        "operation",
        "/operations/tellPlaced",
        "-",
        "breaking send-operation-removed",
        "additive send-operation-added",
    ),
    (
        "operation",
        "/operations/takeStock",
        "-",
        "breaking receive-operation-removed",
        "additive receive-operation-added",
    ),
    (
        "operation",
        "/operations/takeCommands",
        "-",
        "breaking receive-operation-removed",
        "additive receive-operation-added",
    ),
    (
        "action",
        "/operations/takeStock/action",
        "\"send\"",
        "breaking receive-operation-removed",
        "breaking send-operation-removed",
    ),
    (
        "address",
        "/channels/placed/address",
        "\"orders.placed\"",
        "breaking channel-address-changed",
        "breaking channel-address-changed",
    ),
    (
        "address",
        "/channels/stock/address",
        "\"stock.new\"",
        "breaking channel-address-changed",
        "breaking channel-address-changed",
    ),
    (
        "address",
        "/channels/commands/address",
        "null",
        "breaking channel-address-changed",
        "breaking channel-address-changed",
    ),
    (
        "address parameter",
        "/channels/placed/parameters/region/enum",
        "[\"eu\"]",
        "breaking channel-parameter-narrowed",
        "additive channel-parameter-widened",
    ),
    (
        "address parameter",
        "/channels/placed/parameters/region/default",
        "\"us\"",
        "risky channel-parameter-default-changed",
        "risky channel-parameter-default-changed",
    ),
    (
        "message",
        "/channels/placed/messages/cancelled",
        "-",
        "breaking sent-message-removed",
        "risky sent-message-added",
    ),
    (
        "message",
        "/channels/placed/messages/placed",
        "-",
        "breaking sent-message-removed",
        "risky sent-message-added",
    ),
    (
        "message",
        "/channels/commands/messages/hold",
        "-",
        "breaking received-message-removed",
        "additive received-message-added",
    ),
    (
        "message",
        "/channels/commands/messages/cancel",
        "-",
        "breaking received-message-removed",
        "additive received-message-added",
    ),
    (
        "content type",
        "/channels/placed/messages/placed/contentType",
        "\"text/xml\"",
        "breaking message-content-type-changed",
        "breaking message-content-type-changed",
    ),
    (
        "content type",
        "/defaultContentType",
        "\"text/xml\"",
        "breaking message-content-type-changed",
        "breaking message-content-type-changed",
    ),
    (
        "name",
        "/channels/stock/messages/level/name",
        "\"StockLevel\"",
        "cosmetic message-name-changed",
        "cosmetic message-name-changed",
    ),
    (
        "headers",
        "/channels/placed/messages/placed/headers",
        "-",
        "risky sent-message-headers-removed",
        "additive sent-message-headers-added",
    ),
    (
        "headers",
        "/channels/commands/messages/cancel/headers",
        "-",
        "risky received-message-headers-removed",
        "additive received-message-headers-added",
    ),
    (
        "headers",
        "/channels/commands/messages/hold/headers",
        "{\"type\": \"object\", \"required\": [\"a\"]}",
        "breaking received-message-headers-required",
        "risky received-message-headers-removed",
    ),
    (
        "payload",
        "/channels/stock/messages/level/payload",
        "-",
        "additive request-schema-removed",
        "breaking request-schema-added",
    ),
    (
        "payload",
        "/channels/placed/messages/cancelled/payload",
        "-",
        "risky response-schema-removed",
        "risky response-schema-added",
    ),
    (
        "correlation id",
        "/channels/placed/messages/placed/correlationId",
        "-",
        "breaking correlation-id-removed",
        "additive correlation-id-added",
    ),
    (
        "correlation id",
        "/channels/commands/messages/cancel/correlationId/location",
        "\"$message.payload#/id\"",
        "breaking correlation-id-changed",
        "breaking correlation-id-changed",
    ),
    (
        "reply",
        "/operations/takeCommands/reply",
        "-",
        "breaking reply-removed",
        "additive reply-added",
    ),
    (
        "reply",
        "/channels/results/address",
        "\"results.other\"",
        "breaking reply-address-changed",
        "breaking reply-address-changed",
    ),
    (
        "credentials",
        "/operations/takeCommands/security",
        "-",
        "risky security-removed",
        "breaking security-added",
    ),
    (
        "credentials",
        "/components/securitySchemes/scram/type",
        "\"scramSha512\"",
        "breaking security-definition-changed",
        "breaking security-definition-changed",
    ),
    ("server", "/servers/edge", "-", "risky server-removed", "additive server-added"),
    (
        "server",
        "/servers/edge/protocol",
        "\"mqtt5\"",
        "breaking server-protocol-changed",
        "breaking server-protocol-changed",
    ),
    (
        "CloudEvents type",
        "/channels/placed/messages/placed/payload/properties/type/const",
        "\"com.example.order.placed.v2\"",
        "breaking cloudevent-type-changed",
        "breaking cloudevent-type-changed",
    ),
];

pub(crate) fn base() -> Value {
    serde_json::from_str(include_str!("orders.json")).expect("is JSON")
}

pub(crate) fn pairs() -> Vec<Pair> {
    let base = base();
    let mut sites = Vec::new();
    for (channel, way) in CHANNELS {
        let messages = base["channels"][channel]["messages"].as_object().expect("messages");
        for (name, message) in messages {
            for part in ["payload", "headers"] {
                if message.get(part).is_some() {
                    let pointer = format!("/channels/{channel}/messages/{name}/{part}");
                    below(&base, &Site { pointer, way, area: Area::Event }, &mut sites);
                }
            }
        }
    }
    // The attributes of the envelope are CloudEvents' own; `allOf` around a fixed type is not what envelopes are.
    sites.retain(|site| !site.pointer.ends_with("/payload/properties/type"));
    let mut pairs = of_sites(&base, &sites, Kind::AsyncApi);
    for (operator, pointer, value, there, back) in EDITS {
        let value: Option<Value> =
            if value == "-" { None } else { Some(serde_json::from_str(value).expect("is JSON")) };
        let new = edited(&base, pointer, value.as_ref());
        let label = |text: &str| {
            let (level, rule) = text.split_once(' ').expect("a level and a rule");
            Label::told(level, rule)
        };
        pairs.push(Pair::new(operator, Area::Event, &base, &new, label(there)).of(Kind::AsyncApi));
        pairs.push(Pair::new(operator, Area::Event, &new, &base, label(back)).of(Kind::AsyncApi));
    }
    pairs.extend(harmless(&base));
    pairs
}

/// The same in other words, and what nobody can notice.
fn harmless(base: &Value) -> Vec<Pair> {
    let renamed = |from: &str, to: &str| -> Value {
        serde_json::from_str(&base.to_string().replace(from, to)).expect("is JSON")
    };
    let payload = "/channels/stock/messages/level/payload";
    let schema = base.pointer(payload).expect("is there");
    let wrapped =
        json!({"schemaFormat": "application/schema+json;version=draft-07", "schema": schema});
    // What is on the wire counts before the keys.
    let mut swapped = base.clone();
    let messages = &mut swapped["channels"]["placed"]["messages"];
    let (one, other) = (messages["placed"].clone(), messages["cancelled"].clone());
    *messages = json!({"placed": other, "cancelled": one});
    let mut pairs = Vec::new();
    for (operator, new, label) in [
        ("keys of messages", swapped.to_string(), Label::told("cosmetic", "message-name-changed")),
        (
            "name of a parameter",
            renamed("{region}", "{land}").to_string().replace("\"region\":", "\"land\":"),
            Label::nothing(),
        ),
        (
            "format of schemas named",
            edited(base, payload, Some(&wrapped)).to_string(),
            Label::nothing(),
        ),
        (
            "name of an operation",
            renamed("takeStock", "hearStock").to_string(),
            Label::told("cosmetic", "operation-id-changed"),
        ),
        ("name of a server", renamed("\"edge\"", "\"border\"").to_string(), Label::nothing()),
        ("dataschema", renamed("order/1", "order/2").to_string(), Label::Harmless),
    ] {
        let new: Value = serde_json::from_str(&new).expect("is JSON");
        // Another value of an attribute that is fixed is a break by itself.
        let label = if operator == "dataschema" {
            Label::told("breaking", "response-enum-widened")
        } else {
            label
        };
        pairs.push(Pair::new(operator, Area::Event, base, &new, label.clone()).of(Kind::AsyncApi));
        pairs.push(Pair::new(operator, Area::Event, &new, base, label).of(Kind::AsyncApi));
    }
    pairs
}
