//! The rules in force, as they are kept: every version for ever, so that any decision can be made again.

use std::sync::Arc;

use qc_model::{Actor, Entropy, TenantName, Timestamp, TxnId};
use qc_store::{Change, DocumentOp, Expect, LedgerKind, LedgerRow, Store, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Policies;

/// The kind of the documents that hold rules; their name is a version, or [`CURRENT`].
pub const POLICIES_KIND: &str = "access-policies";
/// The document of those in force.
const CURRENT: &str = "current";

/// Rules as they are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptPolicies {
    /// The version of this body's form.
    pub schema_version: u32,
    /// The version of the rules.
    pub version: String,
    /// The files beside ours, (name, text).
    pub files: Vec<(String, String)>,
    /// When they came in force first.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
}

impl KeptPolicies {
    /// The rules in force, with the revision of their document; None: ours alone, as never others were given.
    pub async fn current(store: &dyn Store) -> Result<Option<(Self, u64)>, StoreError> {
        let document = store.document(POLICIES_KIND, CURRENT).await?;
        document.map(|found| Ok((read(CURRENT, &found.body)?, found.revision))).transpose()
    }

    /// The rules of a version that was in force.
    pub async fn of_version(store: &dyn Store, version: &str) -> Result<Option<Self>, StoreError> {
        let document = store.document(POLICIES_KIND, version).await?;
        document.map(|found| read(version, &found.body)).transpose()
    }

    /// The change that puts rules in force, with its audit row. `before`: the revision of those in force.
    pub fn change(
        policies: &Policies,
        before: Option<u64>,
        actor: &Actor,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Change {
        let kept = Self {
            schema_version: 1,
            version: policies.version().to_owned(),
            files: policies.files().to_vec(),
            at: now,
            by: actor.text(),
        };
        let body = serde_json::to_vec(&kept).expect("rules are texts");
        let put = |name: &str, expect| DocumentOp::Put {
            kind: POLICIES_KIND.to_owned(),
            name: name.to_owned(),
            expect,
            body: body.clone().into(),
            at: now,
        };
        let documents = vec![
            put(CURRENT, before.map_or(Expect::Absent, Expect::Revision)),
            put(&kept.version, Expect::Any),
        ];
        let names: Vec<&str> = kept.files.iter().map(|(name, _)| name.as_str()).collect();
        let row = LedgerRow {
            at: now,
            kind: LedgerKind::Audit,
            tenant: TenantName::new("platform").expect("a legal name"),
            environment: None,
            integration: None,
            run: None,
            event: None,
            actor: actor.text(),
            subject: "policies".to_owned(),
            outcome: "in force".to_owned(),
            code: None,
            facts: actor
                .with_origin(json!({"version": kept.version, "files": names}))
                .to_string()
                .into_bytes()
                .into(),
        };
        Change { id: TxnId::new(now, entropy), documents, ledger: vec![row], signals: vec![] }
    }

    /// As rules that decide. Err: they were legal when they were kept, and this program does not take them.
    pub fn policies(&self) -> Result<Arc<Policies>, StoreError> {
        Policies::with(&self.files).map(Arc::new).map_err(|errors| {
            let reasons: Vec<String> = errors.iter().map(ToString::to_string).collect();
            StoreError::Corrupt(format!(
                "the policies in force cannot be used: {}",
                reasons.join("; ")
            ))
        })
    }
}

fn read(name: &str, body: &[u8]) -> Result<KeptPolicies, StoreError> {
    serde_json::from_slice(body).map_err(|error| {
        StoreError::Corrupt(format!("the policies {name} cannot be read: {error}"))
    })
}
