use qc_store::{DeadFilter, DeadLetter, filter_page};
use rusqlite::{Connection, params_from_iter};

use super::{Clauses, runs::blob};
use crate::sqlite::{
    stored::{dead_number, dead_of, id_blob, id_of, time_of},
    trouble::Outcome,
    words::{WordTexts, find},
};

/// Lists dead letters.
pub(in crate::sqlite) fn dead_letters(
    db: &Connection,
    words: &WordTexts,
    filter: &DeadFilter,
) -> Outcome<Vec<DeadLetter>> {
    let mut clauses = Clauses::default();
    if let Some(before) = filter.before {
        clauses.and("run < ?", id_blob(before).to_vec());
    }
    if let Some(state) = filter.state {
        clauses.and("state = ?", dead_number(state));
    }
    for (column, name) in
        [("environment = ?", &filter.environment), ("integration = ?", &filter.integration)]
    {
        let Some(name) = name else { continue };
        let Some(word) = find(db, name.as_str())? else { return Ok(Vec::new()) };
        clauses.and(column, word);
    }
    let mut query = db.prepare_cached(&format!(
        "SELECT run, tenant, environment, integration, at, state, fingerprint, code, summary \
         FROM dead{} ORDER BY run DESC LIMIT {}",
        clauses.text,
        filter_page(filter.limit)
    ))?;
    let mut rows = query.query(params_from_iter(clauses.values))?;
    let mut letters = Vec::new();
    while let Some(row) = rows.next()? {
        letters.push(DeadLetter {
            run: id_of(&blob(row, 0)?)?,
            tenant: words.name(db, row.get(1)?)?,
            environment: words.name(db, row.get(2)?)?,
            integration: words.name(db, row.get(3)?)?,
            at: time_of(row.get(4)?),
            state: dead_of(row.get(5)?)?,
            fingerprint: row.get(6)?,
            code: row.get(7)?,
            summary: row.get(8)?,
        });
    }
    Ok(letters)
}
