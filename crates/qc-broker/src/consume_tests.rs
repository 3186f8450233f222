use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use bytes::Bytes;

use super::*;
use crate::codes;

/// A broker of one queue: what is not settled when a subscription ends is there again.
#[derive(Default)]
struct Broker {
    queue: Mutex<VecDeque<Bytes>>,
    settled: Mutex<Vec<(Bytes, Settlement)>>,
    /// Subscriptions that may still be made.
    opens: Mutex<usize>,
    /// Settlements after which a connection breaks.
    breaks_after: Mutex<Option<usize>>,
}

impl Broker {
    fn with(messages: &[&'static str]) -> Arc<Self> {
        let queue = messages.iter().map(|text| Bytes::from_static(text.as_bytes())).collect();
        Arc::new(Self { queue: Mutex::new(queue), opens: Mutex::new(100), ..Self::default() })
    }

    fn settled(&self) -> Vec<(String, Settlement)> {
        let mut settled: Vec<(String, Settlement)> = self
            .settled
            .lock()
            .unwrap()
            .iter()
            .map(|(body, how)| (String::from_utf8(body.to_vec()).unwrap(), *how))
            .collect();
        settled.sort_by(|a, b| a.0.cmp(&b.0));
        settled
    }
}

struct Queue(Arc<Broker>);

struct Subscription {
    broker: Arc<Broker>,
    last: u64,
    open: Vec<(u64, Bytes)>,
}

fn fault() -> Fault {
    Fault::new(codes::UNREACHABLE, "the test says so", "nothing")
}

#[async_trait]
impl Source for Queue {
    async fn open(&self) -> Result<Box<dyn Intake>, Fault> {
        let mut opens = self.0.opens.lock().unwrap();
        *opens = opens.checked_sub(1).ok_or_else(fault)?;
        Ok(Box::new(Subscription { broker: Arc::clone(&self.0), last: 0, open: Vec::new() }))
    }
}

#[async_trait]
impl Intake for Subscription {
    async fn next(&mut self) -> Result<Delivery, Fault> {
        let Some(body) = self.broker.queue.lock().unwrap().pop_front() else {
            return std::future::pending().await;
        };
        self.last += 1;
        self.open.push((self.last, body.clone()));
        Ok(Delivery { tag: self.last, message: Message { body, ..Message::default() } })
    }

    async fn settle(&mut self, tag: u64, settlement: Settlement) -> Result<(), Fault> {
        let mut left = self.broker.breaks_after.lock().unwrap();
        if *left == Some(0) {
            *left = None;
            return Err(fault());
        }
        *left = left.map(|left| left - 1);
        let at = self.open.iter().position(|(open, _)| *open == tag).unwrap();
        let (_, body) = self.open.remove(at);
        self.broker.settled.lock().unwrap().push((body, settlement));
        Ok(())
    }

    async fn close(&mut self) {}
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut queue = self.broker.queue.lock().unwrap();
        for (_, body) in self.open.drain(..).rev() {
            queue.push_front(body);
        }
    }
}

/// Takes `ok…`, refuses `bad…`, and takes nothing while it is closed.
#[derive(Default)]
struct Door {
    closed: std::sync::atomic::AtomicBool,
    offered: Mutex<usize>,
    links: Mutex<Vec<Link>>,
}

#[async_trait]
impl Taker for Door {
    async fn take(&self, message: &Message) -> Verdict {
        *self.offered.lock().unwrap() += 1;
        if self.closed.load(std::sync::atomic::Ordering::SeqCst) {
            return Verdict::Later("closed".to_owned());
        }
        sleep(Duration::from_millis(5)).await;
        if message.body.starts_with(b"ok") { Verdict::Taken } else { Verdict::Refused }
    }

    fn stands(&self, link: Link) {
        self.links.lock().unwrap().push(link);
    }
}

/// Consumes for so long, then stops.
async fn run(broker: &Arc<Broker>, door: &Door, prefetch: u16, millis: u64) {
    let source = Queue(Arc::clone(broker));
    let (stop, stopped) = watch::channel(false);
    let ending = async {
        sleep(Duration::from_millis(millis)).await;
        stop.send_replace(true);
    };
    tokio::join!(consume(&source, door, prefetch, stopped), ending);
}

#[tokio::test(start_paused = true)]
async fn each_message_is_settled_as_its_taker_says() {
    let (broker, door) = (Broker::with(&["ok-1", "bad-2", "ok-3"]), Door::default());
    run(&broker, &door, 2, 1_000).await;
    let expected = [
        ("bad-2".to_owned(), Settlement::Refused),
        ("ok-1".to_owned(), Settlement::Taken),
        ("ok-3".to_owned(), Settlement::Taken),
    ];
    assert_eq!(broker.settled(), expected);
    assert_eq!(*door.links.lock().unwrap(), [Link::Up]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_taken_is_held_within_the_prefetch_and_taken_later() {
    let (broker, door) = (Broker::with(&["ok-1", "ok-2", "ok-3", "ok-4"]), Door::default());
    door.closed.store(true, std::sync::atomic::Ordering::SeqCst);
    let opening = async {
        sleep(Duration::from_secs(30)).await;
        // Two in hand, and no more were fetched.
        assert_eq!(broker.queue.lock().unwrap().len(), 2);
        assert!(broker.settled().is_empty());
        assert!(door.links.lock().unwrap().contains(&Link::Held("closed".to_owned())));
        let offered = *door.offered.lock().unwrap();
        assert!(offered < 30, "{offered} offers in half a minute: the pauses do not grow");
        door.closed.store(false, std::sync::atomic::Ordering::SeqCst);
    };
    tokio::join!(run(&broker, &door, 2, 60_000), opening);
    assert_eq!(broker.settled().len(), 4);
    assert_eq!(door.links.lock().unwrap().last(), Some(&Link::Up));
}

#[tokio::test(start_paused = true)]
async fn a_stop_leaves_to_the_broker_what_nobody_could_take() {
    let (broker, door) = (Broker::with(&["ok-1", "ok-2", "ok-3"]), Door::default());
    door.closed.store(true, std::sync::atomic::Ordering::SeqCst);
    run(&broker, &door, 2, 2_000).await;
    assert_eq!(broker.queue.lock().unwrap().len(), 3);
    assert!(broker.settled().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_is_made_anew_and_what_was_not_settled_comes_again() {
    let (broker, door) = (Broker::with(&["ok-1", "ok-2", "ok-3"]), Door::default());
    *broker.breaks_after.lock().unwrap() = Some(1);
    run(&broker, &door, 3, 5_000).await;
    assert_eq!(broker.settled().len(), 3);
    assert_eq!(*door.links.lock().unwrap(), [Link::Up, Link::Down(fault()), Link::Up]);
    assert!(*door.offered.lock().unwrap() > 3);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_away_is_asked_in_growing_pauses() {
    let (broker, door) = (Broker::with(&["ok-1"]), Door::default());
    *broker.opens.lock().unwrap() = 0;
    run(&broker, &door, 1, 120_000).await;
    let tries = door.links.lock().unwrap().len();
    assert!((5..=12).contains(&tries), "{tries} attempts in two minutes");
}
