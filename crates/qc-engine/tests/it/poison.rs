//! A run that ends the process each time it is taken up is found and left alone; the others go on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use qc_engine::EngineSettings;
use qc_model::{Actor, RunId};
use qc_store::{LedgerFilter, LiveCause, RunHead, RunStatus, Store, memory::MemoryStore};
use serde_json::json;

use crate::{
    link::{Book, Link, Reached},
    world::{Answer, Outside, VirtualClock, World, deployment, ok, output},
};

const TASKS: &str = "- sync: { call: desk.putState, with: { body: { n: '${ .n }' } } }\n";
const NAP: &str = "- nap: { wait: { hours: 3 } }\n";

/// One machine on which one process after the other runs.
struct Machine {
    store: Arc<MemoryStore>,
    clock: Arc<VirtualClock>,
    book: Arc<Book>,
    outside: Arc<Outside>,
    tasks: &'static str,
    life: std::cell::Cell<u64>,
}

impl Machine {
    fn new(tasks: &'static str, outside: Arc<Outside>) -> Self {
        let clock = Arc::new(VirtualClock::now());
        let store = Arc::new(MemoryStore::with_clock(clock.clone()));
        let (book, life) = (Arc::default(), std::cell::Cell::new(0));
        Self { store, clock, book, outside, tasks, life }
    }

    fn start(&self) -> World {
        self.life.set(self.life.get() + 1);
        let link = Link::new(Duration::ZERO, self.life.get());
        let reached = Reached { store: self.store.clone(), link, book: self.book.clone() };
        World::node(
            reached,
            self.clock.clone(),
            vec![deployment("r1", self.tasks)],
            self.outside.clone(),
            self.life.get(),
            EngineSettings::default(),
        )
    }

    async fn head(&self, run: RunId) -> RunHead {
        self.store.run(run).await.unwrap().unwrap()
    }

    /// Starts a process, and has it die at the next deadly run.
    async fn live_and_die(&self) {
        let before = self.book.deaths.load(Ordering::Relaxed);
        let world = self.start();
        for _ in 0..1_000 {
            if self.book.deaths.load(Ordering::Relaxed) > before {
                world.kill();
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("nothing ended the process");
    }
}

/// An outside that answers once it is told to.
fn patient() -> (Arc<Outside>, Arc<AtomicBool>) {
    let answers = Arc::new(AtomicBool::new(false));
    let told = answers.clone();
    let outside = Outside::new(move |_, _| {
        if told.load(Ordering::SeqCst) {
            ok(json!({}))
        } else {
            Answer::Slow(Duration::from_secs(36_000), json!({}))
        }
    });
    (outside, answers)
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ends_the_process_is_left_alone_the_sixth_time_and_the_others_go_on() {
    let (outside, answers) = patient();
    let machine = Machine::new(TASKS, outside);
    let world = machine.start();
    let mut runs = Vec::new();
    for n in 0..40 {
        runs.push(world.start(json!({"n": n})).await);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.kill();
    answers.store(true, Ordering::SeqCst);
    let culprit = runs.remove(17);
    machine.book.deadly.lock().unwrap().insert(culprit);
    for life in 1..=5 {
        machine.live_and_die().await;
        assert_eq!(machine.head(culprit).await.claims, life);
        for run in &runs {
            let claims = machine.head(*run).await.claims;
            assert!(claims <= 1, "{run} is counted {claims} times in life {life}");
        }
    }
    let world = machine.start();
    for run in runs {
        output(world.end(run).await);
    }
    let head = machine.head(culprit).await;
    assert_eq!((head.state.status, head.state.cause), (RunStatus::Parked, LiveCause::Parked));
    assert!(head.state.summary.unwrap().starts_with("QC-R003: "));
    assert_eq!(world.engine.gauges().quarantined, 1);
    let filter = LedgerFilter { run: Some(culprit), limit: 100, ..LedgerFilter::default() };
    let rows = machine.store.ledger(&filter).await.unwrap();
    let said = rows.iter().filter(|entry| entry.row.outcome == "quarantined").count();
    assert_eq!(said, 1, "{rows:#?}");
    // It stays so, also in further lives, until a person has it go on.
    tokio::time::sleep(Duration::from_secs(7_200)).await;
    world.kill();
    let world = machine.start();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(machine.book.deaths.load(Ordering::Relaxed), 5);
    machine.book.deadly.lock().unwrap().clear();
    world.engine.resume(culprit, &Actor::platform("test")).await.unwrap();
    output(world.end(culprit).await);
    assert_eq!(world.engine.gauges().stuck, 0);
}

/// Two culprits at once: each is found, whichever comes first.
#[tokio::test(start_paused = true)]
async fn several_culprits_are_found_one_after_the_other() {
    let (outside, answers) = patient();
    let machine = Machine::new(TASKS, outside);
    let world = machine.start();
    let mut runs = Vec::new();
    for n in 0..12 {
        runs.push(world.start(json!({"n": n})).await);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.kill();
    answers.store(true, Ordering::SeqCst);
    let culprits = [runs.remove(9), runs.remove(2)];
    machine.book.deadly.lock().unwrap().extend(culprits);
    // The second one was claimed beside the first in the first life.
    for _ in 0..9 {
        machine.live_and_die().await;
    }
    let world = machine.start();
    for run in runs {
        output(world.end(run).await);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.engine.gauges().quarantined, 1, "the other one was found in the life before");
    for culprit in culprits {
        assert_eq!(machine.head(culprit).await.state.status, RunStatus::Parked);
    }
}

/// Whoever is cut off at work by every end of the process, but gets somewhere each time, is no culprit.
#[tokio::test(start_paused = true)]
async fn many_ends_of_the_process_make_no_culprit_of_those_who_get_on() {
    let (outside, answers) = patient();
    let machine = Machine::new(TASKS, outside);
    let mut world = machine.start();
    let run = world.start(json!({"n": 1})).await;
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.kill();
        world = machine.start();
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.kill();
    answers.store(true, Ordering::SeqCst);
    let world = machine.start();
    output(world.end(run).await);
    assert_eq!(world.engine.gauges().quarantined, 0);
}

/// One that was in memory beside a culprit and has nothing to write rests: that clears it.
#[tokio::test(start_paused = true)]
async fn who_rests_is_cleared() {
    let (outside, _) = patient();
    let machine = Machine::new(NAP, outside);
    let world = machine.start();
    let sleeper = world.start(json!({})).await;
    let lease = machine.store.lease(0..qc_store::BUCKETS, "node-1", Duration::from_secs(60));
    let lease = lease.await.unwrap().unwrap();
    let claim = qc_store::Write::Claim { lease, runs: vec![sleeper, sleeper] };
    machine.store.write(vec![claim]).await.unwrap();
    world.kill();
    let world = machine.start();
    output(world.end(sleeper).await);
    assert_eq!((machine.head(sleeper).await.claims, world.engine.gauges().quarantined), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn many_open_runs_are_claimed_with_few_writes() {
    let (outside, answers) = patient();
    let machine = Machine::new(TASKS, outside);
    let world = machine.start();
    let mut runs = Vec::new();
    for n in 0..2_000 {
        runs.push(world.start(json!({"n": n})).await);
    }
    world.kill();
    answers.store(true, Ordering::SeqCst);
    let world = machine.start();
    for run in runs {
        output(world.end(run).await);
    }
    let claims = machine.book.claims.load(Ordering::Relaxed);
    assert!((4..=20).contains(&claims), "{claims} writes for 2,000 runs");
    assert_eq!(world.engine.gauges().recovered, 2_000);
}
