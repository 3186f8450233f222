//! What nodes tell each other, as documents in the store that they share: that a run waits for its
//! owner, that something changed among the nodes, and what people ask of runs (`forward`, `obey`).
//!
//! Nothing here is needed for a run to go on: a lost word costs time, and the sweep finds the run.

use std::{
    collections::{BTreeSet, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use qc_model::{RunId, Timestamp, TxnId};
use qc_store::{Change, ChangeOutcome, Document, DocumentOp, Expect, StoreError};
use tokio::{
    sync::{Notify, Semaphore},
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    Engine,
    groups::{GROUPS, buckets_of, group_of_run},
    unwind::OnDrop,
};

/// The kind of what is yet to be read.
pub(crate) const MAIL: &str = "node-mail";
/// The kind of answers to commands.
pub(crate) const ANSWERS: &str = "node-answer";

/// Something changed among the nodes; its revision tells whether that is news.
const LOOK: &str = "look";
/// Before the number of a group in which a run waits.
const WAKE: &str = "wake/";
/// Before the id of a command.
pub(crate) const COMMAND: &str = "command/";

/// How often a node looks for mail.
const POLL: Duration = Duration::from_millis(200);
/// What is to be posted is gathered for so long.
const GATHER: Duration = Duration::from_millis(20);
/// One page of mail, and how many of them are read at once.
const PAGE: usize = 256;
const PAGES_MAX: usize = 4;
/// So many commands are carried out at once.
const AT_ONCE: usize = 64;
/// So many commands of this node's callers may be on their way.
const ASKING_MAX: usize = 256;

/// How often what nobody will read is removed, and from which age on.
const TIDY_EVERY: Duration = Duration::from_secs(30);
pub(crate) const STALE: Duration = Duration::from_secs(5 * 60);

/// A waiting run was accepted at most so long ago; the sweep finds older ones.
const FRESH: Duration = Duration::from_secs(60);
const FRESH_PAGE: usize = 500;

/// What is to be posted, and what came.
pub(crate) struct Mail {
    /// Groups of other owners in which runs wait.
    wakes: Mutex<BTreeSet<u16>>,
    to_post: Notify,
    /// Groups of this node in which others have left runs.
    fresh: Mutex<BTreeSet<u16>>,
    fresh_came: Notify,
    /// Commands of others that this node is carrying out.
    at_work: Mutex<HashSet<String>>,
    /// Room for commands on their way.
    pub(crate) asking: Semaphore,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            wakes: Mutex::default(),
            to_post: Notify::new(),
            fresh: Mutex::default(),
            fresh_came: Notify::new(),
            at_work: Mutex::default(),
            asking: Semaphore::new(ASKING_MAX),
        }
    }
}

impl Mail {
    fn at_work(&self) -> MutexGuard<'_, HashSet<String>> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take(groups: &Mutex<BTreeSet<u16>>) -> BTreeSet<u16> {
    std::mem::take(&mut *groups.lock().unwrap_or_else(PoisonError::into_inner))
}

fn add(groups: &Mutex<BTreeSet<u16>>, group: u16) {
    groups.lock().unwrap_or_else(PoisonError::into_inner).insert(group);
}

/// What the reader of the mail remembers between two looks.
#[derive(Default)]
struct Desk {
    look: Option<u64>,
    at_work: JoinSet<()>,
    tidied_at: Option<Instant>,
}

impl Engine {
    /// Has the owner of a run take it up soon, wherever that is.
    pub(crate) fn wake_owner(&self, run: RunId) {
        let shared = &self.shared;
        if shared.leases.is_alone() || shared.leases.owns(run) {
            shared.sweep_now.notify_one();
            return;
        }
        add(&shared.mail.wakes, group_of_run(run));
        shared.mail.to_post.notify_one();
    }

    /// Reads and posts mail until the engine is drained.
    pub(crate) async fn exchange_mail(&self) {
        if self.shared.leases.is_alone() {
            return;
        }
        let mut desk = Desk::default();
        loop {
            self.post_wakes().await;
            if let Err(error) = self.read_mail(&mut desk).await {
                tracing::warn!("the mail of the other nodes cannot be read now: {error}");
            }
            tokio::select! {
                () = sleep(POLL) => {}
                () = self.shared.mail.to_post.notified() => sleep(GATHER).await,
                () = self.draining() => break,
            }
        }
        self.post_wakes().await;
        while desk.at_work.join_next().await.is_some() {}
    }

    async fn post_wakes(&self) {
        let groups = take(&self.shared.mail.wakes);
        if groups.is_empty() {
            return;
        }
        let puts = groups.iter().map(|group| self.put(format!("{WAKE}{group:02}"), Bytes::new()));
        if let Err(error) = self.change(puts.collect()).await {
            tracing::warn!("owners of runs cannot be told of them now: {error}");
        }
    }

    /// Tells the other nodes that groups can be had.
    pub(crate) async fn post_look(&self) {
        let put = self.put(LOOK.to_owned(), Bytes::new());
        if let Err(error) = self.change(vec![put]).await {
            tracing::warn!("the other nodes cannot be told of free groups now: {error}");
        }
    }

    fn put(&self, name: String, body: Bytes) -> DocumentOp {
        let at = self.shared.now();
        DocumentOp::Put { kind: MAIL.to_owned(), name, expect: Expect::Any, body, at }
    }

    pub(crate) async fn change(
        &self,
        documents: Vec<DocumentOp>,
    ) -> Result<ChangeOutcome, StoreError> {
        let id = TxnId::new(self.shared.now(), &*self.shared.entropy);
        self.shared
            .committer
            .change(Change { id, documents, signals: Vec::new(), ledger: Vec::new() })
            .await
    }

    async fn read_mail(&self, desk: &mut Desk) -> Result<(), StoreError> {
        let mut after: Option<String> = None;
        while desk.at_work.try_join_next().is_some() {}
        for _ in 0..PAGES_MAX {
            let page = self.shared.store.documents(MAIL, after.as_deref(), PAGE).await?;
            let all = page.len() < PAGE;
            after = page.last().map(|last| last.name.clone());
            for document in page {
                if document.name.starts_with(COMMAND) {
                    self.begin_command(&document, desk);
                } else if let Some(group) = document.name.strip_prefix(WAKE) {
                    self.woken(group.parse().ok(), &document).await;
                } else if document.name == LOOK && desk.look != Some(document.revision) {
                    desk.look = Some(document.revision);
                    self.shared.leases.look.notify_one();
                }
            }
            if all {
                break;
            }
        }
        if desk.tidied_at.is_none_or(|at| at.elapsed() >= TIDY_EVERY) {
            desk.tidied_at = Some(Instant::now());
            self.tidy().await?;
        }
        Ok(())
    }

    /// Somebody left a run in a group. Its owner takes the word away and looks for the run.
    async fn woken(&self, group: Option<u16>, document: &Document) {
        let ours = |group: &u16| *group < GROUPS && self.shared.leases.ours().contains(group);
        let Some(group) = group.filter(ours) else { return };
        add(&self.shared.mail.fresh, group);
        self.shared.mail.fresh_came.notify_one();
        // A newer word than this one stays, and is read at the next look.
        if let Err(error) = self.remove(document).await {
            tracing::debug!("a word about waiting runs stays: {error}");
        }
    }

    async fn remove(&self, document: &Document) -> Result<ChangeOutcome, StoreError> {
        let (kind, name) = (document.kind.clone(), document.name.clone());
        let expect = Expect::Revision(document.revision);
        self.change(vec![DocumentOp::Delete { kind, name, expect }]).await
    }

    fn begin_command(&self, document: &Document, desk: &mut Desk) {
        let Some((letter, tenure)) = self.for_us(document) else { return };
        if desk.at_work.len() >= AT_ONCE || !self.shared.mail.at_work().insert(letter.id.clone()) {
            return;
        }
        let engine = self.clone();
        let revision = document.revision;
        desk.at_work.spawn(async move {
            let id = letter.id.clone();
            let shared = Arc::clone(&engine.shared);
            // However it ends: one that could not be finished may be begun again, never beside itself.
            let _end = OnDrop(|| {
                shared.mail.at_work().remove(&id);
            });
            Box::pin(engine.carry_out(letter, revision, tenure)).await;
        });
    }

    /// Removes what nobody will read any more: whoever asked, or was to answer, is gone.
    async fn tidy(&self) -> Result<(), StoreError> {
        let now = self.shared.now();
        let stale = |at: Timestamp| now.since(at) > STALE;
        for kind in [MAIL, ANSWERS] {
            for document in self.shared.store.documents(kind, None, PAGE).await? {
                let kept = kind == MAIL && !document.name.starts_with(COMMAND);
                if !kept && stale(document.updated_at) {
                    self.remove(&document).await?;
                }
            }
        }
        Ok(())
    }

    /// Takes up the runs that others left for this node.
    pub(crate) async fn take_fresh(&self) {
        if self.shared.leases.is_alone() {
            return;
        }
        loop {
            for group in take(&self.shared.mail.fresh) {
                let since = RunId::from_bits(first_bits(self.shared.now() - FRESH));
                let page = self.shared.store.open_runs(buckets_of(group), Some(since), FRESH_PAGE);
                match page.await {
                    Ok(page) => self.sweep_page(&page).await,
                    Err(error) => tracing::warn!("fresh runs cannot be read now: {error}"),
                }
            }
            tokio::select! {
                () = self.shared.mail.fresh_came.notified() => {}
                () = self.draining() => return,
            }
        }
    }
}

/// The bits of the first id of a moment.
fn first_bits(at: Timestamp) -> u128 {
    u128::try_from(at.as_millis()).unwrap_or(0) << 80
}
