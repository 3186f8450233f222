//! A client that is refused is one incident, however many connections it has: one of them finds out, the others wait.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use qc_model::Timestamp;
use qc_store::{DocumentOp, Expect};
use qc_vault::Secret;
use serde::{Deserialize, Serialize};

use super::Connections;
use crate::{
    machine::CLIENT_PAUSE,
    provider::{ClientProof, Grant},
};

/// The kind of the documents of refused clients.
const INCIDENT_KIND: &str = "connection-client";

/// A refused client.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Incident {
    schema_version: u32,
    environment: String,
    token_url: String,
    since: Timestamp,
    /// Nobody presents it before.
    retry_at: Timestamp,
    /// Tells whether its secret or key is still the same; another one is tried at once.
    proof: Option<String>,
}

impl Connections {
    /// Whether the client was refused just now, with the secret that it still has. A store that does not answer is no
    /// reason not to ask.
    pub(super) async fn client_is_refused(&self, grant: &Grant) -> bool {
        let Some(incident) = self.open_incident(grant).await else { return false };
        self.now() < incident.retry_at && incident.proof == self.proof(grant)
    }

    /// The change that says that the client is refused.
    pub(super) async fn incident(&self, grant: &Grant) -> Vec<DocumentOp> {
        let (now, before) = (self.now(), self.open_incident(grant).await);
        if before.as_ref().is_some_and(|one| now < one.retry_at && one.proof == self.proof(grant)) {
            return vec![];
        }
        let incident = Incident {
            schema_version: 1,
            environment: grant.id.environment.to_string(),
            token_url: grant.token_url.clone(),
            since: before.map_or(now, |one| one.since),
            retry_at: now + CLIENT_PAUSE,
            proof: self.proof(grant),
        };
        tracing::warn!(
            environment = %grant.id.environment, token_url = %grant.token_url,
            "a token endpoint refuses the client; its connections wait"
        );
        vec![DocumentOp::Put {
            kind: INCIDENT_KIND.to_owned(),
            name: name(grant),
            expect: Expect::Any,
            body: serde_json::to_vec(&incident).expect("only string keys").into(),
            at: now,
        }]
    }

    /// The change that ends the incident, when there is one.
    pub(super) async fn incident_over(&self, grant: &Grant) -> Vec<DocumentOp> {
        if self.open_incident(grant).await.is_none() {
            return vec![];
        }
        vec![DocumentOp::Delete {
            kind: INCIDENT_KIND.to_owned(),
            name: name(grant),
            expect: Expect::Any,
        }]
    }

    async fn open_incident(&self, grant: &Grant) -> Option<Incident> {
        let found = self.store().document(INCIDENT_KIND, &name(grant)).await.ok()??;
        serde_json::from_slice(&found.body).ok()
    }

    fn proof(&self, grant: &Grant) -> Option<String> {
        let secret: &Secret = match &grant.proof {
            ClientProof::None => return None,
            ClientProof::Basic(secret) | ClientProof::Post(secret) => secret,
            ClientProof::PrivateKey(key) => &key.pem,
        };
        self.parts.vault.fingerprint(secret)
    }
}

/// One client of one token endpoint in one environment.
fn name(grant: &Grant) -> String {
    let parts = [grant.id.environment.as_str(), &grant.token_url, &grant.client_id];
    let hash = digest::digest(&digest::SHA256, parts.join("\n").as_bytes());
    URL_SAFE_NO_PAD.encode(hash)
}
