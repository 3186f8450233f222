//! A client of the broker as other systems are: makes queues, publishes with confirms, looks.

use std::time::{Duration, Instant};

use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind,
    options::{
        BasicAckOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions,
        ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable},
};
use serde_json::Value;

/// How long anything may take that must come.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Line {
    pub(crate) channel: Channel,
    _connection: Connection,
}

impl Line {
    pub(crate) async fn to(url: &str) -> Self {
        let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        Self { channel, _connection: connection }
    }

    /// A durable queue whose dead letters go to `<queue>.dead`.
    pub(crate) async fn queue(&self, name: &str) {
        let dead = format!("{name}.dead");
        let durable = QueueDeclareOptions::durable();
        let plain = FieldTable::default();
        self.channel.queue_declare(dead.as_str().into(), durable, plain).await.unwrap();
        let mut arguments = FieldTable::default();
        arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString("".into()));
        arguments.insert("x-dead-letter-routing-key".into(), AMQPValue::LongString(dead.into()));
        self.channel.queue_declare(name.into(), durable, arguments).await.unwrap();
    }

    /// A durable topic exchange with a queue of everything that goes through it.
    pub(crate) async fn exchange(&self, name: &str, queue: &str) {
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let plain = FieldTable::default();
        let kind = ExchangeKind::Topic;
        self.channel.exchange_declare(name.into(), kind, durable, plain.clone()).await.unwrap();
        self.queue(queue).await;
        let bind = QueueBindOptions::default();
        self.channel.queue_bind(queue.into(), name.into(), "#".into(), bind, plain).await.unwrap();
    }

    /// Publishes to a queue and waits for the broker's word.
    pub(crate) async fn put(&self, queue: &str, body: &[u8], properties: BasicProperties) {
        let properties = properties.with_delivery_mode(2);
        let options = BasicPublishOptions::default();
        let published =
            self.channel.basic_publish("".into(), queue.into(), options, body, properties);
        assert!(published.await.unwrap().await.unwrap().is_ack());
    }

    /// Publishes JSON to a queue.
    pub(crate) async fn put_json(&self, queue: &str, body: &Value) {
        let properties = BasicProperties::default().with_content_type("application/json".into());
        self.put(queue, body.to_string().as_bytes(), properties).await;
    }

    /// Messages that are ready in a queue.
    pub(crate) async fn ready(&self, queue: &str) -> u32 {
        let look = QueueDeclareOptions::default().passive();
        let queue = self.channel.queue_declare(queue.into(), look, FieldTable::default());
        queue.await.unwrap().message_count()
    }

    /// Waits until the count of ready messages pleases.
    pub(crate) async fn until(&self, queue: &str, pleases: impl Fn(u32) -> bool) -> u32 {
        let began = Instant::now();
        loop {
            let ready = self.ready(queue).await;
            if pleases(ready) {
                return ready;
            }
            assert!(began.elapsed() < PATIENCE, "{queue} still holds {ready} messages");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Takes a message out of a queue.
    pub(crate) async fn get(&self, queue: &str) -> Option<lapin::message::BasicGetMessage> {
        let got =
            self.channel.basic_get(queue.into(), BasicGetOptions::default()).await.unwrap()?;
        got.delivery.acker.ack(BasicAckOptions::default()).await.unwrap();
        Some(got)
    }
}
