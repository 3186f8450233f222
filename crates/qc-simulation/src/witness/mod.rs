//! Sees every write that reaches the store, and every request that reaches the outside, and checks
//! each against all that it has seen before. It keeps a machine of its own for each run, fed by the
//! journal alone: what the engine has in memory it does not believe.

mod children;
mod commit;
mod entries;
mod heard;
mod kept;
mod ledger;
mod line;
mod order;
mod requests;
mod stands;
mod tasks;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use qc_model::{Failure, RunId, Timestamp, TxnId};
use qc_store::{
    DeadFilter, DeadLetter, Entry, Lease, LiveCause, RunFacts, RunStatus, Store, StoreError, Write,
    WriteOutcome, memory::MemoryStore,
};
use qc_workflow::{CallId, ListenId, Machine, Program, TimerId};

pub(crate) use requests::{Fate, Request};
pub(crate) use stands::is_quarantined;

use crate::{Invariant, effect::Effect, record::Record, world::VirtualClock};

/// What is due is done within this, when nothing is in its way; and runs are taken up one after
/// the other, each by so many operations of the store.
const AT_ONCE: Duration = Duration::from_millis(250);
const TAKEN_UP_BY: u32 = 3;

/// With more places than this there is room for every run of a story.
const ROOMY: usize = 1_000;

/// So many operations of the store are no work any more when no time goes by.
const TURNS_MAX: u32 = 5_000;

/// So long after the calm began, or a process got the right to run, it has caught up.
const CAUGHT_UP: Duration = Duration::from_secs(15);

/// Who writes: a process, and the epoch of its right to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Writer {
    pub(crate) process: u32,
    pub(crate) epoch: u64,
}

/// All that was seen so far.
pub(crate) struct Witness {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) record: Record,
    programs: BTreeMap<String, Arc<Program>>,
    /// A planted bug: the store looks neither at leases nor at versions.
    fenceless: bool,
    known: Mutex<Known>,
    /// The moment of the last operation of the store, and how many there were at it.
    turns: Mutex<(Duration, u32)>,
}

#[derive(Default)]
struct Known {
    runs: BTreeMap<RunId, Run>,
    effects: BTreeMap<Effect, Seen>,
    /// Keys of events, with their runs.
    keys: BTreeMap<String, RunId>,
    /// What is on the bus, by source and id.
    events: BTreeMap<(String, String), heard::Published>,
    /// The child of a call, by the first run of the parent's chain and the call.
    children: BTreeMap<(RunId, String), RunId>,
    /// What the integrations keep.
    kept: kept::Ledger,
    /// Who stands in which line.
    lines: order::Lines,
    newest_lease: Option<Lease>,
    leased_at: Duration,
    calm_since: Option<Duration>,
    /// So many runs have room in memory.
    places: usize,
    /// When the clock was set.
    jumps: Vec<Duration>,
    /// So long an operation of the store may take.
    latency: Duration,
    /// When processes ended.
    kills: Vec<Duration>,
    /// Processes that cannot be heard, and do not know it.
    cut_off: BTreeSet<u32>,
    /// Runs that a person touched: their pauses and attempts may be cut short.
    touched: BTreeSet<RunId>,
}

/// A run as its journal tells it.
struct Run {
    facts: RunFacts,
    /// Who runs it.
    parent: Option<children::Parent>,
    version: u64,
    status: RunStatus,
    cause: LiveCause,
    /// Since when, by the time that had really passed.
    stood_at: Duration,
    wake_at: Option<Timestamp>,
    ended_at: Option<Duration>,
    last_writer: Writer,
    last_txn: TxnId,
    /// The last write came from the run in memory, and not from beside it.
    last_from_memory: bool,
    machine: Option<Machine>,
    /// It has not begun: it stands in its line, or is held.
    standing: Option<order::Standing>,
    /// It was cancelled before it began.
    never_begun: bool,
    journal: Vec<Entry>,
    /// Who has each call under way.
    open: BTreeMap<CallId, Writer>,
    parked: BTreeMap<CallId, Failure>,
    fired: BTreeSet<TimerId>,
    /// Which listens waited after the last write, with their beginnings.
    listening: BTreeSet<(ListenId, u64)>,
    /// Events of which it was told, by the listen and its beginning.
    heard: BTreeSet<(ListenId, u64, (String, String))>,
    /// Puts into what is kept, by call and attempt.
    kept: BTreeSet<(CallId, u32)>,
    /// What people are asked.
    tasks: tasks::Tasks,
    /// Intents by the effect's name.
    intents: BTreeMap<String, usize>,
    /// Effects that brought an answer, by name.
    answered: BTreeSet<String>,
    /// In the write that is being looked at: answers to requests that change something.
    answers: usize,
    /// It was accepted without a place in memory, and nothing of it has begun.
    in_line: bool,
    /// How many later ones began before it.
    overtaken: u32,
}

/// An effect as the outside and the journals tell it.
#[derive(Default)]
struct Seen {
    requests: Vec<Request>,
    /// So many requests had come when a person said last that it had not taken place.
    decided_at: usize,
    /// A process ended between an intent and its result.
    crash_doubt: bool,
    /// A journal holds its answer.
    answered: bool,
    /// A person answered in place of the other side, or the platform itself did.
    skipped: bool,
    /// So many requests had come when a journal last took in how an attempt had failed.
    failed_at: usize,
}

/// What is true of a story from its beginning.
pub(crate) struct Ground {
    /// So many runs have room in memory.
    pub(crate) places: usize,
    /// So long an operation of the store may take.
    pub(crate) latency: Duration,
    /// The store looks neither at leases nor at versions: a planted bug.
    pub(crate) fenceless: bool,
}

impl Witness {
    pub(crate) fn new(
        store: Arc<MemoryStore>,
        clock: Arc<VirtualClock>,
        record: Record,
        programs: BTreeMap<String, Arc<Program>>,
        world: Ground,
    ) -> Arc<Self> {
        let Ground { places, latency, fenceless } = world;
        let known = Mutex::new(Known { places, latency, ..Known::default() });
        Arc::new(Self { store, clock, record, programs, fenceless, known, turns: Mutex::default() })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn broken(&self, invariant: Invariant, detail: impl std::fmt::Display) {
        self.record.broken(invariant, detail);
    }

    /// Writes a batch of a process, and looks at what became of it.
    pub(crate) async fn write(
        &self,
        writer: Writer,
        mut batch: Vec<Write>,
    ) -> Result<Vec<WriteOutcome>, StoreError> {
        let shown = batch.clone();
        if self.fenceless {
            self.without_fence(&mut batch).await;
        }
        let outcomes = self.store.write(batch).await?;
        for (write, outcome) in shown.iter().zip(&outcomes) {
            self.look(writer, write, outcome).await;
        }
        Ok(outcomes)
    }

    /// Planted: every commit is taken, whoever makes it and whatever it was based on.
    async fn without_fence(&self, batch: &mut [Write]) {
        for write in batch {
            let Write::Commit { lease, txn } = write else { continue };
            if let Ok(Some(head)) = self.store.run(txn.run).await {
                txn.expect = head.version;
            }
            if let Some(newest) = &self.known().newest_lease {
                lease.clone_from(newest);
            }
        }
    }

    /// An operation of the store begins. It never ends when there were too many at this moment: what
    /// turns in circles is brought to a halt, so that time goes on and the story can be told.
    pub(crate) async fn turn(&self) {
        let turns = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            let now = self.clock.uptime();
            *turns = if turns.0 == now { (now, turns.1 + 1) } else { (now, 1) };
            turns.1
        };
        if turns == TURNS_MAX {
            self.broken(Invariant::NoLivelock, format_args!("{turns} operations at one moment"));
        }
        if turns >= TURNS_MAX {
            std::future::pending::<()>().await;
        }
    }

    /// A process got the right to run.
    pub(crate) fn leased(&self, lease: &Lease) {
        let mut known = self.known();
        known.newest_lease = Some(lease.clone());
        known.leased_at = self.clock.uptime();
    }

    /// From now on nothing goes wrong.
    pub(crate) fn calm_down(&self) {
        self.known().calm_since = Some(self.clock.uptime());
    }

    /// A process ended.
    pub(crate) fn killed(&self) {
        let at = self.clock.uptime();
        self.known().kills.push(at);
    }

    /// The clock is set.
    pub(crate) fn jumped(&self) {
        let at = self.clock.uptime();
        self.known().jumps.push(at);
    }

    /// A process is cut off from the outside: what it sends does not arrive.
    pub(crate) fn cut_off(&self, process: u32) {
        self.known().cut_off.insert(process);
    }

    /// A person asks something of a run.
    pub(crate) fn touched(&self, run: RunId) {
        self.known().touched.insert(run);
    }

    /// When a run came to its end, if it is there, and in which process.
    pub(crate) fn ended(&self, run: RunId) -> Option<(Duration, u32)> {
        let known = self.known();
        let seen = known.runs.get(&run)?;
        Some((seen.ended_at?, seen.last_writer.process))
    }

    /// Whether a process ended between two moments.
    pub(crate) fn killed_between(&self, from: Duration, to: Duration) -> bool {
        self.known().kills.iter().any(|at| (from..=to).contains(at))
    }

    async fn dead_letter(&self, run: RunId) -> Option<DeadLetter> {
        let before = Some(RunId::from_bits(run.bits() + 1));
        let filter = DeadFilter { before, limit: 1, ..DeadFilter::default() };
        let newest = self.store.dead_letters(&filter).await.ok()?.into_iter().next()?;
        (newest.run == run).then_some(newest)
    }
}

impl Known {
    /// Whether there is room in memory for every run.
    fn is_roomy(&self) -> bool {
        self.places > ROOMY
    }

    /// Within what something that is due is done.
    fn at_once(&self) -> Duration {
        let runs = u32::try_from(self.runs.len()).unwrap_or(u32::MAX);
        AT_ONCE + self.latency.saturating_mul(TAKEN_UP_BY).saturating_mul(runs)
    }

    /// Whether everything has been well for long enough by then that what is due is done at once.
    fn is_caught_up(&self, by: Duration) -> bool {
        self.is_roomy()
            && self.calm_since.is_some_and(|calm| by >= calm.max(self.leased_at) + CAUGHT_UP)
    }
}
