//! The one place that decides whether an event may be accepted now: before anything of it is written, by what the store,
//! the disk, the backlog and the tenant's quota say. Whoever is refused hears when to come back.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use qc_model::{Code, TenantName, Timestamp};
use qc_store::{RunFacts, RunHead};
use tokio::time::{Instant, sleep};

use crate::{Engine, ServiceClass, codes, engine::Shared, groups::GROUPS, open::Counts};

/// What was seen of the disk holds for so long, as long as there is room.
const DISK_HOLDS: Duration = Duration::from_millis(100);

/// Between two looks at the disk when no event comes.
const LOOK_AT_DISK: Duration = Duration::from_millis(500);

/// On a small disk the marks are these parts of it.
const SOFT_PART: u64 = 20;
const HARD_PART: u64 = 50;

/// The marks beyond which events are refused.
#[derive(Debug, Clone)]
pub struct AdmissionLimits {
    /// When the oldest write has waited for so long for its commit.
    pub commit_wait: Duration,
    /// When the oldest run of normal priority has waited for so long for a place in memory.
    pub backlog_age: Duration,
    /// When a tenant has so many open runs.
    pub tenant_runs: usize,
    /// When the disk has less room than this, in bytes; a twentieth of a small disk.
    pub disk_soft: u64,
    /// When it has less than this, no further calls are made either: what is in flight comes to its end; a fiftieth of a
    /// small disk.
    pub disk_hard: u64,
    /// Looks at the disk. None: the store is not on a disk of this machine.
    pub disk: Option<DiskGauge>,
}

impl Default for AdmissionLimits {
    fn default() -> Self {
        Self {
            commit_wait: Duration::from_secs(2),
            backlog_age: Duration::from_secs(600),
            tenant_runs: 1_000_000,
            disk_soft: 512 << 20,
            disk_hard: 128 << 20,
            disk: None,
        }
    }
}

/// Looks at the disk on which the store is. Does not block for long.
#[derive(Clone)]
pub struct DiskGauge(pub Arc<dyn Fn() -> Option<DiskRoom> + Send + Sync>);

impl fmt::Debug for DiskGauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DiskGauge")
    }
}

/// A disk's room, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskRoom {
    /// What is free.
    pub free: u64,
    /// All of it.
    pub size: u64,
}

/// Why an event is not accepted now. Nothing of it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Busy {
    /// The store is slow.
    #[error(
        "the store is slow: the oldest write has waited {} ms for its commit, and beyond {} ms no event is taken",
        .waited.as_millis(), .mark.as_millis()
    )]
    Commits {
        /// For how long the oldest write has waited.
        waited: Duration,
        /// The mark.
        mark: Duration,
    },
    /// Runs wait for too long.
    #[error(
        "a run has waited for its place for {} s, and beyond {} s no event is taken",
        .age.as_secs(), .mark.as_secs()
    )]
    Backlog {
        /// How old it is.
        age: Duration,
        /// The mark.
        mark: Duration,
    },
    /// The tenant has enough.
    #[error(
        "the tenant `{tenant}` has {open} open runs, and its quota for events of this class is {quota}"
    )]
    Quota {
        /// Whose quota.
        tenant: TenantName,
        /// How many are open.
        open: usize,
        /// The quota.
        quota: usize,
    },
    /// The disk is nearly full.
    #[error("{} MiB are free on the disk of the store, and below {} MiB no event is taken", .free >> 20, .mark >> 20)]
    Disk {
        /// What is free, in bytes.
        free: u64,
        /// The mark, in bytes.
        mark: u64,
    },
}

impl Busy {
    /// The code.
    pub fn code(&self) -> Code {
        match self {
            Self::Commits { .. } => codes::COMMITS_SLOW,
            Self::Backlog { .. } => codes::BACKLOG_OLD,
            Self::Quota { .. } => codes::TENANT_QUOTA,
            Self::Disk { .. } => codes::DISK_LOW,
        }
    }

    /// Whether the sender alone is meant, and not everybody.
    pub fn is_of_sender(&self) -> bool {
        matches!(self, Self::Quota { .. })
    }

    /// When to come back.
    pub fn retry_after(&self) -> Duration {
        Duration::from_secs(match self {
            Self::Commits { .. } => 2,
            Self::Backlog { .. } | Self::Quota { .. } => 10,
            Self::Disk { .. } => 30,
        })
    }
}

/// What is known for the decision.
#[derive(Debug)]
pub(crate) struct Admission {
    limits: AdmissionLimits,
    open: Mutex<OpenRuns>,
    disk: Mutex<Option<(Instant, Option<DiskRoom>)>>,
    /// Whether the disk is below its hard mark.
    nearly_full: AtomicBool,
    /// Events that were refused, of each class.
    pub(crate) refused: [AtomicU64; ServiceClass::ALL.len()],
}

/// How many runs of each tenant are open, as the last round of the sweep and what came since say.
#[derive(Debug, Default)]
pub(crate) struct OpenRuns {
    known: HashMap<TenantName, usize>,
    in_round: HashMap<TenantName, usize>,
    came_in_round: HashMap<TenantName, usize>,
    /// The same, by what limits count.
    pub(crate) counts: Counts,
}

impl Admission {
    pub(crate) fn new(limits: AdmissionLimits) -> Self {
        Self {
            limits,
            open: Mutex::default(),
            disk: Mutex::new(None),
            nearly_full: AtomicBool::new(false),
            refused: Default::default(),
        }
    }

    pub(crate) fn open(&self) -> MutexGuard<'_, OpenRuns> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A round of the sweep begins.
    pub(crate) fn round_begins(&self) {
        let mut open = self.open();
        open.in_round.clear();
        open.came_in_round.clear();
        open.counts.round_begins();
    }

    /// The round has seen these open runs.
    pub(crate) fn seen(&self, page: &[RunHead]) {
        let mut open = self.open();
        for head in page {
            *open.in_round.entry(head.facts.tenant.clone()).or_default() += 1;
            open.counts.seen(&head.facts);
        }
    }

    /// The round has seen all. What came meanwhile was perhaps not seen.
    pub(crate) fn round_ends(&self) {
        let mut open = self.open();
        let mut known = std::mem::take(&mut open.in_round);
        for (tenant, came) in std::mem::take(&mut open.came_in_round) {
            *known.entry(tenant).or_default() += came;
        }
        open.known = known;
        open.counts.round_ends();
    }

    /// A run is open from now on.
    pub(crate) fn opened(&self, facts: &RunFacts) {
        let (mut open, tenant) = (self.open(), &facts.tenant);
        *open.known.entry(tenant.clone()).or_default() += 1;
        *open.came_in_round.entry(tenant.clone()).or_default() += 1;
        open.counts.opened(facts);
    }

    /// One is at its end.
    pub(crate) fn ended(&self, facts: &RunFacts) {
        let (mut open, tenant) = (self.open(), &facts.tenant);
        open.counts.ended(facts);
        if let Some(count) = open.known.get_mut(tenant) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.known.remove(tenant);
            }
        }
    }

    /// How many runs of a tenant are open on this node.
    fn open_of(&self, tenant: &TenantName) -> usize {
        self.open().known.get(tenant).copied().unwrap_or(0)
    }

    /// The disk's room; asked for anew when what is known is old, or there was little.
    pub(crate) fn room(&self) -> Option<DiskRoom> {
        let DiskGauge(look) = self.limits.disk.as_ref()?;
        let mut known = self.disk.lock().unwrap_or_else(PoisonError::into_inner);
        match *known {
            Some((at, Some(room))) if at.elapsed() < DISK_HOLDS && room.free >= self.soft(room) => {
                Some(room)
            }
            _ => {
                let room = look();
                *known = Some((Instant::now(), room));
                room
            }
        }
    }

    fn soft(&self, room: DiskRoom) -> u64 {
        self.limits.disk_soft.min(room.size / SOFT_PART)
    }

    fn hard(&self, room: DiskRoom) -> u64 {
        self.limits.disk_hard.min(room.size / HARD_PART)
    }

    /// Whether only what is in flight may come to its end.
    pub(crate) fn is_nearly_full(&self) -> bool {
        self.nearly_full.load(Ordering::Acquire)
    }
}

/// What the server bears at a moment.
#[derive(Debug, Clone, Copy)]
struct Load {
    room: Option<DiskRoom>,
    /// For how long the oldest write has waited.
    waited: Duration,
    /// Open runs of the tenant.
    open: usize,
    /// For how long the oldest run has waited for a place.
    age: Duration,
}

impl Load {
    /// The marks are those of the class `standard`. `deferrable` is refused at half of them; what is between the mark and
    /// its quarter more is kept for `critical`. Of the disk it is the other way round: twice as much must be free for the
    /// one, and half of what is between the marks is kept for the other.
    fn verdict(
        self,
        tenant: &TenantName,
        class: ServiceClass,
        admission: &Admission,
    ) -> Result<(), Busy> {
        let limits = &admission.limits;
        if let Some(room) = self.room {
            let (soft, hard) = (admission.soft(room), admission.hard(room));
            let mark = match class {
                ServiceClass::Deferrable => soft.saturating_mul(2),
                ServiceClass::Standard => soft,
                ServiceClass::Critical => soft - soft.saturating_sub(hard) / 2,
            };
            if room.free < mark {
                return Err(Busy::Disk { free: room.free, mark });
            }
        }
        let time = |mark: Duration| match class {
            ServiceClass::Deferrable => mark / 2,
            ServiceClass::Standard => mark,
            ServiceClass::Critical => mark.saturating_add(mark / 4),
        };
        let mark = time(limits.commit_wait);
        if self.waited > mark {
            return Err(Busy::Commits { waited: self.waited, mark });
        }
        let quota = match class {
            ServiceClass::Deferrable => limits.tenant_runs.div_ceil(2),
            ServiceClass::Standard => limits.tenant_runs,
            ServiceClass::Critical => limits.tenant_runs.saturating_add(limits.tenant_runs / 4),
        };
        if self.open >= quota {
            return Err(Busy::Quota { tenant: tenant.clone(), open: self.open, quota });
        }
        let mark = time(limits.backlog_age);
        if self.age > mark {
            return Err(Busy::Backlog { age: self.age, mark });
        }
        Ok(())
    }
}

/// The runs of a tenant on all nodes, from those in this node's part of the groups: runs are spread evenly over them.
pub(crate) fn on_all_nodes(open: usize, groups: usize) -> usize {
    match groups {
        0 => open,
        groups => open.saturating_mul(usize::from(GROUPS)) / groups,
    }
}

impl Shared {
    /// Why an event of this tenant cannot be accepted now.
    pub(crate) fn refuses(&self, tenant: &TenantName, class: ServiceClass) -> Result<(), Busy> {
        let admission = &self.admission;
        let load = Load {
            room: admission.room(),
            waited: self.committer.oldest_wait(),
            open: on_all_nodes(admission.open_of(tenant), self.leases.count()),
            age: self.backlog_age(self.now()),
        };
        let verdict = load.verdict(tenant, class, admission);
        if verdict.is_err() {
            admission.refused[class as usize].fetch_add(1, Ordering::Relaxed);
        }
        verdict
    }

    /// For how long the oldest run of normal priority has waited for its place.
    pub(crate) fn backlog_age(&self, now: Timestamp) -> Duration {
        let oldest = self.places.backlog.oldest();
        oldest.map_or(Duration::ZERO, |at| now.since(at))
    }
}

impl Engine {
    /// Watches the disk: below its hard mark no further run is taken up and no further call is made.
    pub(crate) async fn watch_disk(&self) {
        let shared = &self.shared;
        let admission = &shared.admission;
        if admission.limits.disk.is_none() {
            return;
        }
        loop {
            let room = admission.room();
            let full = room.is_some_and(|room| room.free < admission.hard(room));
            if admission.nearly_full.swap(full, Ordering::AcqRel) != full {
                let free = room.map_or(0, |room| room.free >> 20);
                if full {
                    tracing::error!(code = %codes::DISK_LOW, "{free} MiB are free on the disk of the store: no further call is made until there is room");
                } else {
                    tracing::warn!("there is room on the disk of the store again: {free} MiB");
                }
                shared.gate.shut(full);
                shared.places.backlog.came.notify_one();
            }
            tokio::select! {
                biased;
                () = self.draining() => return,
                () = sleep(LOOK_AT_DISK) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn who_is_refused_hears_whose_it_is_and_when_to_come_back() {
        let (some, mark) = (Duration::from_secs(3), Duration::from_secs(2));
        let quota = Busy::Quota { tenant: TenantName::new("acme").unwrap(), open: 3, quota: 2 };
        let commits = Busy::Commits { waited: some, mark };
        let backlog = Busy::Backlog { age: some, mark };
        let told = |busy: &Busy| (busy.is_of_sender(), busy.retry_after().as_secs());
        assert_eq!([&quota, &commits, &backlog].map(told), [(true, 10), (false, 2), (false, 10)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_small_disk_has_small_marks_and_room_is_noticed_at_once() {
        let free = Arc::new(AtomicU64::new(40 << 20));
        let gauge = free.clone();
        let look = move || Some(DiskRoom { free: gauge.load(Ordering::Relaxed), size: 48 << 20 });
        let disk = Some(DiskGauge(Arc::new(look)));
        let admission = Admission::new(AdmissionLimits { disk, ..AdmissionLimits::default() });
        let room = admission.room().unwrap();
        assert_eq!(admission.soft(room), (48 << 20) / 20);
        assert_eq!(admission.hard(room), (48 << 20) / 50);
        free.store(0, Ordering::Relaxed);
        assert_eq!(admission.room().unwrap().free, 40 << 20, "known for a moment");
        tokio::time::sleep(DISK_HOLDS).await;
        assert_eq!(admission.room().unwrap().free, 0);
        free.store(30 << 20, Ordering::Relaxed);
        assert_eq!(admission.room().unwrap().free, 30 << 20, "that there is room again is seen");
        let large = DiskRoom { free: 1 << 40, size: 1 << 40 };
        assert_eq!((admission.soft(large), admission.hard(large)), (512 << 20, 128 << 20));
    }

    proptest! {
        /// Whoever comes in comes in in a higher class, too; and what is kept for `critical` nobody else gets.
        #[test]
        fn a_higher_class_is_never_refused_where_a_lower_one_comes_in(
            free in 0_u64..3_000, waited in 0_u64..4_000, open in 0_usize..200, age in 0_u64..1_200,
        ) {
            let limits = AdmissionLimits {
                tenant_runs: 100,
                disk_soft: 1_000,
                disk_hard: 500,
                ..AdmissionLimits::default()
            };
            let admission = Admission::new(limits.clone());
            let load = Load {
                room: Some(DiskRoom { free, size: 1 << 40 }),
                waited: Duration::from_millis(waited),
                open,
                age: Duration::from_secs(age),
            };
            let tenant = TenantName::new("acme").unwrap();
            let comes = ServiceClass::ALL.map(|class| load.verdict(&tenant, class, &admission).is_ok());
            prop_assert!(comes.is_sorted(), "{comes:?}");
            let marks = |percent: u64| {
                waited * 100 <= 2_000 * percent
                    && age * 100 <= 600 * percent
                    && u64::try_from(open).expect("a small number") < percent
            };
            prop_assert_eq!(comes[0], marks(50) && free >= 2_000);
            prop_assert_eq!(comes[1], marks(100) && free >= 1_000);
            prop_assert_eq!(comes[2], marks(125) && free >= 750);
        }
    }

    #[test]
    fn open_runs_are_counted_by_the_sweep_and_between_its_rounds() {
        let admission = Admission::new(AdmissionLimits::default());
        let run = crate::open::tests::run(1);
        for _ in 0..5 {
            admission.opened(&run);
        }
        admission.ended(&run);
        assert_eq!(admission.open_of(&run.tenant), 4);
        admission.round_begins();
        admission.opened(&run);
        admission.round_ends();
        assert_eq!(admission.open_of(&run.tenant), 1, "what the round did not see is gone");
        assert_eq!((on_all_nodes(10, 64), on_all_nodes(10, 16), on_all_nodes(10, 0)), (10, 40, 10));
    }
}
