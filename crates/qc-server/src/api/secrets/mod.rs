//! Secrets of the vault. No route gives a value out.

pub(super) mod drop;
pub(super) mod list;
pub(super) mod remove;
pub(super) mod rotate;
pub(super) mod set;

use qc_document::parse_duration;
use qc_model::EnvironmentName;
use qc_vault::{SecretRef, SecretShown};

use super::{unusable, wire::StoredSecret};
use crate::Problem;

fn shown(secret: &SecretShown) -> StoredSecret {
    StoredSecret {
        environment: secret.environment.to_string(),
        name: secret.name.clone(),
        version: secret.version,
        created_at: secret.created_at.to_string(),
        created_by: secret.created_by.clone(),
        rotate_every: secret.rotate_every.map(|every| every.as_secs()),
        due_at: secret.due_at.map(|at| at.to_string()),
        overdue: secret.overdue,
        previous_until: secret.previous_until.map(|at| at.to_string()),
        opens: secret.opens,
    }
}

/// Which secret a body names; the name may have its scheme.
pub(super) fn named(
    environment: &str,
    name: &str,
) -> Result<(EnvironmentName, SecretRef), Problem> {
    let environment = environment.parse().map_err(|error| unusable("environment", &error))?;
    let name = name.strip_prefix("secret://").unwrap_or(name);
    let name = SecretRef::parse(&format!("secret://{name}"));
    Ok((environment, name.map_err(|error| unusable("name", &error))?))
}

fn duration(what: &str, text: &str) -> Result<std::time::Duration, Problem> {
    parse_duration(text).map_err(|error| unusable(what, &error))
}
