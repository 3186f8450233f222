//! Rules about what is exchanged over channels (AsyncAPI) and about the envelopes of events.

use super::{Area, Level, Rule};
use crate::mismatch::Direction;

pub(super) const ROWS: [&Rule; 30] = [
    &SEND_OPERATION_REMOVED,
    &SEND_OPERATION_ADDED,
    &RECEIVE_OPERATION_REMOVED,
    &RECEIVE_OPERATION_ADDED,
    &CHANNEL_ADDRESS_CHANGED,
    &CHANNEL_PARAMETER_NARROWED,
    &CHANNEL_PARAMETER_WIDENED,
    &CHANNEL_PARAMETER_DEFAULT_CHANGED,
    &SENT_MESSAGE_REMOVED,
    &SENT_MESSAGE_ADDED,
    &RECEIVED_MESSAGE_REMOVED,
    &RECEIVED_MESSAGE_ADDED,
    &MESSAGE_CONTENT_TYPE_CHANGED,
    &MESSAGE_NAME_CHANGED,
    &SENT_MESSAGE_HEADERS_REMOVED,
    &SENT_MESSAGE_HEADERS_ADDED,
    &RECEIVED_MESSAGE_HEADERS_REMOVED,
    &RECEIVED_MESSAGE_HEADERS_ADDED,
    &RECEIVED_MESSAGE_HEADERS_REQUIRED,
    &CORRELATION_ID_REMOVED,
    &CORRELATION_ID_CHANGED,
    &CORRELATION_ID_ADDED,
    &REPLY_REMOVED,
    &REPLY_ADDED,
    &REPLY_ADDRESS_CHANGED,
    &BINDING_CHANGED,
    &SERVER_PROTOCOL_CHANGED,
    &EVENT_TEXT_CHANGED,
    &CLOUDEVENT_TYPE_CHANGED,
    &CLOUDEVENT_DATASCHEMA_CHANGED,
];

pub(crate) static SEND_OPERATION_REMOVED: Rule = Rule::row(
    "send-operation-removed",
    Some(Direction::Response),
    Area::Events,
    Level::Breaking,
    "The application no longer sends these messages.",
    "Do without them: what they told is not told any more.",
);
pub(crate) static SEND_OPERATION_ADDED: Rule = Rule::row(
    "send-operation-added",
    Some(Direction::Response),
    Area::Events,
    Level::Additive,
    "The application sends messages that it did not send.",
    "Nothing; they may be subscribed to.",
);
pub(crate) static RECEIVE_OPERATION_REMOVED: Rule = Rule::row(
    "receive-operation-removed",
    Some(Direction::Request),
    Area::Events,
    Level::Breaking,
    "The application no longer receives these messages: nobody reads what is sent to it.",
    "Find out what takes its place and send that.",
);
pub(crate) static RECEIVE_OPERATION_ADDED: Rule = Rule::row(
    "receive-operation-added",
    Some(Direction::Request),
    Area::Events,
    Level::Additive,
    "The application receives messages that it did not receive.",
    "Nothing; they may be sent.",
);
pub(crate) static CHANNEL_ADDRESS_CHANGED: Rule = Rule::row(
    "channel-address-changed",
    None,
    Area::Events,
    Level::Breaking,
    "The messages travel over another address: whoever keeps to the old one sends to nobody, or hears nothing.",
    "Subscribe or send to the new address.",
);
pub(crate) static CHANNEL_PARAMETER_NARROWED: Rule = Rule::row(
    "channel-parameter-narrowed",
    None,
    Area::Events,
    Level::Breaking,
    "A parameter of the address lost values that it could have.",
    "Use the values that are left.",
);
pub(crate) static CHANNEL_PARAMETER_WIDENED: Rule = Rule::row(
    "channel-parameter-widened",
    None,
    Area::Events,
    Level::Additive,
    "A parameter of the address has values that it did not have.",
    "Nothing; they may be used.",
);
pub(crate) static CHANNEL_PARAMETER_DEFAULT_CHANGED: Rule = Rule::row(
    "channel-parameter-default-changed",
    None,
    Area::Events,
    Level::Risky,
    "A parameter of the address has another default.",
    "Name the value where the old default was meant.",
);
pub(crate) static SENT_MESSAGE_REMOVED: Rule = Rule::row(
    "sent-message-removed",
    Some(Direction::Response),
    Area::Events,
    Level::Breaking,
    "One of the messages is not sent any more.",
    "Do without it: what it told is not told any more.",
);
pub(crate) static SENT_MESSAGE_ADDED: Rule = Rule::row(
    "sent-message-added",
    Some(Direction::Response),
    Area::Events,
    Level::Risky,
    "A message may come over the channel that did not come before.",
    "See that readers pass over messages that they do not know.",
);
pub(crate) static RECEIVED_MESSAGE_REMOVED: Rule = Rule::row(
    "received-message-removed",
    Some(Direction::Request),
    Area::Events,
    Level::Breaking,
    "One of the messages is not received any more.",
    "Send another one in its place.",
);
pub(crate) static RECEIVED_MESSAGE_ADDED: Rule = Rule::row(
    "received-message-added",
    Some(Direction::Request),
    Area::Events,
    Level::Additive,
    "A message may be sent that could not be sent before.",
    "Nothing; it may be sent.",
);
pub(crate) static MESSAGE_CONTENT_TYPE_CHANGED: Rule = Rule::row(
    "message-content-type-changed",
    None,
    Area::Events,
    Level::Breaking,
    "The payload is written in another media type.",
    "Read or write the new media type.",
);
pub(crate) static MESSAGE_NAME_CHANGED: Rule = Rule::row(
    "message-name-changed",
    None,
    Area::Events,
    Level::Cosmetic,
    "The message has another name in the description, and is the same on the wire.",
    "Generate code anew and rename the message there.",
);
pub(crate) static SENT_MESSAGE_HEADERS_REMOVED: Rule = Rule::row(
    "sent-message-headers-removed",
    Some(Direction::Response),
    Area::Events,
    Level::Risky,
    "Headers that were described are not described any more.",
    "See whether they still come before relying on them.",
);
pub(crate) static SENT_MESSAGE_HEADERS_ADDED: Rule = Rule::row(
    "sent-message-headers-added",
    Some(Direction::Response),
    Area::Events,
    Level::Additive,
    "Headers are described where none were.",
    "Nothing; they may be read.",
);
pub(crate) static RECEIVED_MESSAGE_HEADERS_REMOVED: Rule = Rule::row(
    "received-message-headers-removed",
    Some(Direction::Request),
    Area::Events,
    Level::Risky,
    "Headers that were described are not described any more.",
    "See whether they are still heeded before relying on them.",
);
pub(crate) static RECEIVED_MESSAGE_HEADERS_ADDED: Rule = Rule::row(
    "received-message-headers-added",
    Some(Direction::Request),
    Area::Events,
    Level::Additive,
    "Headers are described where none were, and none has to be sent.",
    "Nothing; they may be sent.",
);
pub(crate) static RECEIVED_MESSAGE_HEADERS_REQUIRED: Rule = Rule::row(
    "received-message-headers-required",
    Some(Direction::Request),
    Area::Events,
    Level::Breaking,
    "Headers have to be sent where none were described.",
    "Send the headers that are required.",
);
pub(crate) static CORRELATION_ID_REMOVED: Rule = Rule::row(
    "correlation-id-removed",
    None,
    Area::Events,
    Level::Breaking,
    "The description no longer says where the correlation id is: answers cannot be told apart by it.",
    "Find another way to tell what belongs together.",
);
pub(crate) static CORRELATION_ID_CHANGED: Rule = Rule::row(
    "correlation-id-changed",
    None,
    Area::Events,
    Level::Breaking,
    "The correlation id is in another place.",
    "Read or write it in the new place.",
);
pub(crate) static CORRELATION_ID_ADDED: Rule = Rule::row(
    "correlation-id-added",
    None,
    Area::Events,
    Level::Additive,
    "The description says where a correlation id is.",
    "Nothing; it may be used.",
);
pub(crate) static REPLY_REMOVED: Rule = Rule::row(
    "reply-removed",
    None,
    Area::Events,
    Level::Breaking,
    "The operation has no reply any more.",
    "Do not wait for one.",
);
pub(crate) static REPLY_ADDED: Rule = Rule::row(
    "reply-added",
    None,
    Area::Events,
    Level::Additive,
    "The operation has a reply where it had none.",
    "Nothing, unless the reply is wanted.",
);
pub(crate) static REPLY_ADDRESS_CHANGED: Rule = Rule::row(
    "reply-address-changed",
    None,
    Area::Events,
    Level::Breaking,
    "Replies travel over another address.",
    "Listen or answer there.",
);
pub(crate) static BINDING_CHANGED: Rule = Rule::row(
    "binding-changed",
    None,
    Area::Events,
    Level::Risky,
    "A binding to a protocol is another: what it says holds outside of the messages.",
    "See what it means for the client of that protocol.",
);
pub(crate) static SERVER_PROTOCOL_CHANGED: Rule = Rule::row(
    "server-protocol-changed",
    None,
    Area::Events,
    Level::Breaking,
    "A server speaks another protocol, or another version of it.",
    "Connect with the new protocol.",
);
pub(crate) static EVENT_TEXT_CHANGED: Rule = Rule::row(
    "event-text-changed",
    None,
    Area::Events,
    Level::Cosmetic,
    "Texts or examples of a channel, an operation or a message changed.",
    "Nothing; only texts changed.",
);
pub(crate) static CLOUDEVENT_TYPE_CHANGED: Rule = Rule::row(
    "cloudevent-type-changed",
    None,
    Area::Events,
    Level::Breaking,
    "The CloudEvents `type` is another: subscriptions and routes choose events by it.",
    "Subscribe or send by the new type.",
);
pub(crate) static CLOUDEVENT_DATASCHEMA_CHANGED: Rule = Rule::row(
    "cloudevent-dataschema-changed",
    None,
    Area::Events,
    Level::Risky,
    "The CloudEvents `dataschema` is another: by the standard, another schema of the data has another URI.",
    "Read the new schema of the data.",
);
