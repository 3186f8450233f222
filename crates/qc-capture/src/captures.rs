use std::{
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use qc_model::{Actor, Clock, Entropy, Name, RunId, Timestamp};
use qc_store::{Change, ChangeOutcome, Committer, Document, PAGE_MAX, Store, StoreError};
use qc_vault::{Guest, Vault, VaultError};
use tokio::sync::Mutex;

use crate::{
    CAPTURE_KIND, Capture, CaptureError, CaptureRequest, ENTRY_KIND, Recorded,
    tap::{SLOT, StoredEntry},
};

/// The most captures that are asked for or under way at a time.
const OPEN_MAX: usize = 50;

/// What the captures of a node are made of.
pub struct CaptureParts {
    /// The store, for reading.
    pub store: Arc<dyn Store>,
    /// Group commit over the store.
    pub committer: Committer,
    /// Who seals.
    pub vault: Arc<Vault>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// The captures of a server, as a node knows them.
pub struct Captures {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) committer: Committer,
    pub(crate) vault: Arc<Vault>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    /// Those that record, when this node looked last.
    pub(crate) live: RwLock<Vec<Capture>>,
    /// Whether there is any of them.
    any: AtomicBool,
    /// Whoever writes an entry.
    pub(crate) turn: Mutex<()>,
}

/// One thing that was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The document's name: `tenant/capture/number`.
    pub name: String,
    /// When it was recorded.
    pub at: Timestamp,
    /// By which run.
    pub run: RunId,
    /// What.
    pub recorded: Recorded,
}

/// Why nothing is done or shown. Holds nothing of what was recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// There is none.
    #[error("there is no such capture")]
    Nothing,
    /// It cannot be so.
    #[error(transparent)]
    Unfit(#[from] CaptureError),
    /// Nothing of it can be seen.
    #[error("the capture is {0}: nothing of it can be seen")]
    Closed(&'static str),
    /// Others changed it.
    #[error("somebody else changed it at the same time; look at it again")]
    Changed,
    /// The vault or the store does not do it.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        Self::Vault(error.into())
    }
}

impl Captures {
    /// Over a store; knows of none until [`Captures::refresh`].
    pub fn new(parts: CaptureParts) -> Self {
        let CaptureParts { store, committer, vault, clock, entropy } = parts;
        let (live, any, turn) = (RwLock::default(), AtomicBool::new(false), Mutex::default());
        Self { store, committer, vault, clock, entropy, live, any, turn }
    }

    /// Whether any capture may be under way.
    pub(crate) fn any(&self) -> bool {
        // Nothing is read by it but the list, which has a lock of its own.
        self.any.load(Ordering::Relaxed)
    }

    /// Learns which captures are under way.
    pub async fn refresh(&self) -> Result<Vec<(Capture, u64)>, StoreError> {
        let (all, now) = (self.all().await?, self.clock.now());
        let live: Vec<Capture> =
            all.iter().filter(|(one, _)| one.records(now)).map(|(one, _)| one.clone()).collect();
        let any = !live.is_empty();
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = live;
        self.any.store(any, Ordering::Relaxed);
        Ok(all)
    }

    /// Takes one as it is now.
    pub(crate) fn see(&self, capture: &Capture) {
        let now = self.clock.now();
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        live.retain(|one| one.id != capture.id);
        if capture.records(now) {
            live.push(capture.clone());
        }
        self.any.store(!live.is_empty(), Ordering::Relaxed);
    }

    /// All, with the revisions of their documents.
    pub async fn all(&self) -> Result<Vec<(Capture, u64)>, StoreError> {
        let (mut all, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = self.store.documents(CAPTURE_KIND, after.as_deref(), PAGE_MAX).await?;
            let Some(last) = page.last() else { return Ok(all) };
            after = Some(last.name.clone());
            for document in &page {
                all.push((read(document)?, document.revision));
            }
        }
    }

    /// One, with the revision of its document.
    pub async fn one(&self, id: &str) -> Result<Option<(Capture, u64)>, StoreError> {
        let found = self.store.document(CAPTURE_KIND, id).await?;
        found.map(|document| Ok((read(&document)?, document.revision))).transpose()
    }

    /// Asks for one; a second person decides.
    pub async fn request(
        &self,
        asked: CaptureRequest,
        actor: &Actor,
    ) -> Result<Capture, ReadError> {
        if !self.vault.is_on() {
            return Err(VaultError::Off.into());
        }
        let now = self.clock.now();
        let under_way = |one: &Capture| one.is_open(now) || one.is_readable(now);
        let open = self.all().await?.iter().filter(|(one, _)| under_way(one)).count();
        if open >= OPEN_MAX {
            return Err(CaptureError::TooMany(open).into());
        }
        let capture = Capture::request(asked, now, &*self.entropy)?;
        self.keep(&capture, None, actor).await?;
        Ok(capture)
    }

    /// Agrees to one or refuses it, as a second person.
    pub async fn decide(
        &self,
        id: &str,
        agree: bool,
        by: &Name,
        actor: &Actor,
    ) -> Result<Capture, ReadError> {
        let (capture, revision) = self.one(id).await?.ok_or(ReadError::Nothing)?;
        let now = self.clock.now();
        let decided = if agree { capture.approve(by, now)? } else { capture.refuse(by, now)? };
        self.keep(&decided, Some(revision), actor).await?;
        self.see(&decided);
        Ok(decided)
    }

    /// What was recorded, from the one after `after`, so many at most.
    pub async fn read(
        &self,
        id: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Entry>, ReadError> {
        let (capture, _) = self.one(id).await?.ok_or(ReadError::Nothing)?;
        let now = self.clock.now();
        if !capture.is_readable(now) {
            return Err(ReadError::Closed(capture.word(now)));
        }
        let prefix = prefix(&capture);
        let after = after.filter(|after| after.starts_with(&prefix)).unwrap_or(&prefix);
        let page = self.store.documents(ENTRY_KIND, Some(after), limit.min(PAGE_MAX)).await?;
        let own = page.iter().take_while(|document| document.name.starts_with(&prefix));
        own.map(|document| self.opened(&capture, document)).collect()
    }

    /// Opens one, at its capture's place.
    fn opened(&self, capture: &Capture, document: &Document) -> Result<Entry, ReadError> {
        let corrupt = |why: &dyn fmt::Display| {
            StoreError::Corrupt(format!("the entry {} of a capture: {why}", document.name))
        };
        let stored: StoredEntry =
            serde_json::from_slice(&document.body).map_err(|error| corrupt(&error))?;
        let value = stored.sealed.get(SLOT).ok_or_else(|| corrupt(&"nothing is sealed"))?;
        let guest =
            Guest { environment: &capture.environment, kind: ENTRY_KIND, name: &document.name };
        let told = self.vault.open(guest, SLOT, value)?;
        // The error could quote what was recorded.
        let recorded = serde_json::from_str(told.expose())
            .map_err(|_| corrupt(&"it is of no form that is known here"))?;
        Ok(Entry { name: document.name.clone(), at: stored.at, run: stored.run, recorded })
    }

    pub(crate) async fn keep(
        &self,
        capture: &Capture,
        before: Option<u64>,
        actor: &Actor,
    ) -> Result<(), ReadError> {
        let change = capture.change(before, actor, self.clock.now(), &*self.entropy);
        self.changed(change).await
    }

    pub(crate) async fn changed(&self, change: Change) -> Result<(), ReadError> {
        match self.committer.change(change).await? {
            ChangeOutcome::Changed => Ok(()),
            ChangeOutcome::Conflict { .. } => Err(ReadError::Changed),
        }
    }
}

/// What the names of a capture's entries begin with.
pub(crate) fn prefix(capture: &Capture) -> String {
    format!("{}/{}/", capture.tenant, capture.id)
}

fn read(document: &Document) -> Result<Capture, StoreError> {
    serde_json::from_slice(&document.body)
        .map_err(|error| StoreError::Corrupt(format!("the capture {}: {error}", document.name)))
}

impl fmt::Debug for Captures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Captures").field("any", &self.any).finish_non_exhaustive()
    }
}
