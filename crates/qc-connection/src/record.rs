use std::time::Duration;

use qc_model::{Code, EnvironmentName, Timestamp};
use qc_store::{Document, DocumentOp, Expect, StoreError};
use qc_vault::{Guest, SealedValues};
use serde::{Deserialize, Serialize};

use crate::{
    machine::State,
    provider::{ConnectionId, Grant, Waiver},
};

/// The kind of the documents that are connections; their name is `<environment>/<name>`.
pub(crate) const CONNECTION_KIND: &str = "connection";
/// The kind of the documents with tokens whose place another refresh took: `<environment>/<name>/<attempt>`.
pub(crate) const RECOVERY_KIND: &str = "connection-recovery";

/// The kind of the documents that say when a connection works again; their name is the connection's.
pub(crate) const NEWS_KIND: &str = "connection-news";

/// A connection as it is stored. Its tokens are sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The version of this body's form.
    pub schema_version: u32,
    /// The environment.
    pub environment: EnvironmentName,
    /// Its name there.
    pub name: String,
    /// The connector that uses it.
    pub connector: String,
    /// How it stands.
    pub state: State,
    /// Rises by one with every set of tokens.
    pub generation: u64,
    /// The account, when the provider says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The scopes that were asked for last.
    #[serde(default)]
    pub asked: Vec<String>,
    /// The scopes that were granted.
    #[serde(default)]
    pub granted: Vec<String>,
    /// When the present tokens came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<Timestamp>,
    /// From when on new ones are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renew_at: Option<Timestamp>,
    /// When the access token ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When the refresh token ends, if the provider says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_expires_at: Option<Timestamp>,
    /// When it ends for good unless somebody consents again: nothing renews it. None where it is renewed, or where nobody
    /// knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// The end that was told of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_of: Option<Timestamp>,
    /// When the access token before ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_until: Option<Timestamp>,
    /// When a refused token was replaced last before its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forced_at: Option<Timestamp>,
    /// Tells whether the refresh token that somebody brought is still the one with which this began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<String>,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<LastFailure>,
    /// `access`, `refresh`, `previous`.
    #[serde(default)]
    pub sealed: SealedValues,
}

/// What went wrong last. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastFailure {
    /// When.
    pub at: Timestamp,
    /// The stable code.
    pub code: Code,
    /// What.
    pub detail: String,
}

/// A connection as it may be shown: everything but its tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionShown {
    /// What is stored.
    pub record: Record,
    /// Tokens that lost their place to another refresh and are kept.
    pub recoverable: usize,
    /// How its probe went last, where it has one.
    pub health: Option<crate::keeper::Health>,
}

impl Record {
    /// One without tokens.
    pub(crate) fn new(grant: &Grant, state: State) -> Self {
        Self {
            schema_version: 1,
            environment: grant.id.environment.clone(),
            name: grant.id.name.clone(),
            connector: grant.connector.clone(),
            state,
            generation: 0,
            account: None,
            asked: Vec::new(),
            granted: Vec::new(),
            issued_at: None,
            renew_at: None,
            expires_at: None,
            refresh_expires_at: None,
            ends_at: None,
            told_of: None,
            previous_until: None,
            forced_at: None,
            seed: None,
            last_failure: None,
            sealed: SealedValues::new(),
        }
    }

    pub(crate) fn read(document: &Document) -> Result<Self, StoreError> {
        let record: Self = serde_json::from_slice(&document.body).map_err(|error| {
            StoreError::Corrupt(format!("the connection {}: {error}", document.name))
        })?;
        if record.id().text() != document.name {
            let name = &document.name;
            return Err(StoreError::Corrupt(format!("the connection {name} is a copied row")));
        }
        Ok(record)
    }

    pub(crate) fn put(&self, before: Option<u64>, at: Timestamp) -> DocumentOp {
        DocumentOp::Put {
            kind: CONNECTION_KIND.to_owned(),
            name: self.id().text(),
            expect: before.map_or(Expect::Absent, Expect::Revision),
            body: serde_json::to_vec(self).expect("a record has only string keys").into(),
            at,
        }
    }

    /// Which one it is.
    pub fn id(&self) -> ConnectionId {
        ConnectionId { environment: self.environment.clone(), name: self.name.clone() }
    }

    /// Whether its access token may be used now.
    pub fn usable(&self, now: Timestamp) -> bool {
        self.state.allows_use()
            && self.sealed.contains_key("access")
            && self.expires_at.is_some_and(|end| now < end)
    }

    /// Whether it is time for new tokens.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.renew_at.is_none_or(|at| at <= now)
    }

    /// How long the present access token is still good.
    pub fn remaining(&self, now: Timestamp) -> Option<Duration> {
        self.usable(now).then(|| self.expires_at.unwrap_or(now).since(now))
    }

    /// The scopes that were granted though nobody asked for them.
    pub fn excess(&self) -> Vec<String> {
        self.granted.iter().filter(|scope| !self.asked.contains(scope)).cloned().collect()
    }

    /// Whether a token with more scopes than were asked for may be used now; where it is not production, always.
    pub fn may_exceed(
        &self,
        production: &[EnvironmentName],
        waiver: Option<&Waiver>,
        now: Timestamp,
    ) -> bool {
        !production.contains(&self.environment) || waiver.is_some_and(|waiver| now < waiver.until)
    }
}

pub(crate) fn guest<'a>(environment: &'a EnvironmentName, name: &'a str) -> Guest<'a> {
    Guest { environment, kind: CONNECTION_KIND, name }
}
