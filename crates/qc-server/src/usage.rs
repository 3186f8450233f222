//! Who uses which version of which contract, and which fields of it: counted at the door, read by the gate and by
//! whoever ends a version.

use std::{
    collections::{BTreeMap, HashMap, HashSet, hash_map::RandomState},
    hash::BuildHasher as _,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use qc_census::{Census, Counted};
use qc_engine::{Deployment, Deployments, Trigger, TriggerKind};
use qc_model::{Actor, Clock, Entropy, EnvironmentName, EventData, Name, Timestamp, TxnId};
use qc_store::{
    Change, ChangeOutcome, Committer, DocumentOp, Expect, LedgerKind, LedgerRow, Store, StoreError,
    documents_under,
};
use qc_version::{
    Usage, Versions,
    usage::{Hit, Shape, Use},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::sleep;

use crate::State;

/// The kind of the documents that say what a consumer does at a node: `<environment>/<integration>/<trigger>/<consumer>/<node>`.
const USE_KIND: &str = "contract-use";
/// The kind of the documents that say since when a trigger's consumers are counted: `<environment>/<integration>/<trigger>`.
const WATCH_KIND: &str = "contract-watch";
/// The kind of the documents that say that people ended a version: `<environment>/<integration>/<trigger>/<version>`.
const END_KIND: &str = "contract-end";
/// The most versions of one consumer.
const VERSIONS: usize = 64;
/// The most outlines of documents that are remembered between two writes; what is beyond them is looked at each time.
const OUTLINES: usize = 100_000;
/// How often what was counted is written, and what others wrote is read.
const SETTLE_EVERY: Duration = Duration::from_secs(60);

/// What a consumer does at a trigger.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    schema_version: u32,
    /// As people call it.
    consumer: String,
    versions: BTreeMap<String, Use>,
}

impl Default for Kept {
    fn default() -> Self {
        Self { schema_version: 1, consumer: String::new(), versions: BTreeMap::new() }
    }
}

impl Counted for Kept {
    fn add(&mut self, other: Self) {
        self.consumer = other.consumer;
        for (version, used) in other.versions {
            if let Some(known) = self.versions.get_mut(&version) {
                known.add(&used);
            } else if self.versions.len() < VERSIONS {
                self.versions.insert(version, used);
            }
        }
    }

    fn forget(&mut self, before: Timestamp) {
        self.versions.retain(|_, used| used.last > before);
        for used in self.versions.values_mut() {
            used.fields.retain(|_, last| *last > before);
        }
    }
}

/// That people ended a version although somebody speaks it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Ended {
    schema_version: u32,
    by: Actor,
    reason: String,
}

/// Who speaks which version, where.
#[derive(Clone, Copy, Hash)]
pub(crate) struct Speaker<'a> {
    pub(crate) environment: &'a EnvironmentName,
    pub(crate) integration: &'a Name,
    pub(crate) trigger: &'a Name,
    /// The version; empty where there is one only.
    pub(crate) version: &'a str,
    pub(crate) consumer: &'a str,
}

/// The form of a document, as its sender sent it.
pub(crate) struct Form {
    /// Its fields, unless they were looked at before.
    shape: Option<Shape>,
    /// What is remembered, so that it is not looked at again.
    outline: u64,
}

/// How a version comes to its end by people's hands.
pub(crate) struct Ending<'a> {
    pub(crate) environment: &'a EnvironmentName,
    pub(crate) integration: &'a Name,
    pub(crate) trigger: &'a str,
    pub(crate) version: &'a str,
    pub(crate) reason: &'a str,
    /// Who still speaks it.
    pub(crate) hit: &'a [Hit],
}

/// Counts on this node, and knows what all of them counted.
pub(crate) struct Uses {
    census: Census<Kept>,
    store: Arc<dyn Store>,
    committer: Committer,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    hashing: RandomState,
    /// Outlines of documents that were looked at since the last write, each of a speaker.
    seen: RwLock<HashSet<u64>>,
    /// Of the integrations of which a version may have ended.
    known: RwLock<HashMap<(EnvironmentName, Name), Arc<Usage>>>,
}

impl Uses {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        committer: Committer,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        node: &str,
    ) -> Self {
        let census = Census::new(
            USE_KIND,
            Arc::clone(&store),
            committer.clone(),
            Arc::clone(&clock),
            Arc::clone(&entropy),
            node,
        );
        let (hashing, seen, known) = (RandomState::new(), RwLock::default(), RwLock::default());
        Self { census, store, committer, clock, entropy, hashing, seen, known }
    }

    /// The form of an event's data, before it is taken to another version.
    pub(crate) fn form(&self, speaker: &Speaker<'_>, data: &EventData) -> Form {
        let EventData::Json(data) = data else {
            return Form { shape: None, outline: self.hashing.hash_one(speaker) };
        };
        let outline = self.hashing.hash_one((speaker, Shape::outline(data, &self.hashing)));
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        Form { shape: (!seen.contains(&outline)).then(|| Shape::of(data)), outline }
    }

    /// Counts an event that was taken.
    pub(crate) fn note(&self, speaker: &Speaker<'_>, form: &Form) {
        let Speaker { environment, integration, trigger, version, consumer } = *speaker;
        let escaped = consumer.replace('%', "%25").replace('/', "%2F");
        let name = format!("{environment}/{integration}/{trigger}/{escaped}");
        self.census.note(name, |kept, now| {
            if kept.consumer.is_empty() {
                consumer.clone_into(&mut kept.consumer);
            }
            if !kept.versions.contains_key(version) && kept.versions.len() >= VERSIONS {
                return;
            }
            let used = kept.versions.entry(version.to_owned()).or_insert_with(|| Use::never(now));
            (used.count, used.last) = (used.count.saturating_add(1), now);
            if let Some(shape) = &form.shape {
                used.has(shape, now);
            }
        });
        if form.shape.is_some() {
            let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
            if seen.len() < OUTLINES {
                seen.insert(form.outline);
            }
        }
    }

    /// Whether a version whose end has come goes on here.
    pub(crate) fn outlives(
        &self,
        deployment: &Deployment,
        trigger: &Name,
        (versions, index): (&Versions, usize),
        now: Timestamp,
    ) -> bool {
        let place = (deployment.environment.clone(), deployment.release.integration.clone());
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let name = versions.entries()[index].name.as_str();
        known
            .get(&place)
            .is_some_and(|usage| usage.outlives(trigger.as_str(), name, versions.quiet, now))
    }

    /// What is known of the use of an integration's contracts, at all nodes; what this node counted is written first.
    pub(crate) async fn of(
        &self,
        environment: &EnvironmentName,
        integration: &Name,
    ) -> Result<Usage, StoreError> {
        self.flush().await?;
        self.read(environment, integration).await
    }

    /// What was looked at is looked at again after each write: each says when a field was sent last.
    async fn flush(&self) -> Result<(), StoreError> {
        self.seen.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.census.flush().await
    }

    async fn read(
        &self,
        environment: &EnvironmentName,
        integration: &Name,
    ) -> Result<Usage, StoreError> {
        let (mut usage, prefix) = (Usage::default(), format!("{environment}/{integration}/"));
        self.census
            .each(&prefix, "", |name, kept| {
                let trigger = name[prefix.len()..].split('/').next().unwrap_or_default();
                for (version, used) in &kept.versions {
                    usage.add(trigger, version, &kept.consumer, used);
                }
                true
            })
            .await?;
        for document in documents_under(&*self.store, WATCH_KIND, &prefix).await? {
            let trigger = document.name[prefix.len()..].to_owned();
            usage.since.insert(trigger, document.updated_at);
        }
        for document in documents_under(&*self.store, END_KIND, &prefix).await? {
            let parts = document.name[prefix.len()..].split_once('/');
            usage.ended.extend(parts.map(|(trigger, it)| (trigger.to_owned(), it.to_owned())));
        }
        Ok(usage)
    }

    /// Writes what was counted, begins to watch what is new, and reads what all nodes counted where it decides something.
    pub(crate) async fn settle(&self, deployments: &Deployments) -> Result<(), StoreError> {
        self.flush().await?;
        let now = self.clock.now();
        let mut known = HashMap::new();
        for deployment in deployments.iter() {
            let (environment, integration) =
                (&deployment.environment, &deployment.release.integration);
            self.watch(deployment, now).await?;
            let ends = |trigger: &Trigger| {
                let versions = trigger.versions.as_ref();
                versions.is_some_and(|it| it.entries().iter().any(|it| it.window.sunset.is_some()))
            };
            if deployment.release.triggers.values().any(ends) {
                let usage = self.read(environment, integration).await?;
                known.insert((environment.clone(), integration.clone()), Arc::new(usage));
            }
        }
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(())
    }

    /// Writes down that from now on it is known who uses the triggers of a deployment.
    async fn watch(&self, deployment: &Deployment, now: Timestamp) -> Result<(), StoreError> {
        let (environment, integration) = (&deployment.environment, &deployment.release.integration);
        let prefix = format!("{environment}/{integration}/");
        let watched: HashSet<String> = documents_under(&*self.store, WATCH_KIND, &prefix)
            .await?
            .into_iter()
            .map(|document| document.name)
            .collect();
        let triggers = deployment.release.triggers.values();
        let sent = triggers.filter(|trigger| {
            trigger.kind.is_sent() || matches!(trigger.kind, TriggerKind::Amqp(_))
        });
        let new = sent.map(|trigger| format!("{prefix}{}", trigger.name));
        for name in new.filter(|name| !watched.contains(name)) {
            let put = DocumentOp::Put {
                kind: WATCH_KIND.to_owned(),
                name,
                expect: Expect::Absent,
                body: br#"{"schema_version":1}"#.as_slice().into(),
                at: now,
            };
            // Another node may have been first.
            self.change(vec![put], Vec::new()).await?;
        }
        Ok(())
    }

    /// Ends a version that somebody still speaks, with its row in the audit. False: it was ended before.
    pub(crate) async fn end(&self, ending: &Ending<'_>, by: &Actor) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let Ending { environment, integration, trigger, version, .. } = ending;
        let ended = Ended { schema_version: 1, by: by.clone(), reason: ending.reason.to_owned() };
        let put = DocumentOp::Put {
            kind: END_KIND.to_owned(),
            name: format!("{environment}/{integration}/{trigger}/{version}"),
            expect: Expect::Absent,
            body: serde_json::to_vec(&ended).expect("only string keys").into(),
            at: now,
        };
        let consumers: Vec<&str> = ending.hit.iter().map(|hit| hit.consumer.as_str()).collect();
        let facts = json!({ "reason": ending.reason, "consumers": consumers });
        let row = LedgerRow {
            at: now,
            kind: LedgerKind::Audit,
            tenant: qc_model::TenantName::new("platform").expect("a legal name"),
            environment: Some((*environment).clone()),
            integration: Some((*integration).clone()),
            run: None,
            event: None,
            actor: by.text(),
            subject: format!("version {version} of {trigger}"),
            outcome: "ended".to_owned(),
            code: None,
            facts: by.with_origin(facts).to_string().into_bytes().into(),
        };
        let ended = self.change(vec![put], vec![row]).await?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(usage) = known.get_mut(&((*environment).clone(), (*integration).clone())) {
            Arc::make_mut(usage).ended.insert(((*trigger).to_owned(), (*version).to_owned()));
        }
        Ok(ended)
    }

    async fn change(
        &self,
        documents: Vec<DocumentOp>,
        ledger: Vec<LedgerRow>,
    ) -> Result<bool, StoreError> {
        let id = TxnId::new(self.clock.now(), &*self.entropy);
        let change = Change { id, documents, ledger, signals: Vec::new() };
        Ok(self.committer.change(change).await? == ChangeOutcome::Changed)
    }
}

impl State {
    /// Writes down who uses the contracts, and learns what other nodes counted; also before the first event and before the
    /// server ends. What cannot be done waits for the next time.
    pub async fn settle_contracts(&self) {
        if let Err(error) = self.contracts.settle(&self.engine.deployments()).await {
            tracing::warn!(%error, "who uses the contracts cannot be written down now");
        }
    }

    /// The same now and then, for ever.
    pub async fn keep_contracts(self: Arc<Self>) {
        loop {
            self.settle_contracts().await;
            sleep(SETTLE_EVERY).await;
        }
    }
}
