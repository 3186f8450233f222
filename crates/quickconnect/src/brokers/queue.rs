//! One queue: its messages go through the same door as requests to the trigger's address would.

use std::sync::Arc;

use async_trait::async_trait;
use qc_broker::{Fault, Intake, Link, Message, Source, Taker, Verdict, amqp::Queue, consume};
use qc_engine::{AmqpTrigger, Deployment, Tie, Trigger, TriggerKind};
use qc_server::{OfferOutcome, Offered};
use tokio::sync::watch;

use super::{Parts, address::address, said::say};

/// A subscription to the queue of a deployed trigger.
pub(super) struct Subscription {
    parts: Parts,
    deployment: Arc<Deployment>,
    tie: Tie,
}

impl Subscription {
    pub(super) fn new(parts: Parts, deployment: Arc<Deployment>, tie: Tie) -> Self {
        Self { parts, deployment, tie }
    }

    pub(super) async fn run(&self, stop: watch::Receiver<bool>) {
        let Some((_, amqp)) = self.trigger() else { return };
        consume(self, self, amqp.prefetch, stop).await;
    }

    fn trigger(&self) -> Option<(&Trigger, &AmqpTrigger)> {
        let trigger = self.deployment.release.triggers.get(&self.tie.name)?;
        match &trigger.kind {
            TriggerKind::Amqp(amqp) => Some((trigger, amqp)),
            _ => None,
        }
    }
}

#[async_trait]
impl Source for Subscription {
    /// Looks the address up each time: a new password counts at the next connection.
    async fn open(&self) -> Result<Box<dyn Intake>, Fault> {
        let Some((_, amqp)) = self.trigger() else { return std::future::pending().await };
        let address = address(&amqp.broker, &self.deployment, &self.parts.secrets)?;
        let client = self.parts.client.clone();
        Queue::new(client, address, amqp.queue.clone(), amqp.prefetch).open().await
    }
}

#[async_trait]
impl Taker for Subscription {
    async fn take(&self, message: &Message) -> Verdict {
        let Some((trigger, amqp)) = self.trigger() else {
            return Verdict::Later("the trigger is gone".to_owned());
        };
        let offered = Offered {
            from: format!("amqp:{}", amqp.queue),
            id: message.id.clone(),
            content_type: message.content_type.clone(),
            content_encoding: message.content_encoding.clone(),
            attributes: message.attributes.clone(),
            traceparent: message.traceparent.clone(),
            body: message.body.clone(),
        };
        match self.parts.state.offer(&self.deployment, trigger, &offered).await {
            OfferOutcome::Taken => Verdict::Taken,
            OfferOutcome::Refused => Verdict::Refused,
            OfferOutcome::Later(why) => Verdict::Later(why),
        }
    }

    fn stands(&self, link: Link) {
        say(&self.parts, &self.tie, link, "messages come");
    }
}
