use std::collections::HashMap;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use lapin::{
    Acker, BasicProperties, Channel, Connection, Consumer,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, BasicRejectOptions},
    types::{AMQPValue, FieldTable},
};
use qc_model::Timestamp;

use super::{
    Address, Client,
    connect::close,
    refusal::{Doing, fault},
};
use crate::{Delivery, Fault, Intake, Message, Settlement, Source};

/// The prefixes of CloudEvents attributes among a message's headers. Source: AMQP Protocol Binding 1.0.2, section 3.1.3.1.
const PREFIXES: [&str; 2] = ["cloudEvents:", "cloudEvents_"];
/// The most attributes that are looked at.
const ATTRIBUTES: usize = 128;

/// A queue of a broker.
pub struct Queue {
    client: Client,
    address: Address,
    name: String,
    prefetch: u16,
}

impl Queue {
    /// A queue that must be there; `prefetch` bounds the messages in hand.
    pub fn new(client: Client, address: Address, name: String, prefetch: u16) -> Self {
        Self { client, address, name, prefetch }
    }
}

#[async_trait]
impl Source for Queue {
    async fn open(&self) -> Result<Box<dyn Intake>, Fault> {
        let doing = Doing::Consume(&self.address, &self.name);
        let (connection, channel) = self.client.connect(&self.address).await?;
        let refused = |error: lapin::Error| fault(&error, &doing);
        channel.basic_qos(self.prefetch, BasicQosOptions::default()).await.map_err(refused)?;
        let consumer = channel
            .basic_consume(
                self.name.as_str().into(),
                "".into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await
            .map_err(refused)?;
        Ok(Box::new(Subscription {
            consumer,
            ackers: HashMap::new(),
            connection,
            _channel: channel,
            address: self.address.clone(),
            queue: self.name.clone(),
        }))
    }
}

struct Subscription {
    consumer: Consumer,
    /// By delivery tag; at most `prefetch` of them.
    ackers: HashMap<u64, Acker>,
    connection: Connection,
    /// The subscription ends with its channel.
    _channel: Channel,
    address: Address,
    queue: String,
}

impl Subscription {
    fn fault(&self, error: &lapin::Error) -> Fault {
        fault(error, &Doing::Consume(&self.address, &self.queue))
    }

    fn ended(&self) -> Fault {
        Fault::new(
            crate::codes::QUEUE,
            format!(
                "the broker ended the subscription to the queue `{}` of {}",
                self.queue, self.address
            ),
            "the queue may have been deleted; it is looked for again by itself",
        )
    }
}

#[async_trait]
impl Intake for Subscription {
    async fn next(&mut self) -> Result<Delivery, Fault> {
        match self.consumer.next().await {
            Some(Ok(came)) => {
                let tag = came.delivery_tag;
                self.ackers.insert(tag, came.acker);
                let message = message(&came.properties, came.redelivered, came.data);
                Ok(Delivery { tag, message })
            }
            Some(Err(error)) => Err(self.fault(&error)),
            None => Err(self.ended()),
        }
    }

    async fn settle(&mut self, tag: u64, settlement: Settlement) -> Result<(), Fault> {
        let Some(acker) = self.ackers.remove(&tag) else { return Ok(()) };
        let settled = match settlement {
            Settlement::Taken => acker.ack(BasicAckOptions::default()).await,
            Settlement::Refused => acker.reject(BasicRejectOptions { requeue: false }).await,
        };
        match settled {
            Ok(true) => Ok(()),
            // The channel is gone, and the message with it back to the queue.
            Ok(false) => Err(self.ended()),
            Err(error) => Err(self.fault(&error)),
        }
    }

    async fn close(&mut self) {
        close(&self.connection).await;
    }
}

fn message(properties: &BasicProperties, redelivered: bool, body: Vec<u8>) -> Message {
    let text = |text: &Option<lapin::types::ShortString>| {
        text.as_ref().map(|text| text.as_str().to_owned()).filter(|text| !text.is_empty())
    };
    let mut message = Message {
        id: text(properties.message_id()),
        content_type: text(properties.content_type()),
        content_encoding: text(properties.content_encoding()),
        redelivered,
        body: Bytes::from(body),
        ..Message::default()
    };
    for (name, value) in properties.headers().iter().flat_map(FieldTable::inner) {
        let name = name.as_str();
        if name == "traceparent" {
            message.traceparent = shown(value);
        } else if let Some(attribute) = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix))
            && message.attributes.len() < ATTRIBUTES
            && let Some(value) = shown(value)
        {
            message.attributes.push((attribute.to_owned(), value));
        }
    }
    message
}

/// A header's value as text; nothing for what no CloudEvents attribute can be.
fn shown(value: &AMQPValue) -> Option<String> {
    Some(match value {
        AMQPValue::LongString(text) => String::from_utf8(text.as_bytes().to_vec()).ok()?,
        AMQPValue::ShortString(text) => text.as_str().to_owned(),
        AMQPValue::Boolean(value) => value.to_string(),
        AMQPValue::ShortShortInt(value) => value.to_string(),
        AMQPValue::ShortShortUInt(value) => value.to_string(),
        AMQPValue::ShortInt(value) => value.to_string(),
        AMQPValue::ShortUInt(value) => value.to_string(),
        AMQPValue::LongInt(value) => value.to_string(),
        AMQPValue::LongUInt(value) => value.to_string(),
        AMQPValue::LongLongInt(value) => value.to_string(),
        AMQPValue::Timestamp(seconds) => {
            let millis = i64::try_from(*seconds).ok()?.checked_mul(1_000)?;
            Timestamp::from_millis(millis).to_string()
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_of_both_prefixes_and_all_kinds_are_read() {
        let mut headers = FieldTable::default();
        let text = |text: &str| AMQPValue::LongString(text.into());
        headers.insert("cloudEvents:id".into(), text("1"));
        headers.insert("cloudEvents_count".into(), AMQPValue::LongInt(7));
        headers.insert("cloudEvents:time".into(), AMQPValue::Timestamp(1_795_000_000));
        headers.insert("cloudEvents:odd".into(), AMQPValue::Void);
        headers.insert("x-other".into(), text("no"));
        headers.insert("traceparent".into(), text("00-aa"));
        let properties = BasicProperties::default()
            .with_headers(headers)
            .with_message_id("m-1".into())
            .with_content_type("application/json".into());
        let message = message(&properties, true, b"{}".to_vec());
        let mut attributes = message.attributes.clone();
        attributes.sort();
        let expected = [("count", "7"), ("id", "1"), ("time", "2026-11-18T11:06:40Z")];
        let seen: Vec<(&str, &str)> =
            attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(seen.len(), 3);
        assert_eq!((seen[0], seen[1]), (expected[0], expected[1]));
        assert!(seen[2].1.starts_with("2026-"), "{seen:?}");
        assert_eq!(message.id.as_deref(), Some("m-1"));
        assert_eq!(message.traceparent.as_deref(), Some("00-aa"));
        assert!(message.redelivered);
    }
}
