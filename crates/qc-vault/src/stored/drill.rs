//! A rehearsal: keys and a secret are rotated while everything of an environment is looked up without a pause, and what
//! failed is counted.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use qc_model::{Actor, EnvironmentName, TxnId};
use qc_store::Change;
use serde_json::json;
use tokio::{task::JoinSet, time::sleep};

use super::{
    SecretShown, Vault, VaultError,
    documents::audit,
    drops::random_code,
    vault::{Cadence, SetSecret},
};
use crate::{Secret, SecretRef, Secrets};

/// So many look everything up at the same time.
const READERS: usize = 4;
/// Their pause after each round.
const PAUSE: Duration = Duration::from_millis(1);
/// So many pauses are the longest wait for look-ups.
const PAUSES: usize = 5_000;
/// So many look-ups are waited for before the first step, and after the last one.
const AROUND: u64 = 200;
/// How long sealing everything anew may take.
const RESEAL_MAX: Duration = Duration::from_secs(40);
/// The pause between two looks at what is still to be done.
const LOOK: Duration = Duration::from_millis(20);
/// How long a value stays valid beside the one that a drill gives in its place.
const OVERLAP: Duration = Duration::from_secs(3_600);
/// How often a step is tried that others were faster with.
const TRIES: usize = 5;

/// What a drill rotates.
#[derive(Debug, Clone)]
pub struct Drill {
    /// The environment whose data key is rotated, and whose secrets are looked up meanwhile.
    pub environment: EnvironmentName,
    /// A secret that gets this value; None: only a secret of the drill's own gets a new one.
    pub secret: Option<(SecretRef, Secret)>,
}

/// What a drill did, and what failed meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Drilled {
    /// How many look-ups were made.
    pub requests: u64,
    /// How many of them gave no value, or one that does not count.
    pub failures: u64,
    /// The first of these, in words and without a value.
    pub first_failure: Option<String>,
    /// How many keys were wrapped anew; 0: all were wrapped with the current key-encryption key.
    pub rewrapped: usize,
    /// The data key that seals now.
    pub data_key: u32,
    /// How many secrets were looked up and sealed anew.
    pub secrets: usize,
    /// How long it took.
    pub took: Duration,
}

impl Vault {
    /// Does the drill: wraps the data keys with the current key-encryption key, makes the environment a new data key and
    /// waits until everything is sealed under it, and gives a secret of its own (and one that is named) a new value, while
    /// the environment's secrets are looked up without a pause. What came of it is in the audit.
    pub async fn drill(
        &self,
        drill: &Drill,
        secrets: &Arc<Secrets>,
        actor: &Actor,
    ) -> Result<Drilled, VaultError> {
        let began = self.clock().now();
        let own = SecretRef::parse(&format!("secret://drill/{}", began.as_millis()));
        let own = own.map_err(|error| VaultError::Unfit(error.to_string()))?;
        let values = [random_code::<2>(self.entropy()), random_code::<2>(self.entropy())];
        self.give(drill, (&own, &values[0]), None, actor).await?;
        let of_environment = self.list(Some(&drill.environment));
        let load = Arc::new(Load {
            environment: drill.environment.clone(),
            secrets: Arc::clone(secrets),
            all: of_environment.iter().filter_map(reference).collect(),
            own: own.clone(),
            values: values.to_vec(),
            requests: AtomicU64::new(0),
            failed: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let mut readers = JoinSet::new();
        for _ in 0..READERS {
            readers.spawn(Arc::clone(&load).read());
        }
        let rotated = self.rotate_all(drill, (&own, &values[1]), &load, actor).await;
        load.over.store(true, Ordering::Relaxed);
        while readers.join_next().await.is_some() {}
        // Whatever happened, nothing of the drill stays.
        let removed = self.remove(&drill.environment, &own, actor).await;
        let (rewrapped, data_key) = rotated?;
        removed?;
        let (failures, first_failure) =
            load.failed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let done = Drilled {
            requests: load.requests.load(Ordering::Relaxed),
            failures,
            first_failure,
            rewrapped,
            data_key,
            secrets: load.all.len(),
            took: self.clock().now().since(began),
        };
        self.tell(drill, &done, actor).await?;
        Ok(done)
    }

    async fn rotate_all(
        &self,
        drill: &Drill,
        (own, next): (&SecretRef, &Secret),
        load: &Load,
        actor: &Actor,
    ) -> Result<(usize, u32), VaultError> {
        load.more(AROUND).await;
        let mut tries = 0;
        let rewrapped = loop {
            tries += 1;
            match self.rewrap(actor).await {
                Err(VaultError::Busy) if tries < TRIES => {}
                done => break done?,
            }
        };
        let data_key = self.rotate_key(&drill.environment, actor).await?;
        self.reseal(&drill.environment).await?;
        self.give(drill, (own, next), Some(OVERLAP), actor).await?;
        if let Some((name, value)) = &drill.secret {
            self.give(drill, (name, value), Some(OVERLAP), actor).await?;
        }
        load.more(AROUND).await;
        Ok((rewrapped, data_key))
    }

    /// Waits until nothing of the environment is sealed under an older data key, and does the steps.
    async fn reseal(&self, environment: &EnvironmentName) -> Result<(), VaultError> {
        let mut waited = Duration::ZERO;
        loop {
            let more = self.tend().await?;
            let status = self.status().await?;
            let own = status.environments.iter().find(|one| one.environment == *environment);
            // Until the old key is gone, too, unless it waits for what others may have sealed with it.
            if !more && own.is_none_or(|own| own.remaining == 0) {
                return Ok(());
            }
            if waited >= RESEAL_MAX {
                let why =
                    "not everything is sealed anew yet; it goes on by itself: `qc vault status`";
                return Err(VaultError::Unfit(why.to_owned()));
            }
            sleep(LOOK).await;
            waited += LOOK;
        }
    }

    async fn give(
        &self,
        drill: &Drill,
        (name, value): (&SecretRef, &Secret),
        overlap: Option<Duration>,
        actor: &Actor,
    ) -> Result<(), VaultError> {
        let asked = SetSecret {
            environment: drill.environment.clone(),
            name: name.clone(),
            value: value.clone(),
            cadence: Cadence::Keep,
            overlap,
        };
        self.set(&asked, actor).await.map(drop)
    }

    async fn tell(&self, drill: &Drill, done: &Drilled, actor: &Actor) -> Result<(), VaultError> {
        let facts = json!({
            "requests": done.requests, "failures": done.failures, "first_failure": done.first_failure,
            "rewrapped": done.rewrapped, "data_key": done.data_key, "secrets": done.secrets,
            "secret": drill.secret.as_ref().map(|(name, _)| name.to_string()),
            "millis": u64::try_from(done.took.as_millis()).unwrap_or(u64::MAX),
        });
        let outcome = if done.failures == 0 { "drill passed" } else { "drill failed" };
        let now = self.clock().now();
        let row = audit("vault", outcome, Some(&drill.environment), facts, (actor, now));
        let id = TxnId::new(now, self.entropy());
        let change = Change { id, documents: vec![], ledger: vec![row], signals: vec![] };
        self.committer().change(change).await?;
        Ok(())
    }
}

fn reference(secret: &SecretShown) -> Option<SecretRef> {
    // What does not open before the drill says nothing of it; `qc vault status` tells of it.
    let name = secret.opens.then(|| format!("secret://{}", secret.name))?;
    SecretRef::parse(&name).ok()
}

/// Those who look everything up.
struct Load {
    environment: EnvironmentName,
    secrets: Arc<Secrets>,
    all: Vec<SecretRef>,
    own: SecretRef,
    /// The values that the drill's own secret may have.
    values: Vec<Secret>,
    requests: AtomicU64,
    failed: Mutex<(u64, Option<String>)>,
    over: AtomicBool,
}

impl Load {
    async fn read(self: Arc<Self>) {
        while !self.over.load(Ordering::Relaxed) {
            for name in &self.all {
                let why = match self.secrets.live(&self.environment, name) {
                    Ok(values) if *name == self.own => {
                        let known = values.iter().all(|value| self.values.contains(value));
                        (!known).then(|| format!("`{name}` had a value that it was not given"))
                    }
                    Ok(_) => None,
                    Err(missing) => Some(missing.to_string()),
                };
                self.requests.fetch_add(1, Ordering::Relaxed);
                if let Some(why) = why {
                    let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                    failed.0 += 1;
                    failed.1.get_or_insert(why);
                }
            }
            sleep(PAUSE).await;
        }
    }

    /// Waits for so many look-ups more; not for ever, where there is nothing to look up.
    async fn more(&self, count: u64) {
        let until = self.requests.load(Ordering::Relaxed) + count;
        for _ in 0..PAUSES {
            if self.requests.load(Ordering::Relaxed) >= until {
                return;
            }
            sleep(PAUSE).await;
        }
    }
}
