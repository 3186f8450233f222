//! One story: a world grown from a seed, a hostile while in it, and then a calm one in which
//! everything must come to its end.

use std::{
    any::Any,
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
    time::Duration,
};

use qc_engine::{Accepted, EngineError, EngineSettings, RunEnd};
use qc_model::RunId;
use qc_store::{DeadFilter, RunFilter, RunHead, Store, memory::MemoryStore};
use qc_vault::Secrets;
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    Broken, Exercised, Invariant, Planted,
    abilities::Abilities,
    bugs::Soil,
    deeds::Temper,
    desk::{SECRET, SECRET_MARK},
    dice::Dice,
    hostile::Hostile,
    link::Link,
    log::Log,
    record::Record,
    witness::{Ground, Witness},
    workflows::{self, Workflows},
    world::{Parts, VirtualClock, World},
};

/// In the calm, people look after what waits for them so often.
const PEOPLE_COME: u32 = 10;

/// So many looks, half a minute apart, until everything must be at its end.
const LOOKS: u32 = 2_000;
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// After the last end, what is left in memory for timers of the past goes within this.
const CLEARED_WITHIN: Duration = Duration::from_secs(20 * 60);

/// How a story went.
#[derive(Debug, Clone)]
pub struct Told {
    /// Of which seed.
    pub seed: u64,
    /// Of everything that happened and of all that the store holds at the end.
    pub digest: u64,
    /// What must hold and did not; the first one is what matters.
    pub broken: Vec<Broken>,
    /// What it made the engine do.
    pub exercised: Exercised,
    /// What happened, line by line, with the virtual time in seconds; of a long story the beginning
    /// and the end.
    pub script: String,
}

/// What was sent, and what the engine said to it.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) event: u64,
    /// Under the key of another body.
    pub(crate) misused: bool,
    pub(crate) answer: Result<Accepted, EngineError>,
}

/// One who waited for a run's end.
#[derive(Debug)]
pub(crate) struct Waited {
    pub(crate) run: RunId,
    /// The process that was asked.
    pub(crate) process: u32,
    pub(crate) from: Duration,
    pub(crate) to: Duration,
    pub(crate) answer: Result<Option<RunEnd>, EngineError>,
}

/// A process that is cut off and does not know it, and when it ends.
struct Zombie {
    world: World,
    until: Instant,
}

pub(crate) struct Story {
    pub(crate) seed: u64,
    pub(crate) dice: Dice,
    pub(crate) temper: Temper,
    pub(crate) abilities: Abilities,
    pub(crate) workflows: Workflows,
    pub(crate) record: Record,
    pub(crate) witness: Arc<Witness>,
    pub(crate) world: World,
    pub(crate) link: Arc<Link>,
    zombies: Vec<Zombie>,
    pub(crate) outside: Arc<Hostile>,
    pub(crate) secrets: Arc<Secrets>,
    /// How often the credential was replaced, and when the platform is given the newest one.
    pub(crate) rotations: u32,
    pub(crate) mended_at: Option<Instant>,
    settings: EngineSettings,
    crashes: Arc<Notify>,
    pub(crate) processes: u32,
    pub(crate) sending: JoinSet<Sent>,
    pub(crate) sent: Vec<Sent>,
    pub(crate) waiting: JoinSet<Waited>,
    pub(crate) events: u64,
    /// How many were published.
    pub(crate) published: u64,
    pub(crate) replayed: BTreeSet<RunId>,
    /// Runs of which somebody asks something that is not answered yet.
    pub(crate) asked: Arc<Mutex<BTreeSet<RunId>>>,
    /// By how much the clock is wrong, in milliseconds.
    pub(crate) jumped: i64,
}

impl Story {
    fn new(seed: u64, bug: Option<Planted>, record: &Record) -> Self {
        record.begin();
        let mut dice = Dice::new(seed);
        let abilities = Abilities::new(&mut dice);
        let workflows = workflows::workflows(&mut dice, &abilities);
        let temper = Temper::new(&mut dice, &abilities);
        let clock = Arc::new(VirtualClock::now());
        let store = Arc::new(MemoryStore::with_clock(clock.clone()));
        let settings = EngineSettings {
            runs_max: dice.pick(&[1, 2, 4, 10_000]).copied().unwrap_or(1),
            linger: Duration::from_secs(1 + dice.below(10)),
            ..EngineSettings::default()
        };
        let deployments = abilities.deployments(&workflows);
        let programs = deployments
            .iter()
            .map(|one| (one.release.hash.clone(), one.release.program.clone()))
            .collect();
        let witness = Witness::new(
            store.clone(),
            clock.clone(),
            record.clone(),
            programs,
            Ground {
                places: settings.runs_max,
                latency: Duration::from_millis(temper.latency),
                fenceless: bug == Some(Planted::MissingFence),
            },
        );
        let outside = Hostile::new(
            Dice::new(seed ^ 0xabcd),
            witness.clone(),
            temper.faults,
            // A clock that jumps leaves nobody the time that the other side says it needs.
            if temper.jumps() { 0 } else { 900 },
            credential(0),
        );
        let secrets = Arc::new(Secrets::none().with_value(SECRET.0, SECRET.1, &credential(0)));
        let crashes = Arc::new(Notify::new());
        let link = Link::new(witness.clone(), 0, crashes.clone(), temper.latency);
        record.tell(format_args!(
            "do:\n{}do:\n{}{settings:?}, {temper:?}, {abilities:?}, {bug:?}",
            workflows.first, workflows.helper,
        ));
        let world = World::of(Parts {
            store,
            link: link.clone(),
            clock,
            deployments,
            outside: outside.clone(),
            secrets: secrets.clone(),
            seed: seed + 1,
            settings: settings.clone(),
        });
        Self {
            seed,
            dice,
            temper,
            abilities,
            workflows,
            record: record.clone(),
            witness,
            world,
            link,
            zombies: Vec::new(),
            outside,
            secrets,
            rotations: 0,
            mended_at: None,
            settings,
            crashes,
            processes: 1,
            sending: JoinSet::new(),
            sent: Vec::new(),
            waiting: JoinSet::new(),
            events: 0,
            published: 0,
            replayed: BTreeSet::new(),
            asked: Arc::default(),
            jumped: 0,
        }
    }

    pub(crate) fn tell(&self, what: impl std::fmt::Display) {
        self.record.tell(what);
    }

    async fn go(mut self, bug: Option<Planted>) {
        let steps = 6 + self.dice.below(40);
        for _ in 0..steps {
            let pause = self.dice.pick(&[0, 1, 40, 700, 6_000, 25_000]).copied().unwrap_or(0);
            let pause = Duration::from_millis(self.dice.below(pause + 1));
            self.pause(pause).await;
            self.act().await;
            if self.record.is_broken() {
                return;
            }
        }
        self.calm_down().await;
        Box::pin(self.wind_up()).await;
        self.judge().await;
        // A planted bug is to be noticed where it strikes, and not by what it leaves behind.
        if bug.is_none() {
            self.rehearse().await;
        }
        self.close().await;
    }

    /// Lets time pass. Whatever has to happen meanwhile happens.
    pub(crate) async fn pause(&mut self, time: Duration) {
        let until = Instant::now() + time;
        let crashes = self.crashes.clone();
        loop {
            let ends = self.zombies.iter().map(|zombie| zombie.until);
            let next = ends.chain(self.mended_at).min().unwrap_or(until).min(until);
            tokio::select! {
                biased;
                () = crashes.notified() => self.replace(false),
                () = sleep_until(next) => {}
            }
            self.come_due();
            if Instant::now() >= until {
                return;
            }
        }
    }

    fn come_due(&mut self) {
        let now = Instant::now();
        if self.mended_at.is_some_and(|at| at <= now) {
            self.mend();
        }
        let (ended, alive) =
            std::mem::take(&mut self.zombies).into_iter().partition(|one| one.until <= now);
        self.zombies = alive;
        let ended: Vec<Zombie> = ended;
        for zombie in ended {
            self.tell("a process that was cut off ends");
            zombie.world.kill();
        }
    }

    /// The platform is given the credential that the desk accepts.
    pub(crate) fn mend(&mut self) {
        self.mended_at = None;
        self.tell(format_args!("the credential is replaced: {}", self.rotations));
        self.secrets.set(SECRET.0, SECRET.1, &credential(self.rotations));
    }

    /// The process ends, and another one follows. `cut_off`: it only seems to have ended.
    pub(crate) fn replace(&mut self, cut_off: bool) {
        self.tell(if cut_off { "the process is cut off" } else { "the process ends" });
        self.witness.killed();
        let nth = self.processes;
        self.processes += 1;
        if cut_off || self.dice.percent(30) {
            self.settings.node = format!("node-{nth}");
        }
        let link = Link::new(self.witness.clone(), nth, self.crashes.clone(), self.temper.latency);
        let before = std::mem::replace(&mut self.link, link.clone());
        let next = World::of(Parts {
            store: self.world.store.clone(),
            link,
            clock: self.world.clock.clone(),
            deployments: self.abilities.deployments(&self.workflows),
            outside: self.outside.clone(),
            secrets: self.secrets.clone(),
            seed: self.seed + 1 + (u64::from(nth) << 20),
            settings: self.settings.clone(),
        });
        let world = std::mem::replace(&mut self.world, next);
        if cut_off {
            world.unplug();
            self.witness.cut_off(nth - 1);
            before.down_for(Duration::from_millis(9_000 + self.dice.below(12_000)));
            let until = Instant::now() + Duration::from_millis(5_000 + self.dice.below(40_000));
            self.zombies.push(Zombie { world, until });
        } else {
            world.kill();
        }
    }

    /// The process ends in good order.
    pub(crate) async fn restart(&mut self) {
        let limit = Duration::from_millis(self.dice.below(8_000));
        self.tell(format_args!("the process drains for at most {limit:?}"));
        let engine = self.world.engine.clone();
        engine.drain(limit).await;
        self.replace(false);
    }

    async fn calm_down(&mut self) {
        self.tell("everything goes well from now on");
        for zombie in self.zombies.drain(..) {
            self.witness.killed();
            zombie.world.kill();
        }
        self.link.calm_down();
        // A credential may stay dead for longer than the desk remembers some keys.
        self.outside.calm_down();
        self.witness.calm_down();
        let crashes = self.crashes.clone();
        loop {
            tokio::select! {
                biased;
                () = crashes.notified() => self.replace(false),
                sent = self.sending.join_next() => match sent {
                    Some(sent) => self.sent.push(sent.unwrap()),
                    None => return,
                },
            }
        }
    }

    pub(crate) async fn runs(&self) -> Vec<RunHead> {
        let mut all: Vec<RunHead> = Vec::new();
        loop {
            let before = all.last().map(|head| head.facts.id);
            let filter = RunFilter { before, limit: 1_000, ..RunFilter::default() };
            let page = self.world.store.runs(&filter).await.unwrap();
            if page.is_empty() {
                return all;
            }
            all.extend(page);
        }
    }

    /// Lets everything come to its end, with people deciding what only they can.
    async fn wind_up(&mut self) {
        for look in 0..LOOKS {
            self.pause(LOOK_EVERY).await;
            let mut open = self.runs().await;
            open.retain(|head| !head.state.status.is_terminal());
            if open.is_empty() || self.record.is_broken() {
                break;
            }
            self.witness.check_heard();
            if look % PEOPLE_COME == PEOPLE_COME - 1 {
                for head in &open {
                    Box::pin(self.decide(head, false)).await;
                }
                self.publish_for(&open);
                self.let_go_on().await;
            }
        }
        while let Some(waited) = self.waiting.join_next().await {
            self.judge_waited(&waited.unwrap());
        }
        sleep(CLEARED_WITHIN).await;
    }

    /// The store's contents are part of the digest.
    async fn close(&self) {
        let store = &self.world.store;
        for head in self.runs().await {
            let run = head.facts.id;
            self.record.digest(&format!("{head:?}"));
            self.record.digest(&format!("{:?}", store.event(run).await));
            self.record.digest(&format!("{:?}", store.journal(run).await));
        }
        let mut after = 0;
        loop {
            let filter = qc_store::LedgerFilter { after, ..Default::default() };
            let rows = store.ledger(&filter).await.unwrap();
            let Some(last) = rows.last() else { break };
            after = last.seq;
            self.record.digest(&format!("{rows:?}"));
        }
        self.record.digest(&format!("{:?}", store.dead_letters(&DeadFilter::default()).await));
    }
}

/// The n-th credential.
pub(crate) fn credential(nth: u32) -> String {
    format!("{SECRET_MARK}-{nth}")
}

/// Tells the story of a seed.
pub fn simulate(seed: u64) -> Told {
    simulate_with(seed, None)
}

/// Tells the story of a seed with a planted bug.
pub fn simulate_with(seed: u64, bug: Option<Planted>) -> Told {
    let record = Record::new();
    let _soil = Soil::with(bug);
    let told = catch_unwind(AssertUnwindSafe(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let _log = tracing::subscriber::set_default(Log(record.clone()));
        // Built where the virtual clock runs.
        runtime.block_on(async { Box::pin(Story::new(seed, bug, &record).go(bug)).await });
    }));
    if let Err(panic) = told {
        record.broken(Invariant::NoInternalError, format_args!("a panic: {}", said(&*panic)));
    }
    let (digest, script, broken) = record.close();
    Told { seed, digest, broken, exercised: record.exercised(), script }
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}
