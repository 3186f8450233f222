use std::sync::PoisonError;

use qc_model::{Actor, EnvironmentName, Name, RunId, TenantName, Timestamp, TxnId};
use qc_store::{Change, ChangeOutcome, DocumentOp, Expect};
use qc_vault::{Guest, SealedValues, Secret, VaultError};
use serde::{Deserialize, Serialize};

use crate::{Capture, Captures, Recorded};

/// The kind of the documents in which what was recorded is sealed; their name is `tenant/capture/number`, so that what
/// was copied to another tenant or capture does not open there.
pub const ENTRY_KIND: &str = "debug-capture-entry";
/// The name of the sealed value in such a document.
pub(crate) const SLOT: &str = "recorded";
/// How often an entry is tried that others were faster with.
const TRIES: usize = 20;

/// Whose message passes by.
#[derive(Debug, Clone, Copy)]
pub struct Passing<'a> {
    /// Where.
    pub environment: &'a EnvironmentName,
    /// Whose data it is about.
    pub tenant: &'a TenantName,
    /// Of which integration.
    pub integration: &'a Name,
    /// Of which run.
    pub run: RunId,
}

/// A message that is to be recorded.
#[derive(Debug)]
pub struct Tap<'a> {
    captures: &'a Captures,
    passing: Passing<'a>,
    /// The ids of the captures that want it.
    wanted_by: Vec<String>,
}

/// An entry as it is stored.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredEntry {
    pub(crate) schema_version: u32,
    pub(crate) capture: String,
    pub(crate) environment: EnvironmentName,
    pub(crate) tenant: TenantName,
    /// The run by which what is stored of a person is found.
    pub(crate) run: RunId,
    pub(crate) at: Timestamp,
    pub(crate) sealed: SealedValues,
}

impl Captures {
    /// A call that is to be recorded. Without a capture under way this is one look at a flag.
    pub fn tap_call<'a>(
        &'a self,
        passing: Passing<'a>,
        task: &str,
        system: impl FnOnce() -> String,
    ) -> Option<Tap<'a>> {
        if !self.any() {
            return None;
        }
        let system = system();
        self.tap(passing, |capture| {
            let fits = |own: &Option<String>, it: &str| own.as_deref().is_none_or(|own| own == it);
            fits(&capture.task, task) && fits(&capture.system, &system)
        })
    }

    /// An event that is to be recorded.
    pub fn tap_event<'a>(&'a self, passing: Passing<'a>) -> Option<Tap<'a>> {
        if !self.any() {
            return None;
        }
        self.tap(passing, |capture| capture.events)
    }

    fn tap<'a>(&'a self, passing: Passing<'a>, fits: impl Fn(&Capture) -> bool) -> Option<Tap<'a>> {
        let now = self.clock.now();
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        let of_it = live.iter().filter(|capture| {
            capture.records(now)
                && capture.environment == *passing.environment
                && capture.tenant == *passing.tenant
                && capture.integration == *passing.integration
                && fits(capture)
        });
        let wanted_by: Vec<String> = of_it.map(|capture| capture.id.clone()).collect();
        (!wanted_by.is_empty()).then_some(Tap { captures: self, passing, wanted_by })
    }

    /// Seals an entry into a document of its own and counts it, in one transaction: when the capture has ended meanwhile,
    /// nothing is written.
    async fn record(
        &self,
        id: &str,
        passing: Passing<'_>,
        told: &Secret,
    ) -> Result<(), VaultError> {
        let size = told.expose().len() as u64;
        for _ in 0..TRIES {
            let Some((capture, revision)) = self.one(id).await? else { return Ok(()) };
            let now = self.clock.now();
            if !capture.records(now) {
                self.see(&capture);
                return Ok(());
            }
            let counted = capture.with_one_more(size);
            let name = format!("{}/{}/{:06}", capture.tenant, capture.id, counted.taken);
            let guest = Guest { environment: &capture.environment, kind: ENTRY_KIND, name: &name };
            let actor = Actor::platform("capture");
            let value = self.vault.seal(guest, (SLOT, 1), told, &actor).await?;
            let entry = StoredEntry {
                schema_version: 1,
                capture: capture.id.clone(),
                environment: capture.environment.clone(),
                tenant: capture.tenant.clone(),
                run: passing.run,
                at: now,
                sealed: SealedValues::from([(SLOT.to_owned(), value)]),
            };
            let body = serde_json::to_vec(&entry).expect("an entry has only string keys");
            let put = DocumentOp::Put {
                kind: ENTRY_KIND.to_owned(),
                name,
                expect: Expect::Absent,
                body: body.into(),
                at: now,
            };
            let change = Change {
                id: TxnId::new(now, &*self.entropy),
                documents: vec![counted.put(Some(revision), now), put],
                ledger: vec![],
                signals: vec![],
            };
            if self.committer.change(change).await? == ChangeOutcome::Changed {
                self.see(&counted);
                return Ok(());
            }
        }
        Err(VaultError::Busy)
    }
}

impl Tap<'_> {
    /// Records it. What cannot be stored is lost, and the log says so: a capture never keeps a call from its way.
    pub async fn keep(self, recorded: &Recorded) {
        let text = serde_json::to_string(recorded).expect("what is recorded has only string keys");
        let told = Secret::new(text);
        // One after the other: each counts in the capture's own document.
        let _turn = self.captures.turn.lock().await;
        for id in &self.wanted_by {
            if let Err(error) = self.captures.record(id, self.passing, &told).await {
                tracing::warn!(capture = %id, %error, "a message is missing in a capture");
            }
        }
    }
}
