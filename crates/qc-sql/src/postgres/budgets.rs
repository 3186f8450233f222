//! Budgets that nodes share. The database's clock is the only one that counts, and is read when the rows are held.

use std::{collections::BTreeMap, time::Duration};

use qc_store::{Budget, BudgetKey, Draw, Drawn, check_draws};

use super::{
    connection::Connection,
    stored::count,
    trouble::{Outcome, Trouble},
};

/// In the order of their keys, so that two draws wait for each other in one direction.
const ADD: &str = "INSERT INTO budgets (key, full_at, body) \
     SELECT key, 0, ''::bytea FROM unnest($1::bytea[]) AS asked (key) ORDER BY key \
     ON CONFLICT (key) DO NOTHING";
const HOLD: &str = "SELECT key, body FROM budgets WHERE key = ANY($1) ORDER BY key FOR UPDATE";
const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
const PUT: &str = "UPDATE budgets SET full_at = given.full_at, body = given.body \
     FROM unnest($1::bytea[], $2::bigint[], $3::bytea[]) AS given (key, full_at, body) \
     WHERE budgets.key = given.key";
/// Those that have said nothing for an hour, a few at a time and none that somebody holds.
const FORGET: &str = "DELETE FROM budgets WHERE key IN (SELECT key FROM budgets \
     WHERE full_at > 0 AND full_at < $1 - 3600000000000 ORDER BY full_at LIMIT 32 \
     FOR UPDATE SKIP LOCKED)";

/// Draws from all of them in one transaction.
pub(super) async fn draw(
    db: &mut Connection,
    holder: u64,
    draws: &[Draw],
    lease: Duration,
) -> Outcome<Vec<Drawn>> {
    check_draws(draws)?;
    if draws.is_empty() {
        return Ok(Vec::new());
    }
    db.run("BEGIN").await?;
    // When something fails the connection goes, and the transaction with it.
    let drawn = drawn(db, holder, draws, lease).await?;
    db.run("COMMIT").await?;
    Ok(drawn)
}

async fn drawn(
    db: &mut Connection,
    holder: u64,
    draws: &[Draw],
    lease: Duration,
) -> Outcome<Vec<Drawn>> {
    let asked: Vec<&[u8]> = draws.iter().map(|draw| draw.key.as_slice()).collect();
    db.execute(ADD, &[&asked]).await?;
    let mut budgets: BTreeMap<BudgetKey, Budget> = BTreeMap::new();
    for row in db.query(HOLD, &[&asked]).await? {
        let (key, body): (&[u8], &[u8]) = (row.try_get(0)?, row.try_get(1)?);
        let budget = BudgetKey::try_from(key).ok().zip(Budget::from_bytes(body));
        let damaged = || Trouble::Damaged("a budget that no version writes is stored".to_owned());
        let (key, budget) = budget.ok_or_else(damaged)?;
        budgets.insert(key, budget);
    }
    let now: i64 = match db.query(NOW, &[]).await?.first() {
        Some(row) => row.try_get::<_, i64>(0)?.saturating_mul(1000),
        None => return Err(Trouble::Damaged("the database does not know the time".to_owned())),
    };
    let moment = now.unsigned_abs();
    // Somebody may have forgotten a row before it was held: of that one nothing is given this time.
    let drawn = draws.iter().map(|draw| {
        let budget = budgets.get_mut(&draw.key);
        budget.map(|budget| budget.draw(holder, draw, moment, lease)).unwrap_or_default()
    });
    let drawn = drawn.collect();
    let keys: Vec<&[u8]> = budgets.keys().map(BudgetKey::as_slice).collect();
    let full: Vec<i64> = budgets.values().map(|budget| count(budget.full_at())).collect();
    let bodies: Vec<Vec<u8>> = budgets.values().map(Budget::to_bytes).collect();
    db.execute(PUT, &[&keys, &full, &bodies]).await?;
    db.execute(FORGET, &[&now]).await?;
    Ok(drawn)
}
