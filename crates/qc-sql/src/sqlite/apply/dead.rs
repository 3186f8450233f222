use qc_model::RunId;
use qc_store::{DeadLetter, DeadState};
use rusqlite::{OptionalExtension, params};

use super::{Desk, tally::Place};
use crate::sqlite::{
    stored::{dead_number, id_blob},
    trouble::Outcome,
};

const FIND: &str = "SELECT tenant, environment, integration, state FROM dead WHERE run = ?1";
const PUT: &str = "INSERT OR REPLACE INTO dead (run, tenant, environment, integration, at, \
     state, fingerprint, code, summary) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const SETTLE: &str = "UPDATE dead SET state = ?2 WHERE run = ?1";

/// Puts a letter, replacing an earlier one of the same run.
pub(super) fn put_letter(desk: &mut Desk<'_>, letter: &DeadLetter) -> Outcome<()> {
    let tenant = desk.words.number(desk.db, letter.tenant.as_str())?;
    let environment = desk.words.number(desk.db, letter.environment.as_str())?;
    let integration = desk.words.number(desk.db, letter.integration.as_str())?;
    if let Some((before, DeadState::Open)) = find(desk, letter.run)? {
        desk.tally.at(before).dead_settled += 1;
    }
    if letter.state == DeadState::Open {
        desk.tally.at(Place { tenant, environment, integration }).dead_made += 1;
    }
    desk.db.prepare_cached(PUT)?.execute(params![
        id_blob(letter.run),
        tenant,
        environment,
        integration,
        letter.at.as_millis(),
        dead_number(letter.state),
        letter.fingerprint,
        letter.code,
        letter.summary
    ])?;
    Ok(())
}

/// Says what was done about a run's letter, when it has one.
pub(super) fn settle_letter(desk: &mut Desk<'_>, run: RunId, state: DeadState) -> Outcome<()> {
    let Some((place, before)) = find(desk, run)? else { return Ok(()) };
    match (before == DeadState::Open, state == DeadState::Open) {
        (true, false) => desk.tally.at(place).dead_settled += 1,
        (false, true) => desk.tally.at(place).dead_made += 1,
        _ => {}
    }
    desk.db.prepare_cached(SETTLE)?.execute(params![id_blob(run), dead_number(state)])?;
    Ok(())
}

fn find(desk: &Desk<'_>, run: RunId) -> Outcome<Option<(Place, DeadState)>> {
    let mut find = desk.db.prepare_cached(FIND)?;
    let found = find.query_row([id_blob(run)], |row| {
        let place =
            Place { tenant: row.get(0)?, environment: row.get(1)?, integration: row.get(2)? };
        Ok((place, row.get::<_, i64>(3)?))
    });
    found
        .optional()?
        .map(|(place, state)| Ok((place, crate::sqlite::stored::dead_of(state)?)))
        .transpose()
}
