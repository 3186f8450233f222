//! Several nodes in a hostile world from a seed: random workflows, an outside and a store that fail, people who cancel,
//! resolve, retry and replay, and two to four processes that share a store: they join, leave and die, stand still
//! beyond their leases, lose their way to the store, and have clocks that jump. When it calms down, everything must be
//! at its end, and nothing may have been done twice that must not be.
//!
//! A process that is alone with its store is told of in the crate `qc-simulation`, whose witness looks at every write.
//!
//! `QC_SEEDS=n` runs more seeds, `QC_SEED=s` one of them, telling its script.

mod dice;
mod hostile;
mod judge;
mod people;
mod several;
mod workflows;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::{Arc, Mutex},
    time::Duration,
};

use dice::Dice;
use hostile::Hostile;
use qc_engine::{Accepted, EngineError, EngineSettings};
use qc_model::{RunId, Timestamp};
use qc_store::{
    RunFilter, RunHead, Store, StoreError,
    memory::{Fault, MemoryStore},
};
use serde_json::json;
use several::Seen;
use tokio::task::JoinSet;

use crate::{
    link::Book,
    world::{VirtualClock, World},
};

/// Seeds of an ordinary run.
const SEEDS: u64 = 200;

/// What was sent, and what the engine said to it.
#[derive(Debug, Clone)]
struct Sent {
    event: u64,
    answer: Result<Accepted, EngineError>,
}

struct Simulation {
    seed: u64,
    dice: Dice,
    tasks: String,
    store: Arc<MemoryStore>,
    /// The right time.
    clock: Arc<VirtualClock>,
    /// The processes that take part.
    nodes: Vec<World>,
    /// How many there have been.
    started: u64,
    book: Arc<Book>,
    /// Some node's clock is not right.
    jumped: bool,
    /// Nodes that are leaving in peace.
    leaving: JoinSet<()>,
    outside: Arc<Hostile>,
    settings: EngineSettings,
    sending: JoinSet<Sent>,
    sent: Vec<Sent>,
    events: u64,
    /// When processes ended.
    kills: Vec<Timestamp>,
    /// Runs that a person touched: their pauses and attempts may be cut short.
    touched: BTreeSet<RunId>,
    versions: BTreeMap<RunId, u64>,
    script: String,
    problems: Vec<String>,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let tasks = workflows::tasks(&mut dice);
        let clock = Arc::new(VirtualClock::now());
        let store = Arc::new(MemoryStore::shared_with_clock(clock.clone()));
        let faults = [0, 15, 35, 60][usize::try_from(dice.below(4)).unwrap()];
        let outside = Hostile::new(Dice::new(seed ^ 0xabcd), store.clone(), clock.clone(), faults);
        let settings = EngineSettings {
            runs_max: [1, 2, 4, 10_000][usize::try_from(dice.below(4)).unwrap()],
            linger: Duration::from_secs(1 + dice.below(10)),
            ..EngineSettings::default()
        };
        let mut simulation = Self {
            seed,
            dice,
            script: format!("do:\n{tasks}{settings:?}, {faults} % faults\n"),
            tasks,
            store,
            clock,
            nodes: Vec::new(),
            started: 0,
            book: Arc::default(),
            jumped: false,
            leaving: JoinSet::new(),
            outside,
            settings,
            sending: JoinSet::new(),
            sent: Vec::new(),
            events: 0,
            kills: Vec::new(),
            touched: BTreeSet::new(),
            versions: BTreeMap::new(),
            problems: Vec::new(),
        };
        for _ in 0..2 + simulation.dice.below(3) {
            simulation.join();
        }
        simulation
    }

    fn tell(&mut self, what: &str) {
        let at = self.nodes[0].uptime();
        writeln!(self.script, "{:>9.3} {what}", at.as_secs_f64()).unwrap();
    }

    async fn go(mut self) -> Result<Seen, String> {
        let steps = 6 + self.dice.below(30);
        for _ in 0..steps {
            let pause = [0, 1, 40, 700, 6_000][usize::try_from(self.dice.below(5)).unwrap()];
            tokio::time::sleep(Duration::from_millis(self.dice.below(pause + 1))).await;
            match self.dice.below(20) {
                0..=8 => self.send(),
                9..=11 => self.break_store(),
                12..=14 => self.disturb().await,
                _ => Box::pin(self.operate()).await,
            }
            self.observe().await;
        }
        self.tell("everything goes well from now on");
        self.outside.calm_down();
        self.mend().await;
        while let Some(sent) = self.sending.join_next().await {
            self.sent.push(sent.unwrap());
        }
        Box::pin(self.wind_up()).await;
        self.judge().await;
        self.problems.extend(self.outside.problems());
        self.problems.extend(self.book.problems());
        if self.problems.is_empty() {
            return Ok(self.seen());
        }
        for seen in self.outside.seen() {
            writeln!(self.script, "{seen:?}").unwrap();
        }
        let first = self.problems[0].lines().next().unwrap_or_default();
        let (seed, script) = (self.seed, &self.script);
        Err(format!("seed {seed}: {first}\n{script}\n{}", self.problems.join("\n")))
    }

    /// Sends an event, now and then one that was sent before, without waiting for the answer.
    fn send(&mut self) {
        let node = self.any();
        self.send_through(node);
    }

    fn send_through(&mut self, node: usize) {
        let again = self.events > 0 && self.dice.percent(30);
        let event = if again { self.dice.below(self.events) } else { self.events };
        self.events = self.events.max(event + 1);
        // A third comes without a key: such an event is sent once.
        let keyed = event % 3 != 2;
        if again && !keyed {
            return;
        }
        let key = keyed.then(|| format!("k{event}"));
        self.tell(&format!("event {event}, {key:?}"));
        let sender = self.nodes[node].sender();
        self.sending.spawn(async move {
            let answer = sender.send(key.as_deref(), json!({"n": event})).await;
            Sent { event, answer }
        });
    }

    fn break_store(&mut self) {
        let fault = match self.dice.below(4) {
            0 => Fault::Full,
            1 => Fault::Unavailable,
            2 => Fault::Unknown { applied: true },
            _ => Fault::Unknown { applied: false },
        };
        let times = 1 + self.dice.below(5);
        self.tell(&format!("the store fails {times} times: {fault:?}"));
        for _ in 0..times {
            self.store.fail_next(fault);
        }
    }

    async fn runs(&self) -> Vec<RunHead> {
        self.store.runs(&RunFilter { limit: 1_000, ..RunFilter::default() }).await.unwrap()
    }

    /// Versions only rise, and what is at its end stays there unless a person opens it again.
    async fn observe(&mut self) {
        for head in self.runs().await {
            let before = self.versions.insert(head.facts.id, head.version).unwrap_or(0);
            if head.version < before {
                self.problems.push(format!("{} fell to version {}", head.facts.id, head.version));
            }
        }
    }

    /// Lets everything come to its end, with people deciding what is parked.
    async fn wind_up(&mut self) {
        for _ in 0..400 {
            tokio::time::sleep(Duration::from_secs(30)).await;
            self.observe().await;
            let open: Vec<RunHead> = self
                .runs()
                .await
                .into_iter()
                .filter(|head| !head.state.status.is_terminal())
                .collect();
            if open.is_empty() {
                return;
            }
            for head in open {
                Box::pin(self.decide(&head)).await;
            }
        }
    }
}

fn simulate(seed: u64) -> Result<Seen, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    // Built where the virtual clock runs.
    runtime.block_on(async { Box::pin(Simulation::new(seed).go()).await })
}

#[expect(clippy::disallowed_methods, reason = "how many seeds a test runs is not a setting")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn several_nodes_do_nothing_twice_and_leave_nothing_behind() {
    let Some(seen) = play() else { return };
    // What the others are to be safe from has happened.
    assert!(seen.takeovers > 0 && seen.lost > 0 && seen.handed_over > 0, "{seen:?}");
    assert!(seen.fenced > 0 && seen.recovered > 0, "{seen:?}");
    assert!(seen.together > 0 && seen.put_off > 0, "{seen:?}");
    println!("{seen:?}");
}

/// What happened in all seeds together; None when only one was asked for.
fn play() -> Option<Seen> {
    if let Some(seed) = number("QC_SEED") {
        if let Err(story) = simulate(seed) {
            panic!("{story}");
        }
        return None;
    }
    let total: Mutex<Seen> = Mutex::default();
    let seeds = number("QC_SEEDS").unwrap_or(SEEDS);
    let next = Mutex::new(0..seeds);
    let failed: Mutex<Vec<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(seed) = next.lock().unwrap().next() else { return };
                    let result = std::panic::catch_unwind(|| simulate(seed))
                        .unwrap_or_else(|_| Err(format!("seed {seed} panicked")));
                    match result {
                        Ok(seen) => total.lock().unwrap().add(&seen),
                        Err(story) => failed.lock().unwrap().push(story),
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    if let Some(first) = failed.first() {
        let others: Vec<_> = failed.iter().filter_map(|story| story.lines().next()).collect();
        panic!("{first}\n\nfailed, QC_SEED=<seed> tells one again: {others:#?}");
    }
    Some(total.into_inner().unwrap())
}

/// Whether an answer says that nothing was taken.
fn refused(answer: &Result<Accepted, EngineError>) -> bool {
    matches!(
        answer,
        Err(EngineError::Draining
            | EngineError::KeyReused { .. }
            | EngineError::Store(StoreError::Full(_) | StoreError::Refused(_)))
    )
}
