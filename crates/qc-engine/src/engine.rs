//! The engine's shared parts, and what it knows of the runs in memory.

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use qc_connect::call::Outbound;
use qc_model::{Clock, Entropy, Name, RunId, Timestamp};
use qc_store::{Committer, Store};
use tokio::sync::{Notify, Semaphore, broadcast, mpsc, watch};

use crate::{
    Arrivals, Deployment, Deployments, ReleaseSource, ServiceClass, Standings,
    admission::{Admission, AdmissionLimits},
    claim::Claims,
    command::Command,
    data::TokenRoots,
    deliver::Deliveries,
    drift::Book,
    fair::{Gate, GateLimits, Paces, Places},
    groups::group_of_run,
    happening::{Happening, What},
    leases::Leases,
    line::Lines,
    mail::Mail,
    pause::Pauses,
    signal::Signal,
    tail::News,
    tenure::{Standing, Tenure},
    unavailable::Absences,
    waiting::Waiting,
    wheel::Wheel,
};

/// How many live happenings a slow listener may fall behind before it misses some.
const HAPPENINGS_BEHIND: usize = 4_096;

/// What the engine is made of. Wired in one place, by the binary or by a test.
pub struct EngineParts {
    /// Group commit over the store.
    pub committer: Committer,
    /// The store, for reading.
    pub store: Arc<dyn Store>,
    /// The outbound stack.
    pub outbound: Outbound,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Where releases come from.
    pub releases: Arc<dyn ReleaseSource>,
    /// Numbers and names.
    pub settings: EngineSettings,
}

/// The engine's settings.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// This node's name, for leases and the ledger. No other process may have it.
    pub node: String,
    /// How many runs may be in memory at once; further ones wait in the store.
    pub runs_max: usize,
    /// How many calls may be in flight at once.
    pub calls: GateLimits,
    /// Beyond which events are refused.
    pub admission: AdmissionLimits,
    /// The key under which payloads are hashed for the ledger (HMAC-SHA-256).
    pub ledger_key: [u8; 32],
    /// The keys from which tokens are made that go out in place of values.
    pub token_roots: TokenRoots,
    /// How long a lease of run buckets lasts without renewal.
    pub lease_ttl: Duration,
    /// How long calls in flight get to finish when their run goes to another node.
    pub hand_over: Duration,
    /// A run whose next timer is further away than this leaves memory until then.
    pub linger: Duration,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            node: "node-1".to_owned(),
            runs_max: 10_000,
            calls: GateLimits::default(),
            admission: AdmissionLimits::default(),
            ledger_key: [0; 32],
            token_roots: TokenRoots::default(),
            lease_ttl: Duration::from_secs(10),
            hand_over: Duration::from_secs(60),
            linger: Duration::from_secs(10),
        }
    }
}

/// Runs workflows durably. Cheap to clone; all clones are one engine.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) committer: Committer,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) outbound: Outbound,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) releases: Arc<dyn ReleaseSource>,
    pub(crate) settings: EngineSettings,
    pub(crate) deployments: ArcSwap<Deployments>,
    pub(crate) leases: Leases,
    pub(crate) mail: Mail,
    pub(crate) lines: Lines,
    pub(crate) claims: Claims,
    /// Who hears of what the platform fetched by itself.
    pub(crate) arrivals: OnceLock<Arc<dyn Arrivals>>,
    pub(crate) absences: Absences,
    pub(crate) drift: Book,
    pub(crate) pauses: Pauses,
    pub(crate) draining: Signal,
    /// The drain is over: the lease need not be held any longer.
    pub(crate) drained: Signal,
    /// The sweep is to look at the open runs now.
    pub(crate) sweep_now: Notify,
    pub(crate) places: Places,
    pub(crate) admission: Admission,
    pub(crate) gate: Arc<Gate>,
    pub(crate) idle: Notify,
    pub(crate) counters: Counters,
    pub(crate) sleeping: Wheel,
    pub(crate) waiting: Waiting,
    pub(crate) standings: Standings,
    /// A bulk was started here.
    pub(crate) bulks: Notify,
    /// A task was opened of a run that is at its end.
    pub(crate) task_opened: Notify,
    /// Who plays past runs: one at a time, so that live work has the rest of the machine.
    pub(crate) rehearsing: Semaphore,
    /// Counts the commits that added events to outboxes.
    pub(crate) emitted: watch::Sender<u64>,
    /// Counts the changes of what is deployed.
    deployed: watch::Sender<u64>,
    pub(crate) news: News,
    pub(crate) deliveries: Deliveries,
    /// A schedule may have to be looked at.
    pub(crate) clockwork: Notify,
    /// Something of the schedules was changed from outside: what is remembered of them does not hold.
    pub(crate) times_changed: AtomicBool,
    happenings: broadcast::Sender<Happening>,
    listened: AtomicBool,
}

/// A run's place in memory. Dropping it gives the place up, however its holder ended: a caller who
/// goes away or a panic must not leave a place that nobody fills.
pub(crate) struct Place {
    pub(crate) mailbox: mpsc::Receiver<Command>,
    /// Under which the run is driven.
    pub(crate) tenure: Arc<Tenure>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) run: RunId,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.vacate(self.run, &self.tenure);
    }
}

/// What became of the wish for a place in memory.
pub(crate) enum Reserved {
    /// Here it is.
    Place(Place),
    /// The run is in memory already.
    There,
    /// There is no room now.
    Full,
    /// Its group is not this node's.
    NotOurs,
}

/// What the engine has counted since it started.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) accepted: AtomicU64,
    pub(crate) queued: AtomicU64,
    pub(crate) degraded: AtomicU64,
    pub(crate) repeated: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) completed: AtomicU64,
    pub(crate) faulted: AtomicU64,
    pub(crate) cancelled: AtomicU64,
    pub(crate) parked: AtomicU64,
    pub(crate) calls: AtomicU64,
    pub(crate) calls_failed: AtomicU64,
    pub(crate) calls_unmapped: AtomicU64,
    pub(crate) batches: AtomicU64,
    pub(crate) calls_together: AtomicU64,
    pub(crate) recovered: AtomicU64,
    pub(crate) taken_up: AtomicU64,
    pub(crate) stuck: AtomicU64,
    pub(crate) quarantined: AtomicU64,
}

impl Counters {
    /// A request in which so many calls went.
    pub(crate) fn batch(&self, calls: u32) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.calls_together.fetch_add(calls.into(), Ordering::Relaxed);
    }
}

/// A snapshot of the engine's numbers, for metrics and health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gauges {
    /// Runs in memory now.
    pub runs_in_memory: usize,
    /// Runs that wait for a place in memory, as far as this node remembers them.
    pub runs_behind: usize,
    /// For how many milliseconds the oldest of them of normal priority has been there.
    pub oldest_behind_ms: u64,
    /// For how many milliseconds the oldest write has waited for its commit.
    pub commit_wait_ms: u64,
    /// Events since the start that were not taken because there was too much to do or too little room.
    pub busy: u64,
    /// The same, by the class of what they were for.
    pub busy_by_class: [(ServiceClass, u64); ServiceClass::ALL.len()],
    /// Events since the start that were accepted and begin later, as a limit had no room.
    pub queued: u64,
    /// Events since the start whose runs do their work in the lesser way.
    pub degraded: u64,
    /// Bytes that are free on the disk of the store, when it is on one of this machine.
    pub disk_free: Option<u64>,
    /// Calls in flight now.
    pub calls_in_flight: usize,
    /// Calls that wait until a limit lets them go.
    pub calls_waiting: usize,
    /// Calls since the start that other systems refused because there were too many.
    pub throttled: u64,
    /// Pauses since the start that other systems stated.
    pub stated_pauses: u64,
    /// Attempts since the start that were not the first of their call.
    pub calls_again: u64,
    /// Times since the start that a system was found not to answer, and left alone.
    pub breakers_opened: u64,
    /// Systems that are left alone now, or are coming back.
    pub breakers_open: usize,
    /// Calls since the start that were not sent because their system did not answer.
    pub calls_barred: u64,
    /// Calls since the start whose runs left memory to come again, because their turn was far away.
    pub calls_put_off: u64,
    /// Runs asleep in the store of which this node knows when they wake.
    pub runs_asleep: usize,
    /// Those who wait for a run's end now.
    pub waiting_for_ends: usize,
    /// Events accepted since the start; a replay is none.
    pub accepted: u64,
    /// Repeats recognised since the start.
    pub repeated: u64,
    /// Events that came by themselves and were refused for good since the start.
    pub refused: u64,
    /// Runs completed since the start.
    pub completed: u64,
    /// Runs that ended in failure since the start.
    pub faulted: u64,
    /// Runs cancelled since the start.
    pub cancelled: u64,
    /// Times a run was parked since the start.
    pub parked: u64,
    /// Attempts of calls since the start.
    pub calls: u64,
    /// Attempts that failed since the start.
    pub calls_failed: u64,
    /// Of those, answers of which neither a rule nor the status told what they mean.
    pub calls_unmapped: u64,
    /// Requests in which several calls went, since the start.
    pub batches: u64,
    /// Attempts that went in those.
    pub calls_together: u64,
    /// Runs found at work in the store and taken up since the start: left by a process that ended, or waiting for room.
    pub recovered: u64,
    /// Runs read from the store into memory since the start, for whatever reason.
    pub taken_up: u64,
    /// Runs found without a reason to go on since the start: must stay 0.
    pub stuck: u64,
    /// Runs put aside since the start because they were in memory at too many ends of the process.
    pub quarantined: u64,
    /// Whether this node holds the right to run: some groups of runs, or all.
    pub leased: bool,
    /// How many groups of runs this node has, of 64.
    pub groups: usize,
    /// How many nodes share the store, this one included, as it saw last; 1 when it is not shared.
    pub nodes: usize,
    /// Groups taken since the start from nodes that had let them run out.
    pub takeovers: u64,
    /// Groups handed over to other nodes since the start.
    pub handed_over: u64,
    /// Groups that other nodes took since the start, because this one did not renew them in time.
    pub groups_lost: u64,
    /// Commits since the start that came after their group was another node's: not written.
    pub fenced: u64,
    /// Ways in which answers broke their contracts since the start.
    pub drift_breaking: u64,
    /// Ways in which answers were more than their contracts say since the start.
    pub drift_additive: u64,
    /// Repairs of answers since the start.
    pub drift_repaired: u64,
    /// Answers since the start that said that their operation ends.
    pub drift_ends: u64,
    /// Canary calls since the start.
    pub drift_canaries: u64,
    /// Canary calls since the start that got no answer which could be held against a contract.
    pub drift_canaries_failed: u64,
}

impl Engine {
    /// An engine that is not running yet: [`Engine::run`] drives it.
    pub fn new(parts: EngineParts) -> Self {
        let EngineParts { committer, store, outbound, clock, entropy, releases, settings } = parts;
        let leases = Leases::new(!store.caps().shared);
        let admission = Admission::new(settings.admission.clone());
        let (places, gate) =
            (Places::new(settings.runs_max), Gate::new(settings.calls, clock.clone()));
        Self {
            shared: Arc::new(Shared {
                committer,
                store,
                outbound,
                clock,
                entropy,
                releases,
                settings,
                deployments: ArcSwap::from_pointee(Deployments::default()),
                leases,
                mail: Mail::default(),
                lines: Lines::default(),
                claims: Claims::default(),
                arrivals: OnceLock::new(),
                absences: Absences::default(),
                drift: Book::default(),
                pauses: Pauses::default(),
                draining: Signal::default(),
                drained: Signal::default(),
                sweep_now: Notify::new(),
                places,
                admission,
                gate,
                idle: Notify::new(),
                counters: Counters::default(),
                sleeping: Wheel::default(),
                waiting: Waiting::default(),
                standings: Standings::default(),
                bulks: Notify::new(),
                task_opened: Notify::new(),
                rehearsing: Semaphore::new(1),
                emitted: watch::Sender::new(0),
                deployed: watch::Sender::new(0),
                news: News::default(),
                deliveries: Deliveries::default(),
                clockwork: Notify::new(),
                times_changed: AtomicBool::new(true),
                happenings: broadcast::Sender::new(HAPPENINGS_BEHIND),
                listened: AtomicBool::new(false),
            }),
        }
    }

    /// This node's name.
    pub fn node(&self) -> &str {
        &self.shared.settings.node
    }

    /// What is deployed now.
    pub fn deployments(&self) -> Arc<Deployments> {
        self.shared.deployments.load_full()
    }

    /// Replaces what is deployed. Runs at work keep the release to which they are pinned.
    pub fn set_deployments(&self, list: Vec<Deployment>) {
        self.shared.deployments.store(Arc::new(Deployments::new(list)));
        self.shared.deployed.send_modify(|changes| *changes += 1);
        self.shared.forget_times();
        self.shared.news.published.notify_one();
    }

    /// Hears of every change of what is deployed, and of what is paused of it.
    pub fn deployments_changed(&self) -> watch::Receiver<u64> {
        self.shared.deployed.subscribe()
    }

    /// What this node knows of the limits of other systems.
    pub fn paces(&self) -> Paces {
        self.shared.gate.stands()
    }

    /// How the platform's own ties to the outside stand.
    pub fn standings(&self) -> &Standings {
        &self.shared.standings
    }

    /// Listens to what happens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Happening> {
        self.shared.listened.store(true, Ordering::Relaxed);
        self.shared.happenings.subscribe()
    }

    /// How many nodes share the store, as this one sees.
    pub fn nodes(&self) -> usize {
        self.shared.leases.numbers.nodes.load(Ordering::Relaxed).max(1)
    }

    /// Tells somebody of what the platform fetches by itself. Only the first who asks for it is told.
    pub fn tell_arrivals(&self, arrivals: Arc<dyn Arrivals>) {
        let _ = self.shared.arrivals.set(arrivals);
    }

    /// The engine's numbers.
    pub fn gauges(&self) -> Gauges {
        let counters = &self.shared.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let leases = &self.shared.leases;
        let (calls_in_flight, calls_waiting) = self.shared.gate.numbers();
        let tempo = self.shared.gate.counts();
        let backlog = &self.shared.places.backlog;
        let [drift_breaking, drift_additive, drift_repaired, drift_ends, asked, failed] =
            self.shared.drift.numbers.read();
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Gauges {
            runs_in_memory: self.shared.places.len(),
            runs_behind: backlog.len(),
            oldest_behind_ms: millis(self.shared.backlog_age(self.shared.now())),
            commit_wait_ms: millis(self.shared.committer.oldest_wait()),
            busy: self.shared.admission.refused.iter().map(read).sum(),
            busy_by_class: ServiceClass::ALL
                .map(|class| (class, read(&self.shared.admission.refused[class as usize]))),
            disk_free: self.shared.admission.room().map(|room| room.free),
            calls_in_flight,
            calls_waiting,
            throttled: tempo.throttled,
            stated_pauses: tempo.pauses,
            calls_again: tempo.again,
            breakers_opened: tempo.opened,
            breakers_open: tempo.open,
            calls_barred: tempo.barred,
            calls_put_off: tempo.put_off,
            runs_asleep: self.shared.sleeping.len(),
            waiting_for_ends: self.shared.waiting.len(),
            accepted: read(&counters.accepted),
            queued: read(&counters.queued),
            degraded: read(&counters.degraded),
            repeated: read(&counters.repeated),
            refused: read(&counters.refused),
            completed: read(&counters.completed),
            faulted: read(&counters.faulted),
            cancelled: read(&counters.cancelled),
            parked: read(&counters.parked),
            calls: read(&counters.calls),
            calls_failed: read(&counters.calls_failed),
            calls_unmapped: read(&counters.calls_unmapped),
            batches: read(&counters.batches),
            calls_together: read(&counters.calls_together),
            recovered: read(&counters.recovered),
            taken_up: read(&counters.taken_up),
            stuck: read(&counters.stuck),
            quarantined: read(&counters.quarantined),
            leased: leases.any(),
            groups: leases.count(),
            nodes: self.nodes(),
            takeovers: read(&leases.numbers.takeovers),
            handed_over: read(&leases.numbers.handed_over),
            groups_lost: read(&leases.numbers.lost),
            fenced: read(&leases.numbers.fenced),
            drift_breaking,
            drift_additive,
            drift_repaired,
            drift_ends,
            drift_canaries: asked,
            drift_canaries_failed: failed,
        }
    }
}

impl Shared {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What the platform fetches by itself is another one now.
    pub(crate) fn ties_changed(&self) {
        self.deployed.send_modify(|changes| *changes += 1);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.is_raised()
    }

    /// The schedules are to be looked at anew.
    pub(crate) fn forget_times(&self) {
        self.times_changed.store(true, Ordering::Release);
        self.clockwork.notify_one();
    }

    /// Whether runs that only wait had better leave memory to others.
    pub(crate) fn is_crowded(&self) -> bool {
        self.runs_in_memory() > self.settings.runs_max / 2
    }

    /// A run's place is free again.
    fn vacate(&self, run: RunId, tenure: &Tenure) {
        let left = self.places.vacate(run);
        if left == 0 {
            self.idle.notify_waiters();
        }
        if tenure.standing() != Standing::Ours {
            self.leases.emptied.notify_one();
        }
    }

    /// The mailbox of a run in memory.
    pub(crate) fn mailbox(&self, run: RunId) -> Option<mpsc::Sender<Command>> {
        self.places.mailbox(run)
    }

    pub(crate) fn is_active(&self, run: RunId) -> bool {
        self.places.has(run)
    }

    /// How many runs of each group are in memory.
    pub(crate) fn runs_by_group(&self) -> HashMap<u16, usize> {
        let mut counts = HashMap::new();
        for run in self.places.runs() {
            *counts.entry(group_of_run(run)).or_default() += 1;
        }
        counts
    }

    pub(crate) fn runs_in_memory(&self) -> usize {
        self.places.len()
    }

    /// Tells the listeners, if there are any.
    pub(crate) fn tell(&self, run: RunId, integration: &Name, what: impl FnOnce() -> What) {
        if self.listened.load(Ordering::Relaxed) {
            let happening =
                Happening { at: self.now(), run, integration: integration.clone(), what: what() };
            // No listener at this moment is fine: the ledger is the record.
            drop(self.happenings.send(happening));
        }
    }
}
