use async_trait::async_trait;
use bytes::Bytes;

use crate::Fault;

/// Where messages come from: one queue, topic or subject of a broker.
#[async_trait]
pub trait Source: Send + Sync {
    /// Connects and subscribes.
    async fn open(&self) -> Result<Box<dyn Intake>, Fault>;
}

/// An open subscription. Dropping it gives back to the broker what is not settled.
#[async_trait]
pub trait Intake: Send {
    /// The next message. Safe to drop and call again: no message is lost by that.
    async fn next(&mut self) -> Result<Delivery, Fault>;

    /// Tells the broker what became of a message.
    async fn settle(&mut self, tag: u64, settlement: Settlement) -> Result<(), Fault>;

    /// Ends the subscription in order.
    async fn close(&mut self);
}

/// Where messages go.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Connects and sees that the target is there.
    async fn open(&self) -> Result<Box<dyn Outlet>, Fault>;
}

/// An open way out.
#[async_trait]
pub trait Outlet: Send {
    /// Sends messages in order and waits until the broker has taken each into its care. Answers how many of them, from
    /// the first on, it has, and why not all.
    async fn send(&mut self, batch: &[Outgoing]) -> (usize, Result<(), Fault>);

    /// Ends the connection in order.
    async fn close(&mut self);
}

/// A message that came, with what it is settled by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The broker's name for this delivery, within the subscription.
    pub tag: u64,
    /// The message.
    pub message: Message,
}

/// A message as it came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// The sender's id of it.
    pub id: Option<String>,
    /// Its media type.
    pub content_type: Option<String>,
    /// How its body is encoded, such as `gzip`.
    pub content_encoding: Option<String>,
    /// The attributes of a CloudEvent in binary form, their prefix taken off.
    pub attributes: Vec<(String, String)>,
    /// The W3C `traceparent`.
    pub traceparent: Option<String>,
    /// Whether the broker delivered it before.
    pub redelivered: bool,
    /// Its body.
    pub body: Bytes,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// It is on disk.
    Taken,
    /// It is refused for good: the broker dead-letters or drops it.
    Refused,
}

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its id: the same when it is sent again.
    pub id: String,
    /// What it is about, for those who route by it.
    pub routing_key: String,
    /// Its media type.
    pub content_type: String,
    /// Its kind, in business words.
    pub kind: String,
    /// Its body.
    pub body: Bytes,
}
