use http::Method;
use qc_access::Action;
use qc_vault::{EnvironmentKeys, KeyShown};
use serde_json::json;

use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{DataKeyShown, VaultEnvironment, VaultStanding},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "showVault",
    method: Method::GET,
    path: "/api/v1/vault",
    action: Action::SecretsRead,
    summary: "Show how the vault stands: its keys, and what does not open or is overdue",
    parameters: &[],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<VaultStanding>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let permit = call.may(None, None).await?;
    let status = permit.state.vault.status().await?;
    Ok(Reply::ok(&VaultStanding {
        schema_version: 1,
        on: status.place.is_some(),
        place: status.place,
        kek: status.kek,
        environments: status.environments.iter().map(environment).collect(),
        not_opening: status.not_opening,
        overdue: status.overdue,
        findings: status.findings.iter().map(|finding| json!(finding)).collect(),
    }))
}

fn environment(keys: &EnvironmentKeys) -> VaultEnvironment {
    VaultEnvironment {
        environment: keys.environment.to_string(),
        secrets: keys.secrets,
        keys: keys.keys.iter().map(key).collect(),
        remaining: keys.remaining,
    }
}

fn key(key: &KeyShown) -> DataKeyShown {
    DataKeyShown {
        version: key.version,
        created_at: key.created_at.to_string(),
        kek: key.kek.clone(),
        overdue: key.overdue,
    }
}
