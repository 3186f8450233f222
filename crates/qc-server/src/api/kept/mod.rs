//! What integrations keep: state and cross-reference tables, for those who mend them.

pub(super) mod link;
pub(super) mod links;
pub(super) mod remove;
pub(super) mod set;
pub(super) mod unlink;
pub(super) mod values;

use qc_engine::KeptScope;
use serde_json::{Map, Value};

use super::{Call, Permit, call::bad_parameter};
use crate::Problem;

/// Whose it is, from the query.
fn asked(call: &Call) -> Result<(KeptScope, Permit<'_>), Problem> {
    let (environment, integration, permit) = call.place()?;
    let missing = |name: &str| bad_parameter(name, "it is needed here");
    let tenant = call.query("tenant")?;
    let scope = KeptScope {
        tenant: tenant.map_or_else(|| name("tenant", "default"), Ok)?,
        environment: environment.ok_or_else(|| missing("environment"))?,
        integration: integration.ok_or_else(|| missing("integration"))?,
    };
    Ok((scope, permit))
}

/// Whose it is, from a body.
fn scope(tenant: &str, environment: &str, integration: &str) -> Result<KeptScope, Problem> {
    Ok(KeptScope {
        tenant: name("tenant", tenant)?,
        environment: name("environment", environment)?,
        integration: name("integration", integration)?,
    })
}

fn name(what: &str, text: &str) -> Result<qc_model::Name, Problem> {
    text.parse().map_err(|error| {
        let detail = format!("`{what}`: {error}");
        Problem::new(422, crate::codes::BAD_BODY, "Unusable body", detail)
    })
}

/// A name that the query must have.
fn needed(call: &Call, name: &str) -> Result<String, Problem> {
    call.query(name)?.ok_or_else(|| bad_parameter(name, "it is needed here"))
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Object(fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<Map<_, _>>())
}
