//! From whoever has messages to send on, to a broker.

use std::time::Duration;

use async_trait::async_trait;
use tokio::{sync::watch, time::sleep};

use crate::{Fault, Link, Outgoing, Pauses, Sink, sender::Sender};

/// How often a node that may not send looks whether it may.
const LOOK: Duration = Duration::from_secs(2);

/// Who has messages to send on, and remembers how far they have come.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Whether this process is the one that sends them.
    fn is_ours(&self) -> bool;

    /// The next messages, in order: a bounded page.
    async fn waiting(&self) -> Result<Vec<Queued>, Fault>;

    /// The broker has so many of the messages that were read last, from the first on, or they were passed over.
    async fn gone(&self, count: usize) -> Result<(), Fault>;

    /// Returns when there may be more.
    async fn news(&self);

    /// Hears how the way out stands.
    fn stands(&self, link: Link);
}

/// A message in an outbox; none for one that can go nowhere and is passed over.
pub type Queued = Option<Outgoing>;

/// Sends on what waits, in order, until `stop` says so. A message counts as gone once the broker has confirmed it; what
/// was sent and not confirmed is sent again, under the same id.
pub async fn publish<S: Sink>(outbox: &dyn Outbox, sink: S, stop: watch::Receiver<bool>) {
    let mut sender = Sender::new(sink);
    let mut pauses = Pauses::reconnecting();
    let stopped = async || drop(stop.clone().wait_for(|stop| *stop).await);
    while !*stop.borrow() {
        if !outbox.is_ours() {
            sender.close().await;
            tokio::select! {
                () = sleep(LOOK) => continue,
                () = stopped() => break,
            }
        }
        let turn = tokio::select! {
            turn = send_some(outbox, &mut sender) => turn,
            // What is on its way then is sent again: nothing says that it arrived.
            () = stopped() => break,
        };
        match turn {
            Ok(sent) => {
                pauses.reset();
                outbox.stands(Link::Up);
                if sent == 0 {
                    tokio::select! {
                        () = outbox.news() => {}
                        () = stopped() => break,
                    }
                }
            }
            Err(fault) => {
                outbox.stands(Link::Down(fault));
                tokio::select! {
                    () = sleep(pauses.grow()) => {}
                    () = stopped() => break,
                }
            }
        }
    }
    sender.close().await;
}

/// Sends one page; how many went.
async fn send_some<S: Sink>(outbox: &dyn Outbox, sender: &mut Sender<S>) -> Result<usize, Fault> {
    // Also without messages: a target that is not there is said at once, and not with the first event.
    sender.open().await?;
    let queued = outbox.waiting().await?;
    let batch: Vec<Outgoing> = queued.iter().flatten().cloned().collect();
    let (confirmed, result) =
        if batch.is_empty() { (0, Ok(())) } else { sender.send(&batch).await };
    let gone = gone(&queued, confirmed);
    if gone > 0 {
        outbox.gone(gone).await?;
    }
    result.map(|()| gone)
}

/// How many of the messages, from the first on, are done with: confirmed ones, and the passed over among and directly
/// behind them.
fn gone(queued: &[Queued], confirmed: usize) -> usize {
    let mut left = confirmed;
    queued
        .iter()
        .take_while(|one| match (one, left) {
            (None, _) => true,
            (Some(_), 0) => false,
            (Some(_), _) => {
                left -= 1;
                true
            }
        })
        .count()
}

#[cfg(test)]
#[path = "publish_tests.rs"]
mod tests;
