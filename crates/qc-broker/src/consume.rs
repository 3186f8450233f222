//! From a broker to whoever takes its messages.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use crate::{Delivery, Fault, Intake, Message, Pauses, Settlement, Source};

/// How long messages that are being taken may still be settled after the wish to stop.
const SETTLE: Duration = Duration::from_secs(5);

/// A subscription that held for so long was a good one: the pauses begin anew.
const GOOD: Duration = Duration::from_secs(30);

/// Who takes messages.
#[async_trait]
pub trait Taker: Send + Sync {
    /// Takes one message. `Taken` means that it is on disk.
    async fn take(&self, message: &Message) -> Verdict;

    /// Hears how the subscription stands.
    fn stands(&self, link: Link);
}

/// What the taker says of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is on disk, or was before.
    Taken,
    /// It will never be taken.
    Refused,
    /// It cannot be taken now; the reason is for people.
    Later(String),
}

/// How a subscription stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// Messages come.
    Up,
    /// Messages are held back: they cannot be taken now.
    Held(String),
    /// There is no connection.
    Down(Fault),
}

/// Why a session over one connection ended.
enum End {
    Stopped,
    Broken(Fault),
}

/// Takes messages from a source until `stop` says so. At most `prefetch` of them are in hand at once; each is settled
/// when the taker has decided. What cannot be taken now stays in hand, unsettled, so that no more come than that; it is
/// offered again after growing pauses. A connection that breaks is made anew after growing pauses.
pub async fn consume(
    source: &dyn Source,
    taker: &dyn Taker,
    prefetch: u16,
    stop: watch::Receiver<bool>,
) {
    let mut pauses = Pauses::reconnecting();
    while !*stop.borrow() {
        let fault = tokio::select! {
            opened = source.open() => match opened {
                Ok(mut intake) => {
                    let since = Instant::now();
                    taker.stands(Link::Up);
                    let end = session(&mut *intake, taker, prefetch, stop.clone()).await;
                    if since.elapsed() >= GOOD {
                        pauses.reset();
                    }
                    match end {
                        End::Stopped => {
                            intake.close().await;
                            return;
                        }
                        End::Broken(fault) => fault,
                    }
                }
                Err(fault) => fault,
            },
            () = stopped(&stop) => return,
        };
        taker.stands(Link::Down(fault));
        tokio::select! {
            () = sleep(pauses.grow()) => {}
            () = stopped(&stop) => return,
        }
    }
}

async fn session(
    intake: &mut dyn Intake,
    taker: &dyn Taker,
    prefetch: u16,
    stop: watch::Receiver<bool>,
) -> End {
    let room = usize::from(prefetch.max(1));
    let mut in_hand = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            () = stopped(&stop) => break,
            Some((tag, settled)) = in_hand.next(), if !in_hand.is_empty() => {
                if let Some(settlement) = settled
                    && let Err(fault) = intake.settle(tag, settlement).await
                {
                    return End::Broken(fault);
                }
            }
            delivery = intake.next(), if in_hand.len() < room => match delivery {
                Ok(delivery) => in_hand.push(offer(taker, delivery, stop.clone())),
                Err(fault) => return End::Broken(fault),
            },
        }
    }
    // What is being taken is settled; what nobody could take goes back to the broker with the connection.
    let settling = async {
        while let Some((tag, settled)) = in_hand.next().await {
            if let Some(settlement) = settled {
                intake.settle(tag, settlement).await?;
            }
        }
        Ok::<(), Fault>(())
    };
    match timeout(SETTLE, settling).await {
        Ok(Err(fault)) => End::Broken(fault),
        Ok(Ok(())) | Err(_) => End::Stopped,
    }
}

/// Waits for the wish to stop.
async fn stopped(stop: &watch::Receiver<bool>) {
    // Who could say so no longer is gone: that is a wish, too.
    drop(stop.clone().wait_for(|stop| *stop).await);
}

/// Offers a message until it is taken or refused; nothing when it is left to the broker.
async fn offer(
    taker: &dyn Taker,
    delivery: Delivery,
    stop: watch::Receiver<bool>,
) -> (u64, Option<Settlement>) {
    let mut pauses = Pauses::holding();
    let mut held = false;
    loop {
        let settlement = match taker.take(&delivery.message).await {
            Verdict::Taken => Settlement::Taken,
            Verdict::Refused => Settlement::Refused,
            Verdict::Later(why) => {
                held = true;
                taker.stands(Link::Held(why));
                tokio::select! {
                    () = sleep(pauses.grow()) => continue,
                    () = stopped(&stop) => return (delivery.tag, None),
                }
            }
        };
        if held {
            taker.stands(Link::Up);
        }
        return (delivery.tag, Some(settlement));
    }
}

#[cfg(test)]
#[path = "consume_tests.rs"]
mod tests;
