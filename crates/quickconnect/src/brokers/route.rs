//! One route: what a publication's outbox holds goes to its exchange.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use qc_broker::{Fault, Link, Outbox, Outgoing, Outlet, Queued, Sink, amqp::Exchange, publish};
use qc_engine::{Departure, Deployment, OutboxEntry, Publication, Target, Tie};
use qc_store::StoreError;
use tokio::{
    sync::{Mutex, watch},
    time::timeout,
};

use super::{Parts, address::address, said::say};
use crate::codes;

/// How often the outbox is looked into without news: another node may have added to it.
const LOOK: Duration = Duration::from_secs(2);
/// The longest message id and type, in bytes: AMQP bounds them.
const SHORT: usize = 255;
/// The media type of a CloudEvent in structured form.
const MEDIA_TYPE: &str = "application/cloudevents+json";

/// A publication of a deployed release.
pub(super) struct Route {
    parts: Parts,
    deployment: Arc<Deployment>,
    tie: Tie,
    outbox: qc_engine::Outbox,
    emissions: Mutex<watch::Receiver<u64>>,
    /// What was read last, with what becomes of it when the broker has it.
    page: Mutex<Vec<Departure>>,
}

impl Route {
    pub(super) fn new(parts: Parts, deployment: Arc<Deployment>, tie: Tie) -> Self {
        let outbox = parts.engine.outbox(tie.clone());
        let emissions = Mutex::new(parts.engine.emissions());
        Self { parts, deployment, tie, outbox, emissions, page: Mutex::default() }
    }

    pub(super) async fn run(&self, stop: watch::Receiver<bool>) {
        publish(self, Way(self), stop).await;
    }

    fn publication(&self) -> Option<&Publication> {
        self.deployment.release.publications.get(&self.tie.name)
    }

    /// The message of an event, and where it goes in words; an error says why it can go nowhere.
    fn message(&self, entry: &OutboxEntry) -> Result<(Outgoing, String), String> {
        let publication = self.publication().ok_or("the publication is gone")?;
        let Target::Amqp { exchange, .. } = &publication.to;
        let event = &entry.event;
        let routing_key = publication.routing_key(event, self.parts.clock.now())?;
        let text = |name: &str| event[name].as_str().unwrap_or_default();
        let id = text("id");
        if id.len() > SHORT {
            return Err(format!("the event's id has {} bytes of at most {SHORT}", id.len()));
        }
        let to = format!("amqp:{exchange}:{routing_key}");
        let message = Outgoing {
            id: id.to_owned(),
            routing_key,
            content_type: MEDIA_TYPE.to_owned(),
            kind: text("type").to_owned(),
            body: Bytes::from(event.to_string()),
        };
        Ok((message, to))
    }
}

fn away(error: &StoreError) -> Fault {
    let help = "see the server's log; what waits stays where it is";
    Fault::new(codes::HELD, format!("the store cannot be used: {error}"), help)
}

#[async_trait]
impl Outbox for Route {
    fn is_ours(&self) -> bool {
        let ours = self.parts.engine.sends(&self.tie);
        if !ours {
            // How it stands is the other node's to say.
            self.parts.engine.standings().gone(&self.tie);
        }
        ours
    }

    async fn waiting(&self) -> Result<Vec<Queued>, Fault> {
        // What is emitted from now on is news.
        self.emissions.lock().await.borrow_and_update();
        let entries = self.outbox.waiting().await.map_err(|error| away(&error))?;
        let mut page = Vec::with_capacity(entries.len());
        let mut queued = Vec::with_capacity(entries.len());
        for entry in entries {
            let (message, result) = match self.message(&entry) {
                Ok((message, to)) => (Some(message), Ok(to)),
                Err(why) => {
                    let (route, run) = (&self.tie.name, &entry.run);
                    tracing::error!(%route, %run, "an event can go nowhere: {why}");
                    (None, Err(why))
                }
            };
            queued.push(message);
            page.push(Departure { entry, result });
        }
        *self.page.lock().await = page;
        Ok(queued)
    }

    async fn gone(&self, count: usize) -> Result<(), Fault> {
        let page = self.page.lock().await;
        let departures = page.get(..count).unwrap_or_default();
        if !self.outbox.departed(departures).await.map_err(|error| away(&error))? {
            tracing::warn!(route = %self.tie.name, "another node sends on the same events");
        }
        Ok(())
    }

    async fn news(&self) {
        let mut emissions = self.emissions.lock().await;
        // The engine lives longer than its routes; and without news there is another look.
        drop(timeout(LOOK, emissions.changed()).await);
    }

    fn stands(&self, link: Link) {
        say(&self.parts, &self.tie, link, "events go out");
    }
}

/// The way to the route's exchange. Looks the address up each time: a new password counts at the next connection.
struct Way<'a>(&'a Route);

#[async_trait]
impl Sink for Way<'_> {
    async fn open(&self) -> Result<Box<dyn Outlet>, Fault> {
        let route = self.0;
        let Some(publication) = route.publication() else { return std::future::pending().await };
        let Target::Amqp { broker, exchange, .. } = &publication.to;
        let address = address(broker, &route.deployment, &route.parts.secrets)?;
        Exchange::new(route.parts.client.clone(), address, exchange.clone()).open().await
    }
}
