use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;

use super::*;
use crate::{Outlet, codes};

fn fault() -> Fault {
    Fault::new(codes::UNREACHABLE, "the test says so", "nothing")
}

fn message(number: usize) -> Outgoing {
    Outgoing {
        id: number.to_string(),
        routing_key: "k".to_owned(),
        content_type: "application/json".to_owned(),
        kind: "t".to_owned(),
        body: Bytes::new(),
    }
}

/// Numbers from 0 on; some of them can go nowhere.
struct Numbers {
    count: Mutex<usize>,
    done: Mutex<usize>,
    unroutable: fn(usize) -> bool,
    page: usize,
    ours: AtomicBool,
    links: Mutex<Vec<Link>>,
    /// Moves of the cursor that fail.
    stuck: Mutex<usize>,
    more: tokio::sync::Notify,
}

impl Numbers {
    fn new(count: usize, page: usize, unroutable: fn(usize) -> bool) -> Self {
        Self {
            count: Mutex::new(count),
            done: Mutex::new(0),
            unroutable,
            page,
            ours: AtomicBool::new(true),
            links: Mutex::default(),
            stuck: Mutex::new(0),
            more: tokio::sync::Notify::new(),
        }
    }
}

#[async_trait]
impl Outbox for Numbers {
    fn is_ours(&self) -> bool {
        self.ours.load(Ordering::SeqCst)
    }

    async fn waiting(&self) -> Result<Vec<Queued>, Fault> {
        let (from, to) = (*self.done.lock().unwrap(), *self.count.lock().unwrap());
        let page = (from..to).take(self.page);
        Ok(page.map(|number| (!(self.unroutable)(number)).then(|| message(number))).collect())
    }

    async fn gone(&self, count: usize) -> Result<(), Fault> {
        let mut stuck = self.stuck.lock().unwrap();
        if *stuck > 0 {
            *stuck -= 1;
            return Err(fault());
        }
        *self.done.lock().unwrap() += count;
        Ok(())
    }

    async fn news(&self) {
        self.more.notified().await;
    }

    fn stands(&self, link: Link) {
        self.links.lock().unwrap().push(link);
    }
}

/// A broker that takes what the script says of each batch, then breaks.
#[derive(Clone, Default)]
struct Script {
    /// How many of each batch are taken, and of those how many are confirmed.
    batches: Arc<Mutex<Vec<(usize, usize)>>>,
    arrived: Arc<Mutex<Vec<String>>>,
    opens: Arc<Mutex<usize>>,
}

struct Way(Script);

#[async_trait]
impl Sink for Script {
    async fn open(&self) -> Result<Box<dyn Outlet>, Fault> {
        *self.opens.lock().unwrap() += 1;
        Ok(Box::new(Way(self.clone())))
    }
}

#[async_trait]
impl Outlet for Way {
    async fn send(&mut self, batch: &[Outgoing]) -> (usize, Result<(), Fault>) {
        let next = self.0.batches.lock().unwrap().pop();
        let (taken, confirmed) = next.unwrap_or((batch.len(), batch.len()));
        let taken = taken.min(batch.len());
        self.0.arrived.lock().unwrap().extend(batch[..taken].iter().map(|one| one.id.clone()));
        let confirmed = confirmed.min(taken);
        (confirmed, if confirmed == batch.len() { Ok(()) } else { Err(fault()) })
    }

    async fn close(&mut self) {}
}

async fn run(outbox: &Numbers, script: Script, seconds: u64) {
    let (stop, stopped) = watch::channel(false);
    let ending = async {
        sleep(Duration::from_secs(seconds)).await;
        stop.send_replace(true);
    };
    tokio::join!(publish(outbox, script, stopped), ending);
}

#[tokio::test(start_paused = true)]
async fn all_go_in_order_and_what_can_go_nowhere_is_passed_over() {
    let outbox = Numbers::new(10, 4, |number| number % 3 == 2);
    let script = Script::default();
    run(&outbox, script.clone(), 5).await;
    assert_eq!(*script.arrived.lock().unwrap(), ["0", "1", "3", "4", "6", "7", "9"]);
    assert_eq!(*outbox.done.lock().unwrap(), 10);
    assert_eq!(*script.opens.lock().unwrap(), 1);
}

/// The law, over many broken batches: everything arrives, the first arrivals are in order, and the cursor is never
/// before what is confirmed nor behind what is not.
#[tokio::test(start_paused = true)]
async fn whatever_breaks_everything_arrives_and_the_order_of_first_arrivals_stays() {
    for seed in 1..=50_u64 {
        let mut dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut roll = move |sides: u64| {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            usize::try_from(dice % sides).unwrap()
        };
        let outbox = Numbers::new(30, 1 + roll(7), |number| number % 7 == 3);
        *outbox.stuck.lock().unwrap() = roll(3);
        let script = Script::default();
        for _ in 0..roll(12) {
            let taken = roll(6);
            script.batches.lock().unwrap().push((taken, roll(taken as u64 + 1)));
        }
        run(&outbox, script.clone(), 1_000).await;
        let arrived = script.arrived.lock().unwrap().clone();
        let mut first: Vec<usize> = Vec::new();
        for id in &arrived {
            let number = id.parse().unwrap();
            if !first.contains(&number) {
                first.push(number);
            }
        }
        let wanted: Vec<usize> = (0..30).filter(|number| number % 7 != 3).collect();
        assert_eq!(first, wanted, "seed {seed}: {arrived:?}");
        assert_eq!(*outbox.done.lock().unwrap(), 30, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_may_not_send_does_not_connect_and_takes_over_when_it_may() {
    let outbox = Numbers::new(3, 10, |_| false);
    outbox.ours.store(false, Ordering::SeqCst);
    let script = Script::default();
    let opening = async {
        sleep(Duration::from_secs(60)).await;
        assert_eq!(*script.opens.lock().unwrap(), 0);
        outbox.ours.store(true, Ordering::SeqCst);
    };
    tokio::join!(run(&outbox, script.clone(), 120), opening);
    assert_eq!(script.arrived.lock().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn news_are_sent_at_once() {
    let outbox = Numbers::new(0, 10, |_| false);
    let script = Script::default();
    let adding = async {
        sleep(Duration::from_secs(50)).await;
        *outbox.count.lock().unwrap() = 2;
        outbox.more.notify_one();
        sleep(Duration::from_millis(1)).await;
        assert_eq!(script.arrived.lock().unwrap().len(), 2);
    };
    tokio::join!(run(&outbox, script.clone(), 60), adding);
    assert_eq!(outbox.links.lock().unwrap().first(), Some(&Link::Up));
}

#[test]
fn what_is_done_with_ends_at_the_first_that_is_not_confirmed() {
    let some = || Some(message(0));
    assert_eq!(gone(&[some(), None, some(), None, some()], 2), 4);
    assert_eq!(gone(&[None, some()], 0), 1);
    assert_eq!(gone(&[some()], 0), 0);
    assert_eq!(gone(&[], 0), 0);
}
