use std::{collections::HashSet, sync::Arc};

use qc_model::{Actor, EnvironmentName, TenantName, Timestamp, TxnId};
use qc_store::{
    Change, ChangeOutcome, DocumentOp, LedgerKind, LedgerRow, PAGE_MAX, Store, StoreError,
};
use qc_vault::{Guest, Secret, VaultError};
use serde_json::{Value, json};

use super::{Connections, shelf::Shelved};
use crate::{
    machine::State,
    provider::ConnectionId,
    record::{CONNECTION_KIND, ConnectionShown, RECOVERY_KIND, Record, guest},
};

/// A record with the revision of its document.
pub(super) type Found = (Record, u64);

impl Connections {
    pub(super) fn store(&self) -> &dyn Store {
        &*self.parts.store
    }

    pub(super) fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    pub(super) fn random(&self) -> u64 {
        self.parts.entropy.next_u64()
    }

    /// Who acts when nobody asked.
    pub(super) fn actor() -> Actor {
        Actor::platform("connections")
    }

    /// One connection as it stands in the store.
    pub(super) async fn find(&self, id: &ConnectionId) -> Result<Option<Found>, StoreError> {
        let Some(found) = self.store().document(CONNECTION_KIND, &id.text()).await? else {
            return Ok(None);
        };
        Ok(Some((Record::read(&found)?, found.revision)))
    }

    /// One connection, but for its tokens.
    pub async fn show(&self, id: &ConnectionId) -> Result<Option<ConnectionShown>, StoreError> {
        let Some((record, _)) = self.find(id).await? else { return Ok(None) };
        let first = format!("{}/", id.text());
        let recoveries = self.store().documents(RECOVERY_KIND, Some(&first), PAGE_MAX).await?;
        let own = recoveries.iter().filter(|one| one.name.starts_with(&first)).count();
        let health = self.health(id).await?;
        Ok(Some(ConnectionShown { record, recoverable: own, health }))
    }

    /// All connections, but for their tokens; of one environment, or of all.
    pub async fn list(
        &self,
        environment: Option<&EnvironmentName>,
    ) -> Result<Vec<Record>, StoreError> {
        let mut records = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.store().documents(CONNECTION_KIND, after.as_deref(), PAGE_MAX).await?;
            let Some(last) = page.last() else { return Ok(records) };
            after = Some(last.name.clone());
            for document in &page {
                let record = Record::read(document)?;
                if environment.is_none_or(|own| record.environment == *own) {
                    records.push(record);
                }
            }
        }
    }

    /// Writes documents and what the ledger says of them. False: they were not as they were read.
    pub(super) async fn change(
        &self,
        documents: Vec<DocumentOp>,
        ledger: Vec<LedgerRow>,
    ) -> Result<bool, StoreError> {
        let id = TxnId::new(self.now(), &*self.parts.entropy);
        let change = Change { id, documents, ledger, signals: vec![] };
        let news = Self::tells_news(&change.documents);
        let outcome = self.parts.committer.change(change).await?;
        let changed = outcome == ChangeOutcome::Changed;
        if changed && news {
            self.bell.ring();
        }
        Ok(changed)
    }

    /// Writes a record in place of `before`, with a row of the ledger when its state is another one.
    pub(super) async fn put(
        &self,
        record: &Record,
        before: Option<&Found>,
        beside: Vec<DocumentOp>,
    ) -> Result<bool, StoreError> {
        let now = self.now();
        let mut documents = vec![record.put(before.map(|found| found.1), now)];
        documents.extend(beside);
        let same = before.is_some_and(|(old, _)| same_state(&old.state, &record.state));
        let ledger = if same { vec![] } else { vec![state_row(record, now)] };
        let done = self.change(documents, ledger).await?;
        if done {
            self.shelf.forget(&record.id());
        }
        Ok(done)
    }

    /// Reads a connection and opens its access tokens.
    pub(super) async fn read(&self, id: &ConnectionId) -> Result<Option<Shelved>, VaultError> {
        let Some((record, _)) = self.find(id).await? else {
            self.shelf.forget(id);
            return Ok(None);
        };
        self.shelve(record).await.map(Some)
    }

    /// Opens a connection's access tokens and keeps it at hand.
    pub(super) async fn shelve(&self, record: Record) -> Result<Shelved, VaultError> {
        let access = self.open(&record, "access").await?;
        let previous = match record.previous_until {
            Some(until) if self.now() < until => self.open(&record, "previous").await?,
            _ => None,
        };
        let granted = record.granted.clone().into();
        let id = record.id();
        let record = Arc::new(record);
        let shelved = Shelved { record, granted, access, previous, read_at: self.now() };
        self.shelf.put(id, shelved.clone());
        Ok(shelved)
    }

    /// A token of a record, opened.
    pub(super) async fn open(
        &self,
        record: &Record,
        slot: &str,
    ) -> Result<Option<Secret>, VaultError> {
        let name = record.id().text();
        let Some(sealed) = record.sealed.get(slot) else { return Ok(None) };
        self.open_of(guest(&record.environment, &name), slot, sealed).await.map(Some)
    }

    /// Opens a sealed value. A data key that is not here yet may have come meanwhile.
    pub(super) async fn open_of(
        &self,
        guest: Guest<'_>,
        slot: &str,
        sealed: &qc_vault::SealedValue,
    ) -> Result<Secret, VaultError> {
        match self.parts.vault.open(guest, slot, sealed) {
            Err(VaultError::Sealed(_) | VaultError::Ring(_)) => {
                self.parts.vault.refresh().await?;
                self.parts.vault.open(guest, slot, sealed)
            }
            opened => opened,
        }
    }
}

/// Whether the ledger has heard of this state: those of a refresh under way come and go with every token.
fn same_state(old: &State, new: &State) -> bool {
    let quiet = |state: &State| state.lease().is_some() || *state == State::Active;
    old.as_str() == new.as_str() || (quiet(old) && quiet(new))
}

/// A row of the ledger for a state that a connection came into.
pub(super) fn state_row(record: &Record, now: Timestamp) -> LedgerRow {
    let code = record.last_failure.as_ref().map(|failure| failure.code.to_string());
    LedgerRow {
        kind: LedgerKind::Decision,
        code,
        ..row(record, record.state.as_str(), now, &Connections::actor())
    }
}

/// A row of the audit for what somebody did to a connection.
pub(super) fn audit(
    record: &Record,
    deed: &str,
    facts: Value,
    actor: &Actor,
    now: Timestamp,
) -> LedgerRow {
    let facts = actor.with_origin(facts).to_string().into_bytes().into();
    LedgerRow { kind: LedgerKind::Audit, facts, ..row(record, deed, now, actor) }
}

fn row(record: &Record, outcome: &str, now: Timestamp, actor: &Actor) -> LedgerRow {
    let facts = json!({ "connector": record.connector, "generation": record.generation });
    LedgerRow {
        at: now,
        kind: LedgerKind::Audit,
        tenant: TenantName::new("default").expect("a legal name"),
        environment: Some(record.environment.clone()),
        integration: None,
        run: None,
        event: None,
        actor: actor.text(),
        subject: format!("connection {}", record.name),
        outcome: outcome.to_owned(),
        code: None,
        facts: facts.to_string().into_bytes().into(),
    }
}

/// The names in a list, once each.
pub(super) fn missing(needed: &[String], granted: &[String]) -> Vec<String> {
    let granted: HashSet<&str> = granted.iter().map(String::as_str).collect();
    needed.iter().filter(|scope| !granted.contains(scope.as_str())).cloned().collect()
}
