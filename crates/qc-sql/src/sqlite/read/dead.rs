use qc_store::{DeadFilter, DeadGroup, DeadLetter, filter_page};
use rusqlite::{Connection, params_from_iter};

use super::{Clauses, runs::blob};
use crate::sqlite::{
    stored::{count_of, dead_number, dead_of, id_blob, id_of, time_of},
    trouble::Outcome,
    words::{WordTexts, find},
};

/// The filter as clauses; None when nothing can pass it.
fn restrict(db: &Connection, filter: &DeadFilter) -> Outcome<Option<Clauses>> {
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
        let Some(word) = find(db, name.as_str())? else { return Ok(None) };
        clauses.and(column, word);
    }
    for (column, text) in [("fingerprint = ?", &filter.fingerprint), ("code = ?", &filter.code)] {
        if let Some(text) = text {
            clauses.and(column, text.clone());
        }
    }
    for (column, moment) in [("at >= ?", filter.since), ("at < ?", filter.until)] {
        if let Some(moment) = moment {
            clauses.and(column, moment.as_millis());
        }
    }
    Ok(Some(clauses))
}

/// Lists dead letters.
pub(in crate::sqlite) fn dead_letters(
    db: &Connection,
    words: &WordTexts,
    filter: &DeadFilter,
) -> Outcome<Vec<DeadLetter>> {
    let Some(clauses) = restrict(db, filter)? else { return Ok(Vec::new()) };
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

/// Groups dead letters. A failure that struck many runs is told by the newest of them.
pub(in crate::sqlite) fn dead_groups(
    db: &Connection,
    words: &WordTexts,
    filter: &DeadFilter,
) -> Outcome<Vec<DeadGroup>> {
    let Some(clauses) = restrict(db, filter)? else { return Ok(Vec::new()) };
    let mut query = db.prepare_cached(&format!(
        "SELECT part.tenant, part.environment, part.fingerprint, dead.code, dead.summary, \
         dead.integration, part.open, part.total, part.first_at, part.last_at \
         FROM (SELECT tenant, environment, fingerprint, sum(state = 0) AS open, \
         count(*) AS total, min(at) AS first_at, max(at) AS last_at, max(run) AS newest \
         FROM dead{} GROUP BY tenant, environment, fingerprint \
         ORDER BY last_at DESC, newest DESC LIMIT {}) AS part \
         JOIN dead ON dead.run = part.newest ORDER BY part.last_at DESC, part.newest DESC",
        clauses.text,
        filter_page(filter.limit)
    ))?;
    let mut rows = query.query(params_from_iter(clauses.values))?;
    let mut groups = Vec::new();
    while let Some(row) = rows.next()? {
        groups.push(DeadGroup {
            tenant: words.name(db, row.get(0)?)?,
            environment: words.name(db, row.get(1)?)?,
            fingerprint: row.get(2)?,
            code: row.get(3)?,
            summary: row.get(4)?,
            integration: words.name(db, row.get(5)?)?,
            open: count_of(row.get(6)?)?,
            total: count_of(row.get(7)?)?,
            first_at: time_of(row.get(8)?),
            last_at: time_of(row.get(9)?),
        });
    }
    Ok(groups)
}
