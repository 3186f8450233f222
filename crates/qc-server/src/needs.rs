//! What a deployed release needs of what its environment keeps.

use std::collections::BTreeSet;

use qc_engine::{Deployment, Target, TriggerAuth, TriggerKind};
use qc_vault::SecretRef;

/// The secrets, in order.
pub(crate) fn secrets_of(deployment: &Deployment) -> BTreeSet<&SecretRef> {
    let release = &deployment.release;
    let mut secrets: BTreeSet<&SecretRef> = release.secrets.values().collect();
    secrets.extend(release.connectors.secrets());
    for trigger in release.triggers.values() {
        if let TriggerAuth::Signature { secret, .. } = &trigger.auth {
            secrets.insert(secret);
        }
        if let TriggerKind::Webhook { challenge: Some(challenge), .. } = &trigger.kind {
            secrets.extend(challenge.secret.as_ref());
        }
        if let TriggerKind::Amqp(amqp) = &trigger.kind {
            secrets.extend(amqp.broker.secrets());
        }
    }
    for publication in release.publications.values() {
        let Target::Amqp { broker, .. } = &publication.to;
        secrets.extend(broker.secrets());
    }
    secrets
}

/// The names of the connections.
pub(crate) fn connections_of(deployment: &Deployment) -> BTreeSet<String> {
    let connectors = deployment.release.connectors.iter();
    let ids = connectors.filter_map(|connector| connector.connection(&deployment.environment));
    ids.map(|id| id.name).collect()
}
