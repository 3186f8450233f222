use std::time::Duration;

use async_trait::async_trait;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ExchangeKind,
    options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions},
    types::FieldTable,
};
use tokio::time::timeout;

use super::{
    Address, Client,
    connect::close,
    refusal::{Doing, fault},
};
use crate::{Fault, Outgoing, Outlet, Sink, codes};

/// How long the broker may take to confirm a batch.
const CONFIRM: Duration = Duration::from_secs(30);
/// Delivery mode of messages that survive the broker's restart.
const PERSISTENT: u8 = 2;

/// An exchange of a broker.
pub struct Exchange {
    client: Client,
    address: Address,
    name: String,
}

impl Exchange {
    /// An exchange that must be there.
    pub fn new(client: Client, address: Address, name: String) -> Self {
        Self { client, address, name }
    }
}

#[async_trait]
impl Sink for Exchange {
    async fn open(&self) -> Result<Box<dyn Outlet>, Fault> {
        let (connection, channel) = self.client.connect(&self.address).await?;
        let doing = Doing::Publish(&self.address, &self.name);
        let refused = |error: lapin::Error| fault(&error, &doing);
        if !self.name.is_empty() {
            // Passive: it looks whether the exchange is there, of whatever kind, and makes none.
            let passive =
                ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
            let name = self.name.as_str().into();
            let kind = ExchangeKind::Topic;
            let looked = channel.exchange_declare(name, kind, passive, FieldTable::default()).await;
            looked.map_err(refused)?;
        }
        channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(refused)?;
        Ok(Box::new(Way {
            channel,
            connection,
            address: self.address.clone(),
            exchange: self.name.clone(),
        }))
    }
}

struct Way {
    channel: Channel,
    connection: Connection,
    address: Address,
    exchange: String,
}

impl Way {
    fn fault(&self, error: &lapin::Error) -> Fault {
        fault(error, &Doing::Publish(&self.address, &self.exchange))
    }

    /// Publishes all, then hears of each in order.
    async fn through(&self, batch: &[Outgoing], confirmed: &mut usize) -> Result<(), Fault> {
        let mut confirms = Vec::with_capacity(batch.len());
        for one in batch {
            let properties = BasicProperties::default()
                .with_message_id(one.id.as_str().into())
                .with_content_type(one.content_type.as_str().into())
                .with_type(one.kind.as_str().into())
                .with_delivery_mode(PERSISTENT);
            let published = self.channel.basic_publish(
                self.exchange.as_str().into(),
                one.routing_key.as_str().into(),
                BasicPublishOptions::default(),
                &one.body,
                properties,
            );
            confirms.push(published.await.map_err(|error| self.fault(&error))?);
        }
        for confirm in confirms {
            match confirm.await.map_err(|error| self.fault(&error))? {
                Confirmation::Ack(_) => *confirmed += 1,
                Confirmation::Nack(_) | Confirmation::NotRequested => {
                    return Err(self.not_confirmed("it refused a message"));
                }
            }
        }
        Ok(())
    }

    fn not_confirmed(&self, why: &str) -> Fault {
        Fault::new(
            codes::NOT_CONFIRMED,
            format!("the broker at {} does not confirm: {why}", self.address),
            "see its log: memory or disk may be short, or a queue's limit reached; what is not confirmed is sent again by itself",
        )
    }
}

#[async_trait]
impl Outlet for Way {
    async fn send(&mut self, batch: &[Outgoing]) -> (usize, Result<(), Fault>) {
        let mut confirmed = 0;
        let sent = timeout(CONFIRM, self.through(batch, &mut confirmed)).await;
        let result = sent.unwrap_or_else(|_| Err(self.not_confirmed("it does not answer in time")));
        (confirmed, result)
    }

    async fn close(&mut self) {
        close(&self.connection).await;
    }
}
