use qc_store::{DeadFilter, DeadLetter, filter_page};

use super::Clauses;
use crate::postgres::{
    connection::Connection,
    stored::{Fields, Uuid, dead_of},
    trouble::Outcome,
};

/// Lists dead letters.
pub(in crate::postgres) async fn dead_letters(
    db: &mut Connection,
    filter: &DeadFilter,
) -> Outcome<Vec<DeadLetter>> {
    let mut clauses = Clauses::default();
    if let Some(before) = filter.before {
        clauses.and("run < ?", Uuid::from(before));
    }
    if let Some(state) = filter.state {
        clauses.and("state = ?", state.as_str());
    }
    if let Some(environment) = &filter.environment {
        clauses.and("environment = ?", environment.as_str().to_owned());
    }
    if let Some(integration) = &filter.integration {
        clauses.and("integration = ?", integration.as_str().to_owned());
    }
    let question = format!(
        "SELECT run, tenant, environment, integration, at, state, fingerprint, code, summary \
         FROM dead{} ORDER BY run DESC LIMIT {}",
        clauses.text,
        filter_page(filter.limit)
    );
    let rows = db.query(&question, &clauses.values()).await?;
    rows.iter()
        .map(|row| {
            let row = Fields(row);
            Ok(DeadLetter {
                run: row.id(0)?,
                tenant: row.name(1)?,
                environment: row.name(2)?,
                integration: row.name(3)?,
                at: row.time(4)?,
                state: dead_of(row.get(5)?)?,
                fingerprint: row.text(6)?,
                code: row.text(7)?,
                summary: row.text(8)?,
            })
        })
        .collect()
}
