//! Runs many seeds on all cores.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{Exercised, Planted, Told, simulate_with};

/// So many failed stories are kept whole; of the others the first broken invariant.
const WHOLE_MAX: usize = 3;

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// So many failures are enough to see what is wrong.
pub const FAILURES: usize = 20;

/// Which seeds, and how.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The first seed.
    pub first: u64,
    /// How many.
    pub seeds: u64,
    /// On how many threads.
    pub threads: usize,
    /// No further seed is begun after this.
    pub limit: Option<Duration>,
    /// A seed that takes longer than this hangs.
    pub hangs_after: Duration,
    /// After so many failures no further seed is begun.
    pub failures: usize,
    /// A bug to plant.
    pub bug: Option<Planted>,
}

/// How far it is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Seeds that ran.
    pub ran: u64,
    /// Seeds that failed.
    pub failed: usize,
    /// Since it began.
    pub elapsed: Duration,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// Seeds that ran.
    pub ran: u64,
    /// Failed stories, in the order of their seeds: whole ones, as far as they are kept.
    pub failed: Vec<Told>,
    /// Seeds that do not come to an end.
    pub hanging: Vec<u64>,
    /// What all stories together made the engine do.
    pub exercised: Exercised,
    /// How long it took.
    pub elapsed: Duration,
}

impl Report {
    /// Whether everything held.
    pub fn is_good(&self) -> bool {
        self.failed.is_empty() && self.hanging.is_empty()
    }
}

enum Heard {
    Began(usize, u64),
    Ended(usize, Box<Told>),
    Left,
}

/// Runs the plan. Threads that hang are left behind.
pub fn run(plan: &Plan, mut progress: impl FnMut(Progress)) -> Report {
    let began = Instant::now();
    let (threads, heard) = start(plan);
    let mut report = Report::default();
    let mut at_work: BTreeMap<usize, (u64, Instant)> = BTreeMap::new();
    let (mut left, mut told_at) = (threads.count, began);
    while left > 0 {
        match heard.recv_timeout(TELL_EVERY) {
            Ok(Heard::Began(thread, seed)) => {
                at_work.insert(thread, (seed, Instant::now()));
            }
            Ok(Heard::Ended(thread, told)) => {
                at_work.remove(&thread);
                report.ran += 1;
                report.take(*told);
            }
            Ok(Heard::Left) => left -= 1,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        let late = plan.limit.is_some_and(|limit| began.elapsed() > limit);
        if late || report.failed.len() >= plan.failures {
            threads.enough.store(true, Ordering::Relaxed);
        }
        let hangs = at_work.values().filter(|(_, since)| since.elapsed() > plan.hangs_after);
        report.hanging = hangs.map(|(seed, _)| *seed).collect();
        if !report.hanging.is_empty() {
            break;
        }
        if told_at.elapsed() > TELL_EVERY {
            told_at = Instant::now();
            let (ran, failed) = (report.ran, report.failed.len());
            progress(Progress { ran, failed, elapsed: began.elapsed() });
        }
    }
    report.failed.sort_by_key(|told| told.seed);
    report.elapsed = began.elapsed();
    report
}

struct Threads {
    count: usize,
    enough: Arc<AtomicBool>,
}

fn start(plan: &Plan) -> (Threads, mpsc::Receiver<Heard>) {
    let (tell, heard) = mpsc::channel();
    let next = Arc::new(AtomicU64::new(plan.first));
    let end = plan.first.saturating_add(plan.seeds);
    let enough = Arc::new(AtomicBool::new(false));
    let count = plan.threads.max(1);
    for thread in 0..count {
        let (tell, next, enough, bug) = (tell.clone(), next.clone(), enough.clone(), plan.bug);
        thread::spawn(move || {
            while !enough.load(Ordering::Relaxed) {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= end || tell.send(Heard::Began(thread, seed)).is_err() {
                    break;
                }
                let told = Box::new(simulate_with(seed, bug));
                if tell.send(Heard::Ended(thread, told)).is_err() {
                    break;
                }
            }
            // Whoever listened may have given up.
            let _ = tell.send(Heard::Left);
        });
    }
    (Threads { count, enough }, heard)
}

impl Report {
    fn take(&mut self, mut told: Told) {
        for (what, times) in &told.exercised {
            *self.exercised.entry(*what).or_default() += times;
        }
        if told.broken.is_empty() {
            return;
        }
        if self.failed.len() >= WHOLE_MAX {
            told.script = String::new();
        }
        self.failed.push(told);
    }
}

/// How many threads there is work for.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
