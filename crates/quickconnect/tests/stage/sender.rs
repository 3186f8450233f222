//! A sender as senders are: many connections, signed events, and every event again and again until it is acknowledged.
//! It keeps its own book of what was acknowledged, and notes everything that a sender would complain about.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use tokio::{
    sync::{Notify, Semaphore},
    task::JoinSet,
};

use super::{
    chance::Chance,
    http::{Line, Reply},
    signing::signed,
    systems::CUSTOMERS,
};

const TRIGGER: &str = "/in/sandbox/customer-escalation/case-escalated";
/// How long one event is tried before the sender gives up on the platform.
const GIVE_UP: Duration = Duration::from_secs(120);
/// The share of events, in percent, that are sent once more although they were acknowledged.
const AGAIN: u64 = 10;

/// The sender's book, shared by its connections.
pub(crate) struct Sender {
    /// Of the servers, any of which takes any event.
    ports: Vec<u16>,
    /// How long an answer is waited for before the event is sent once more.
    patience: Duration,
    total: usize,
    seed: u64,
    gate: Semaphore,
    next: AtomicUsize,
    sending: AtomicUsize,
    resent: AtomicU64,
    acknowledged: Mutex<BTreeMap<String, String>>,
    complaints: Mutex<Vec<String>>,
    news: Notify,
}

/// The business id of an event.
pub(crate) fn case_of(number: usize) -> String {
    format!("CASE-{number:05}")
}

/// An event, as its bytes: the same bytes each time that it is sent.
pub(crate) fn event_of(number: usize) -> Bytes {
    let customer = number % CUSTOMERS;
    let case = case_of(number);
    let severity = ["low", "medium", "high", "critical"][number % 4];
    let event = json!({
        "specversion": "1.0",
        "id": format!("EVT-{number}"),
        "source": "/crm/cases",
        "type": "com.example.case.escalated",
        "datacontenttype": "application/json",
        "data": {
            "case_id": case,
            "customer": {
                "id": format!("CUST-{customer}"),
                "name": format!("Customer {customer}"),
                "email": format!("c{customer}@customers.example"),
                "tier": "gold",
            },
            "severity": severity,
            "summary": format!("Checkout is down for {case}"),
            "escalated_at": "2026-11-20T09:30:00Z",
        },
    });
    Bytes::from(event.to_string())
}

/// Sends one signed event once.
pub(crate) async fn send_once(
    line: &mut Line,
    number: usize,
    prefer: Option<u64>,
) -> Result<Reply, String> {
    let body = event_of(number);
    let mut headers = vec![("content-type", "application/cloudevents+json".to_owned())];
    headers.extend(signed(&format!("msg_{number}"), &body));
    headers.extend(prefer.map(|seconds| ("prefer", format!("wait={seconds}"))));
    line.send(Method::POST, TRIGGER, &headers, body).await
}

impl Sender {
    pub(crate) fn new(port: u16, total: usize, seed: u64) -> Arc<Self> {
        Self::over(vec![port], Duration::from_secs(70), total, seed)
    }

    /// One that sends to several servers, and to the next one when one does not answer in time.
    pub(crate) fn over(ports: Vec<u16>, patience: Duration, total: usize, seed: u64) -> Arc<Self> {
        Arc::new(Self {
            ports,
            patience,
            total,
            seed,
            gate: Semaphore::new(0),
            next: AtomicUsize::new(0),
            sending: AtomicUsize::new(0),
            resent: AtomicU64::new(0),
            acknowledged: Mutex::default(),
            complaints: Mutex::default(),
            news: Notify::new(),
        })
    }

    /// Opens so many connections; they send as many events as are let through.
    pub(crate) fn begin(self: &Arc<Self>, connections: u64) -> JoinSet<()> {
        let mut all = JoinSet::new();
        for nth in 0..connections {
            let own = Arc::clone(self);
            all.spawn(async move { own.work(nth).await });
        }
        all
    }

    /// Lets so many further events through.
    pub(crate) fn let_through(&self, events: usize) {
        self.gate.add_permits(events);
    }

    /// Lets all through that are left, and has the connections end after them.
    pub(crate) fn let_all_through(&self, connections: usize) {
        self.gate.add_permits(self.total + connections);
    }

    /// Waits until an event is acknowledged beyond those that were at `before`.
    pub(crate) async fn acknowledged_beyond(&self, before: usize) {
        loop {
            let news = self.news.notified();
            if self.count() > before || self.count() == self.total {
                return;
            }
            news.await;
        }
    }

    /// How many events are acknowledged.
    pub(crate) fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    /// How many requests have no answer yet.
    pub(crate) fn sending(&self) -> usize {
        self.sending.load(Ordering::Relaxed)
    }

    pub(crate) fn resent(&self) -> u64 {
        self.resent.load(Ordering::Relaxed)
    }

    /// Case and run of all that is acknowledged.
    pub(crate) fn book(&self) -> BTreeMap<String, String> {
        self.acknowledged.lock().unwrap().clone()
    }

    pub(crate) fn complaints(&self) -> Vec<String> {
        self.complaints.lock().unwrap().clone()
    }

    async fn work(&self, nth: u64) {
        let mut chance = Chance::part(self.seed, nth);
        let mut line = Line::impatient(self.port(chance.next()), self.patience);
        loop {
            let Ok(permit) = self.gate.acquire().await else { return };
            permit.forget();
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.total {
                return;
            }
            line.turn_to(self.port(chance.next()));
            self.deliver(&mut line, number, &mut chance).await;
            if chance.percent(AGAIN) {
                line.turn_to(self.port(chance.next()));
                self.deliver(&mut line, number, &mut chance).await;
            }
        }
    }

    fn port(&self, chance: u64) -> u16 {
        let place = usize::try_from(chance % self.ports.len() as u64).unwrap();
        self.ports[place]
    }

    /// Sends an event until it is acknowledged.
    async fn deliver(&self, line: &mut Line, number: usize, chance: &mut Chance) {
        let began = Instant::now();
        while began.elapsed() < GIVE_UP {
            self.sending.fetch_add(1, Ordering::Relaxed);
            let answer = send_once(line, number, None).await;
            self.sending.fetch_sub(1, Ordering::Relaxed);
            match answer {
                Ok(reply) if reply.status == 202 => return self.note(number, &reply),
                // The platform says that it cannot take it now.
                Ok(reply) if [429, 503].contains(&reply.status) => {}
                Ok(reply) => return self.complain(number, &format!("refused: {}", reply.shown())),
                // It may have been taken, or not.
                Err(_) => {}
            }
            self.resent.fetch_add(1, Ordering::Relaxed);
            line.turn_to(self.port(chance.next()));
            // A sender's pause before it tries again, not a wait for anything.
            tokio::time::sleep(chance.between(10, 80)).await;
        }
        self.complain(number, "never acknowledged");
    }

    fn note(&self, number: usize, reply: &Reply) {
        let Value::String(run) = &reply.json()["run"] else {
            return self
                .complain(number, &format!("acknowledged without a run: {}", reply.shown()));
        };
        let before = self.acknowledged.lock().unwrap().insert(case_of(number), run.clone());
        match before {
            Some(before) if before != *run => {
                self.complain(number, &format!("acknowledged as {before}, then as {run}"));
            }
            Some(_) if !reply.headers.contains_key("idempotency-replayed") => {
                self.complain(number, "sent again, and not told that it is a repeat");
            }
            _ => {}
        }
        self.news.notify_waiters();
    }

    fn complain(&self, number: usize, what: &str) {
        self.complaints.lock().unwrap().push(format!("{}: {what}", case_of(number)));
        self.news.notify_waiters();
    }

    /// Sends every event once more and waits for its run's end: the output of each.
    pub(crate) async fn outcomes(
        self: &Arc<Self>,
        connections: usize,
        wait: u64,
    ) -> BTreeMap<String, Value> {
        let next = Arc::new(AtomicUsize::new(0));
        let mut all = JoinSet::new();
        for _ in 0..connections {
            let (own, next) = (Arc::clone(self), Arc::clone(&next));
            all.spawn(async move {
                let (mut line, mut outputs) = (Line::to(own.ports[0]), Vec::new());
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= own.total {
                        return outputs;
                    }
                    line.turn_to(own.port(number as u64));
                    outputs.extend(own.outcome(&mut line, number, wait).await);
                }
            });
        }
        all.join_all().await.into_iter().flatten().collect()
    }

    async fn outcome(&self, line: &mut Line, number: usize, wait: u64) -> Option<(String, Value)> {
        match send_once(line, number, Some(wait)).await {
            Ok(reply) if reply.status == 200 => {
                if !reply.headers.contains_key("idempotency-replayed") {
                    self.complain(number, "asked for again, and it was taken as new");
                }
                return Some((case_of(number), reply.json()));
            }
            Ok(reply) if reply.status == 202 => {
                self.complain(number, &format!("its run has not ended: {}", reply.shown()));
            }
            Ok(reply) => self.complain(number, &format!("its run failed: {}", reply.shown())),
            Err(error) => self.complain(number, &format!("no answer about its run: {error}")),
        }
        None
    }
}
