//! What this node owns, for everybody in the engine to look up. Only `hold` changes it.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize},
    },
};

use arc_swap::ArcSwap;
use qc_model::RunId;
use tokio::sync::Notify;

use crate::{
    groups::{GROUPS, bucket_in, bucket_of, group_of, group_of_run},
    tenure::{Standing, Tenure},
};

/// The tenures by group, and how this node does among the others.
pub(crate) struct Leases {
    rows: ArcSwap<Rows>,
    /// Every group is this node's as long as it lives: nobody else can use the store.
    alone: bool,
    /// Somebody waits for a renewal.
    pub(crate) hurry: Arc<Notify>,
    /// Something changed among the nodes: look now.
    pub(crate) look: Notify,
    /// A run of a group that is being handed over has left memory.
    pub(crate) emptied: Notify,
    pub(crate) numbers: Numbers,
}

/// What is counted.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    /// Nodes seen at the last look.
    pub(crate) nodes: AtomicUsize,
    /// Groups taken from nodes that let them run out.
    pub(crate) takeovers: AtomicU64,
    /// Groups handed over in peace.
    pub(crate) handed_over: AtomicU64,
    /// Groups that another node took.
    pub(crate) lost: AtomicU64,
    /// Commits that came too late.
    pub(crate) fenced: AtomicU64,
    /// Whether a look at the nodes has succeeded yet.
    pub(crate) looked: AtomicBool,
}

struct Rows {
    by_group: Vec<Option<Arc<Tenure>>>,
    /// The groups whose runs this node takes up, sorted.
    ours: Vec<u16>,
}

impl Rows {
    fn new(by_group: Vec<Option<Arc<Tenure>>>) -> Self {
        let ours = (0..)
            .zip(&by_group)
            .filter(|(_, tenure)| tenure.as_ref().is_some_and(|tenure| tenure.is_ours()))
            .map(|(group, _)| group)
            .collect();
        Self { by_group, ours }
    }
}

impl Leases {
    pub(crate) fn new(alone: bool) -> Self {
        Self {
            rows: ArcSwap::from_pointee(Rows::new(vec![None; usize::from(GROUPS)])),
            alone,
            hurry: Arc::default(),
            look: Notify::new(),
            emptied: Notify::new(),
            numbers: Numbers::default(),
        }
    }

    /// Whether no other node can use the store.
    pub(crate) fn is_alone(&self) -> bool {
        self.alone
    }

    /// Replaces what is owned; also after the standing of a tenure has changed.
    pub(crate) fn set(&self, tenures: impl IntoIterator<Item = Arc<Tenure>>) {
        let mut by_group = vec![None; usize::from(GROUPS)];
        for tenure in tenures {
            if tenure.lease.buckets.is_empty() {
                continue;
            }
            let groups =
                group_of(tenure.lease.buckets.start)..=group_of(tenure.lease.buckets.end - 1);
            for group in groups {
                if let Some(row) = by_group.get_mut(usize::from(group)) {
                    *row = Some(Arc::clone(&tenure));
                }
            }
        }
        self.rows.store(Arc::new(Rows::new(by_group)));
    }

    /// The tenure of a run's group, if it is not over.
    pub(crate) fn of(&self, run: RunId) -> Option<Arc<Tenure>> {
        let rows = self.rows.load();
        let tenure = rows.by_group.get(usize::from(group_of_run(run)))?.as_ref()?;
        let covers = tenure.lease.buckets.contains(&bucket_of(run));
        (covers && !tenure.is_lost()).then(|| Arc::clone(tenure))
    }

    /// Whether this node takes up runs of this one's group.
    pub(crate) fn owns(&self, run: RunId) -> bool {
        self.of(run).is_some_and(|tenure| tenure.is_ours())
    }

    /// The groups whose runs this node takes up, sorted.
    pub(crate) fn ours(&self) -> Vec<u16> {
        self.rows.load().ours.clone()
    }

    /// Whether there is any such group.
    pub(crate) fn any(&self) -> bool {
        !self.rows.load().ours.is_empty()
    }

    /// The tenures whose runs this node takes up, each once.
    pub(crate) fn tenures(&self) -> Vec<Arc<Tenure>> {
        let rows = self.rows.load();
        let mut seen = HashSet::new();
        let ours = rows.by_group.iter().flatten().filter(|tenure| tenure.is_ours());
        ours.filter(|tenure| seen.insert(Arc::as_ptr(tenure))).map(Arc::clone).collect()
    }

    /// How many groups this node has, those that it is handing over included.
    pub(crate) fn count(&self) -> usize {
        let rows = self.rows.load();
        rows.by_group.iter().flatten().filter(|tenure| !tenure.is_lost()).count()
    }

    /// A bucket for a new run, so that it is this node's own; None when it has none, or all.
    pub(crate) fn pick(&self, chance: u64) -> Option<u16> {
        let rows = self.rows.load();
        if self.alone || rows.ours.is_empty() {
            return None;
        }
        let place = usize::try_from((chance >> 32) % rows.ours.len() as u64).unwrap_or(0);
        rows.ours.get(place).map(|group| bucket_in(*group, chance & 0xffff_ffff))
    }

    /// Begins to hand everything over.
    pub(crate) fn leave_all(&self) {
        self.go_on(Standing::Leaving);
    }

    /// Ends everything.
    pub(crate) fn lose_all(&self) {
        self.go_on(Standing::Lost);
    }

    fn go_on(&self, standing: Standing) {
        let rows = self.rows.load_full();
        let mut seen = HashSet::new();
        for tenure in rows.by_group.iter().flatten() {
            if seen.insert(Arc::as_ptr(tenure)) {
                match standing {
                    Standing::Ours => {}
                    Standing::Leaving => tenure.leave(),
                    Standing::Lost => tenure.lose(),
                }
            }
        }
        self.rows.store(Arc::new(Rows::new(rows.by_group.clone())));
        self.emptied.notify_one();
    }
}
