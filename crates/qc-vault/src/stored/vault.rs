use std::{collections::BTreeMap, sync::Arc, time::Duration};

use qc_model::{Actor, Clock, Entropy, EnvironmentName, Finding};
use qc_store::{Change, ChangeOutcome, Committer, PAGE_MAX, Store, StoreError};
use tokio::sync::Mutex;

use super::{
    SecretShown, Shelf, Shelved, VaultError,
    decide::{self, Deciding},
    documents::{HEAD, Head, Record, SECRET_KIND, VAULT_KIND, key_place},
    own::OWN,
    view::{Held, View},
};
use crate::{DataKey, KeyBytes, KeyRing, KeyRingError, Secret, SecretRef, Secrets, Wrapped, codes};

/// How often a change is tried that others were faster with.
const TRIES: usize = 10;
/// How often the vault is read until nothing changes meanwhile.
const READS: usize = 5;

/// What a vault is made of.
pub struct VaultParts<'a> {
    /// The store, for reading.
    pub store: Arc<dyn Store>,
    /// Group commit over the store.
    pub committer: Committer,
    /// Who wraps data keys; None: nothing can be sealed or opened.
    pub ring: Option<Arc<dyn KeyRing>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness; the operating system's, as keys are made from it.
    pub entropy: Arc<dyn Entropy>,
    /// Where secrets are looked up: what the vault holds is found there.
    pub secrets: &'a Secrets,
}

/// The secrets of the store. Every node that shares the store has one; they see each other's changes when they
/// [refresh](Vault::refresh).
pub struct Vault {
    store: Arc<dyn Store>,
    committer: Committer,
    pub(super) ring: Option<Arc<dyn KeyRing>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    shelf: Arc<Shelf>,
    reading: Mutex<()>,
}

/// A value to be stored.
#[derive(Debug, Clone)]
pub struct SetSecret {
    /// The environment.
    pub environment: EnvironmentName,
    /// The name.
    pub name: SecretRef,
    /// The value.
    pub value: Secret,
    /// How often it is to be changed.
    pub cadence: Cadence,
    /// How long the present value stays valid beside it; then there must be one. None: the present value, if there is
    /// one, ends at once.
    pub overlap: Option<Duration>,
}

/// What becomes of a secret's cadence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cadence {
    /// It stays as it is.
    Keep,
    /// It has none any more.
    Never,
    /// It is this.
    Every(Duration),
}

impl Vault {
    /// From its parts. Nothing is read yet.
    pub fn new(parts: VaultParts<'_>) -> Self {
        let VaultParts { store, committer, ring, clock, entropy, secrets } = parts;
        let shelf = secrets.shelf();
        Self { store, committer, ring, clock, entropy, shelf, reading: Mutex::new(()) }
    }

    /// Reads what others changed, if anything; costs one small read when nothing was. Keys that could not be unwrapped
    /// are tried again.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.reading.lock().await;
        let before = self.shelf.view();
        let found = self.store.document(VAULT_KIND, HEAD).await?;
        let revision = found.as_ref().map(|document| document.revision);
        if before.read && before.revision() == revision {
            if before.trouble.is_some() {
                let head = before.head.clone();
                let view = self.with_keys(head, before.records.clone(), &before).await;
                self.shelf.replace(view);
            }
            return Ok(());
        }
        let (head, records) = self.read().await?;
        let view = self.with_keys(head, records, &before).await;
        self.shelf.replace(view);
        Ok(())
    }

    /// Reads the head and all records, until both are of one moment. When others are too busy for that, the head is
    /// the older part: what is decided on it will not be written.
    async fn read(&self) -> Result<(Option<(Head, u64)>, BTreeMap<String, Held>), StoreError> {
        let mut found = self.store.document(VAULT_KIND, HEAD).await?;
        let mut read = 0;
        loop {
            let mut records = BTreeMap::new();
            let mut after: Option<String> = None;
            loop {
                let page = self.store.documents(SECRET_KIND, after.as_deref(), PAGE_MAX).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.name.clone());
                for document in &page {
                    let record = Arc::new(Record::read(document)?);
                    let held = Held { record, revision: document.revision, before: None };
                    records.insert(document.name.clone(), held);
                }
            }
            read += 1;
            let again = self.store.document(VAULT_KIND, HEAD).await?;
            let revision = |of: &Option<qc_store::Document>| of.as_ref().map(|one| one.revision);
            if revision(&again) == revision(&found) || read == READS {
                let head = found.map(|one| Ok::<_, StoreError>((Head::read(&one)?, one.revision)));
                return Ok((head.transpose()?, records));
            }
            found = again;
        }
    }

    /// The view with the keys that it needs: those that were there, and those that are new, unwrapped.
    async fn with_keys(
        &self,
        head: Option<(Head, u64)>,
        records: BTreeMap<String, Held>,
        before: &View,
    ) -> View {
        let mut view = View {
            read: true,
            head,
            records,
            on: self.ring.is_some(),
            clock: Some(Arc::clone(&self.clock)),
            ..View::default()
        };
        if let (Some((head, _)), Some(ring)) = (&view.head, &self.ring) {
            match &before.fingerprints {
                Some(key) => view.fingerprints = Some(key.clone()),
                None => match ring.unwrap_key(&head.fingerprint_key, &key_place("", 0)).await {
                    Ok(key) => view.fingerprints = Some(DataKey::new(0, key)),
                    Err(error) => view.trouble = Some(error),
                },
            }
            // Collected, as an iterator over borrowed parts cannot be held over an await.
            let mut wanted = Vec::new();
            for (environment, keys) in &head.environments {
                wanted.extend(keys.iter().map(|stored| (environment.clone(), stored)));
            }
            for (environment, stored) in wanted {
                let place = key_place(environment.as_str(), stored.version);
                let id = (environment, stored.version);
                if let Some(key) = before.keys.get(&id) {
                    view.keys.insert(id, key.clone());
                    continue;
                }
                // A ring that is away is asked once, not for every key.
                if matches!(view.trouble, Some(KeyRingError::Unavailable(_))) {
                    continue;
                }
                match ring.unwrap_key(&stored.key, &place).await {
                    Ok(key) => drop(view.keys.insert(id, DataKey::new(stored.version, key))),
                    Err(error) => view.trouble = Some(error),
                }
            }
        }
        if view.trouble.is_some() {
            keep_what_opened(&mut view, before);
        }
        view
    }

    /// Why keys are missing on this node, when some are.
    pub fn trouble(&self) -> Option<KeyRingError> {
        self.shelf.view().trouble.clone()
    }

    /// Everything that is stored, but for the values; of one environment, or of all.
    pub fn list(&self, environment: Option<&EnvironmentName>) -> Vec<SecretShown> {
        let (view, now) = (self.shelf.view(), self.clock.now());
        let records = view.records.values().map(|held| &held.record);
        let asked = records
            .filter(|one| !one.name.starts_with(OWN))
            .filter(|one| environment.is_none_or(|own| one.environment == *own));
        asked.map(|record| view.shown(record, now)).collect()
    }

    /// What should be done: cadences that are past, and what does not open.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = self.ring.as_ref().map(|ring| ring.findings()).unwrap_or_default();
        let view = self.shelf.view();
        if let Some(trouble) = &view.trouble {
            findings.push(
                Finding::error(trouble.code(), trouble.to_string())
                    .help("`qc vault status` shows where the vault's key is looked for"),
            );
        }
        if !view.on && view.head.is_some() {
            let message = "the vault holds secrets, and the setting `vault_key` is empty";
            findings.push(Finding::error(codes::VAULT_OFF, message).help("say where its key is"));
        }
        for secret in self.list(None) {
            let SecretShown { environment, name, .. } = &secret;
            if let (true, Some(due)) = (secret.overdue, secret.due_at) {
                let message =
                    format!("`secret://{name}` in `{environment}` was to be changed by {due}");
                let help = format!("qc secrets rotate {environment} {name} --file NEW");
                findings.push(Finding::warning(codes::OVERDUE, message).help(help));
            }
            if view.on && view.trouble.is_none() && !secret.opens {
                let message = format!("`secret://{name}` in `{environment}` does not open");
                let help = format!("set it anew: qc secrets set {environment} {name} --file NEW");
                findings.push(Finding::error(codes::NOT_OPENING, message).help(help));
            }
        }
        findings
    }

    /// Stores a value; see [`SetSecret::overlap`] for what becomes of the present one. The same value twice is one
    /// change.
    pub async fn set(&self, asked: &SetSecret, actor: &Actor) -> Result<SecretShown, VaultError> {
        if asked.overlap.is_none() {
            self.ensure_key(&asked.environment, actor).await?;
        }
        self.change(actor, |view, deciding| decide::set(view, asked, deciding)).await?;
        let view = self.shelf.view();
        let held = view.held(&asked.environment, asked.name.name()).ok_or(VaultError::Busy)?;
        Ok(view.shown(&held.record, self.clock.now()))
    }

    /// Ends a secret: at once on this node, elsewhere when it refreshes.
    pub async fn remove(
        &self,
        environment: &EnvironmentName,
        name: &SecretRef,
        actor: &Actor,
    ) -> Result<(), VaultError> {
        self.change_on(actor, false, |view, deciding| {
            decide::remove(view, environment, name, deciding).map(Some)
        })
        .await
        .map(drop)
    }

    /// Begins to seal the environment's secrets under a new data key. The rest is done in steps, by [`Vault::tend`].
    /// While one is under way another one is not begun. Gives the version of the key that seals now.
    pub async fn rotate_key(
        &self,
        environment: &EnvironmentName,
        actor: &Actor,
    ) -> Result<u32, VaultError> {
        self.refresh().await?;
        let present = {
            let view = self.shelf.view();
            let head = view.head.as_ref().map(|(head, _)| head);
            let keys = head.and_then(|head| head.environments.get(environment));
            let nothing = || VaultError::Nothing(format!("secrets of `{environment}`"));
            let keys = keys.ok_or_else(nothing)?;
            let newest = keys.last().ok_or_else(nothing)?.version;
            if keys.len() > 1 {
                return Ok(newest);
            }
            newest
        };
        self.add_key(environment, present, actor).await
    }

    /// The environment has a key that seals.
    pub(super) async fn ensure_key(
        &self,
        environment: &EnvironmentName,
        actor: &Actor,
    ) -> Result<(), VaultError> {
        self.refresh().await?;
        let there = {
            let view = self.shelf.view();
            view.head.as_ref().is_some_and(|(head, _)| head.current(environment).is_some())
        };
        if !there {
            self.add_key(environment, 0, actor).await?;
        }
        Ok(())
    }

    /// Makes the environment's next data key, unless others did: then there is one after `present`.
    async fn add_key(
        &self,
        environment: &EnvironmentName,
        present: u32,
        actor: &Actor,
    ) -> Result<u32, VaultError> {
        let ring = self.ring.as_ref().ok_or(VaultError::Off)?;
        let version = present + 1;
        let key = KeyBytes::generate(&*self.entropy);
        let wrapped = ring.wrap(&key, &key_place(environment.as_str(), version)).await?;
        let fingerprints = self.fingerprint_key(ring).await?;
        self.change(actor, |view, deciding| {
            if decide::next_version(view, environment) != version {
                return Ok(None);
            }
            let keys = (fingerprints.clone(), wrapped.clone());
            decide::add_key(view, environment, keys, deciding).map(Some)
        })
        .await?;
        Ok(version)
    }

    /// A key for fingerprints; used only when the vault has none.
    async fn fingerprint_key(&self, ring: &Arc<dyn KeyRing>) -> Result<Wrapped, VaultError> {
        if let Some((head, _)) = &self.shelf.view().head {
            return Ok(head.fingerprint_key.clone());
        }
        Ok(ring.wrap(&KeyBytes::generate(&*self.entropy), &key_place("", 0)).await?)
    }

    /// A change that needs the key ring.
    pub(super) async fn change(
        &self,
        actor: &Actor,
        decide: impl Fn(&View, Deciding<'_>) -> Result<Option<Change>, VaultError>,
    ) -> Result<bool, VaultError> {
        self.change_on(actor, true, decide).await
    }

    /// Decides on what is there now and writes it, again when others were faster. Says whether anything was written.
    async fn change_on(
        &self,
        actor: &Actor,
        sealing: bool,
        decide: impl Fn(&View, Deciding<'_>) -> Result<Option<Change>, VaultError>,
    ) -> Result<bool, VaultError> {
        if sealing && self.ring.is_none() {
            return Err(VaultError::Off);
        }
        for _ in 0..TRIES {
            self.refresh().await?;
            let deciding = Deciding { actor, now: self.clock.now(), entropy: &*self.entropy };
            let Some(change) = decide(&self.shelf.view(), deciding)? else { return Ok(false) };
            match self.committer.change(change).await? {
                ChangeOutcome::Changed => {
                    // What was written counts here at once.
                    self.refresh().await?;
                    return Ok(true);
                }
                ChangeOutcome::Conflict { .. } => {}
            }
        }
        Err(VaultError::Busy)
    }

    pub(super) fn find(&self, environment: &EnvironmentName, name: &SecretRef) -> Shelved {
        self.shelf.find(environment, name.name(), false)
    }

    pub(super) fn view(&self) -> Arc<View> {
        self.shelf.view()
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    pub(super) fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.store
    }

    pub(super) fn committer(&self) -> &Committer {
        &self.committer
    }
}

/// Records whose new keys are not to be had stay as they could be opened last, with the keys of that time.
fn keep_what_opened(view: &mut View, before: &View) {
    for (id, key) in &before.keys {
        view.keys.entry(id.clone()).or_insert_with(|| key.clone());
    }
    let missing: Vec<String> = view
        .records
        .iter()
        .filter(|(_, held)| !view.has_keys(&held.record))
        .map(|(name, _)| name.clone())
        .collect();
    for name in missing {
        let Some(old) = before.records.get(&name) else { continue };
        let known = [Some(&old.record), old.before.as_ref()];
        let opened = known.into_iter().flatten().find(|record| before.has_keys(record)).cloned();
        if let Some(held) = view.records.get_mut(&name) {
            held.before = opened;
        }
    }
}
