use std::collections::BTreeSet;

use qc_model::{EnvironmentName, Name};
use qc_store::{ByEnd, Counted, Held, PAGE_MAX, RunStatus, Tally};
use rusqlite::{Connection, Row, params_from_iter};

use super::Clauses;
use crate::sqlite::{
    stored::{count_of, status_of},
    trouble::Outcome,
    words::{WordTexts, find},
};

const COUNTED: &str = "SELECT ifnull(sum(accepted), 0), ifnull(sum(replays), 0), ifnull(sum(completed), 0), ifnull(sum(faulted), 0), \
     ifnull(sum(cancelled), 0), ifnull(sum(reopened_completed), 0), ifnull(sum(reopened_faulted), 0), \
     ifnull(sum(reopened_cancelled), 0), ifnull(sum(pruned_completed), 0), ifnull(sum(pruned_faulted), 0), \
     ifnull(sum(pruned_cancelled), 0), ifnull(sum(dead_made), 0), ifnull(sum(dead_settled), 0) FROM tally";

/// Adds up what was counted and what is there, of one moment.
pub(in crate::sqlite) fn tally(
    db: &Connection,
    environment: Option<&str>,
    integration: Option<&str>,
) -> Outcome<Tally> {
    let mut clauses = Clauses::default();
    for (column, name) in [("environment = ?", environment), ("integration = ?", integration)] {
        let Some(name) = name else { continue };
        let Some(word) = find(db, name)? else { return Ok(Tally::default()) };
        clauses.and(column, word);
    }
    let moment = db.unchecked_transaction()?;
    let tally = Tally { counted: counted(db, &clauses)?, held: held(db, &clauses)? };
    moment.commit()?;
    Ok(tally)
}

/// Where something was counted, or is there. As texts: a page is in their order.
const PLACES: &str = "SELECT DISTINCT environment, integration FROM tally \
     UNION SELECT DISTINCT environment, integration FROM run \
     UNION SELECT DISTINCT environment, integration FROM dead";

/// The environments and integrations of the tally.
pub(in crate::sqlite) fn tally_places(
    db: &Connection,
    words: &WordTexts,
    after: Option<&(EnvironmentName, Name)>,
) -> Outcome<Vec<(EnvironmentName, Name)>> {
    let mut query = db.prepare_cached(PLACES)?;
    let mut rows = query.query([])?;
    let mut places = BTreeSet::new();
    while let Some(row) = rows.next()? {
        let place = (words.name(db, row.get(0)?)?, words.name(db, row.get(1)?)?);
        if after.is_none_or(|after| place > *after) {
            places.insert(place);
        }
    }
    Ok(places.into_iter().take(PAGE_MAX).collect())
}

fn counted(db: &Connection, clauses: &Clauses) -> Outcome<Counted> {
    let mut query = db.prepare_cached(&format!("{COUNTED}{}", clauses.text))?;
    let mut rows = query.query(params_from_iter(&clauses.values))?;
    let Some(row) = rows.next()? else { return Ok(Counted::default()) };
    let by_end = |from| -> Outcome<ByEnd> {
        Ok(ByEnd {
            completed: number(row, from)?,
            faulted: number(row, from + 1)?,
            cancelled: number(row, from + 2)?,
        })
    };
    Ok(Counted {
        accepted: number(row, 0)?,
        replays: number(row, 1)?,
        ended: by_end(2)?,
        reopened: by_end(5)?,
        pruned: by_end(8)?,
        dead_made: number(row, 11)?,
        dead_settled: number(row, 12)?,
    })
}

fn held(db: &Connection, clauses: &Clauses) -> Outcome<Held> {
    let mut held = Held::default();
    let sql = format!("SELECT status, count(*) FROM run{} GROUP BY status", clauses.text);
    let mut query = db.prepare_cached(&sql)?;
    let mut rows = query.query(params_from_iter(&clauses.values))?;
    while let Some(row) = rows.next()? {
        let there = number(row, 1)?;
        match status_of(row.get(0)?)? {
            RunStatus::Running => held.running = there,
            RunStatus::Waiting => held.waiting = there,
            RunStatus::Parked => held.parked = there,
            RunStatus::Completed => held.ended.completed = there,
            RunStatus::Faulted => held.ended.faulted = there,
            RunStatus::Cancelled => held.ended.cancelled = there,
        }
    }
    let open = if clauses.text.is_empty() { " WHERE state = 0" } else { " AND state = 0" };
    let sql = format!("SELECT count(*) FROM dead{}{open}", clauses.text);
    let mut query = db.prepare_cached(&sql)?;
    let mut rows = query.query(params_from_iter(&clauses.values))?;
    if let Some(row) = rows.next()? {
        held.dead_open = number(row, 0)?;
    }
    Ok(held)
}

fn number(row: &Row<'_>, column: usize) -> Outcome<u64> {
    count_of(row.get(column)?)
}
