//! What consumers have published that they expect of an integration in an environment. A published version never changes;
//! a consumer's newest one counts.

use std::collections::BTreeMap;

use qc_contract::pact::Pact;
use qc_model::{Actor, EnvironmentName, Name, Timestamp, TxnId};
use qc_store::{
    Change, ChangeOutcome, Document, DocumentOp, Expect, LedgerKind, LedgerRow, StoreError,
    documents_under,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::State;

/// The kind of the documents: `<environment>/<integration>/<consumer>/<version>`.
const KIND: &str = "contract-expectation";
/// The most versions of a consumer that are kept; the oldest go.
const VERSIONS: usize = 100;

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    schema_version: u32,
    consumer: String,
    version: String,
    by: Actor,
    pact: String,
}

/// What somebody publishes.
pub(crate) struct Published<'a> {
    pub(crate) environment: &'a EnvironmentName,
    pub(crate) integration: &'a Name,
    pub(crate) consumer: &'a str,
    pub(crate) version: &'a str,
    /// The Pact file's text.
    pub(crate) pact: &'a str,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Published,
    /// The same was there.
    Known,
    /// Another one is there of this version.
    Differs,
}

/// One consumer's newest.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) version: String,
    pub(crate) at: Timestamp,
    pub(crate) pact: Pact,
}

fn escaped(name: &str) -> String {
    name.replace('%', "%25").replace('/', "%2F")
}

impl State {
    /// Publishes, with its row in the audit.
    pub(crate) async fn publish_expectation(
        &self,
        published: &Published<'_>,
        by: &Actor,
    ) -> Result<Outcome, StoreError> {
        let Published { environment, integration, consumer, version, pact } = *published;
        let prefix = format!("{environment}/{integration}/{}/", escaped(consumer));
        let mut there = documents_under(&*self.store, KIND, &prefix).await?;
        let name = format!("{prefix}{}", escaped(version));
        if let Some(known) = there.iter().find(|document| document.name == name) {
            let same = read(known)?.pact == pact;
            return Ok(if same { Outcome::Known } else { Outcome::Differs });
        }
        let now = self.clock.now();
        let kept = Kept {
            schema_version: 1,
            consumer: consumer.to_owned(),
            version: version.to_owned(),
            by: by.clone(),
            pact: pact.to_owned(),
        };
        let mut documents = vec![DocumentOp::Put {
            kind: KIND.to_owned(),
            name,
            expect: Expect::Absent,
            body: serde_json::to_vec(&kept).expect("only string keys").into(),
            at: now,
        }];
        there.sort_by_key(|document| document.updated_at);
        let over = (there.len() + 1).saturating_sub(VERSIONS);
        documents.extend(there.into_iter().take(over).map(|document| DocumentOp::Delete {
            kind: KIND.to_owned(),
            name: document.name,
            expect: Expect::Revision(document.revision),
        }));
        let row = LedgerRow {
            at: now,
            kind: LedgerKind::Audit,
            tenant: qc_model::TenantName::new("platform").expect("a legal name"),
            environment: Some(environment.clone()),
            integration: Some(integration.clone()),
            run: None,
            event: None,
            actor: by.text(),
            subject: format!("expectations of {consumer}"),
            outcome: "published".to_owned(),
            code: None,
            facts: by.with_origin(json!({ "version": version })).to_string().into_bytes().into(),
        };
        let id = TxnId::new(now, &*self.entropy);
        let change = Change { id, documents, ledger: vec![row], signals: Vec::new() };
        Ok(match self.committer.change(change).await? {
            ChangeOutcome::Changed => Outcome::Published,
            // Somebody was first.
            ChangeOutcome::Conflict { .. } => Outcome::Differs,
        })
    }

    /// What counts, by consumer.
    pub(crate) async fn live_expectations(
        &self,
        environment: &EnvironmentName,
        integration: &Name,
    ) -> Result<BTreeMap<String, Live>, StoreError> {
        let mut live: BTreeMap<String, Live> = BTreeMap::new();
        let prefix = format!("{environment}/{integration}/");
        for document in documents_under(&*self.store, KIND, &prefix).await? {
            let kept = read(&document)?;
            if live.get(&kept.consumer).is_some_and(|known| known.at > document.updated_at) {
                continue;
            }
            let (pact, _) = Pact::read(&kept.version, &kept.pact);
            let pact = pact.ok_or_else(|| unreadable(&document.name, "it is no Pact file"))?;
            let (version, at) = (kept.version, document.updated_at);
            live.insert(kept.consumer, Live { version, at, pact });
        }
        Ok(live)
    }
}

fn read(document: &Document) -> Result<Kept, StoreError> {
    serde_json::from_slice(&document.body)
        .map_err(|error| unreadable(&document.name, &error.to_string()))
}

fn unreadable(name: &str, why: &str) -> StoreError {
    StoreError::Corrupt(format!("the expectations {name} cannot be read: {why}"))
}
