use std::time::Duration;

use qc_store::{Signal, SignalEntry, SignalFilter, StoreError, filter_page};
use tokio::time::{Instant, sleep};
use tokio_postgres::Row;

use super::{Clauses, horizon::horizon};
use crate::postgres::{
    connection::Connection,
    stored::{Fields, count, mark, text},
    trouble::Outcome,
};

const SELECT: &str = "SELECT seq, scope, kind, id, at, expires_at, body FROM signal";

/// For so long a reader waits for writers that began before what it has found; the first pause.
const WAIT_MAX: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// Reads signals. What was written before the question is in the answer, and nothing can come to
/// stand before what is: so the answer waits until the writers have ended that have an earlier place
/// than what it holds. They have sent their commits, nearly always, when it is asked.
pub(in crate::postgres) async fn signals(
    db: &mut Connection,
    filter: &SignalFilter,
) -> Outcome<Vec<SignalEntry>> {
    let clauses = restrict(filter);
    let question =
        format!("{SELECT}{} ORDER BY seq LIMIT {}", clauses.text, filter_page(filter.limit));
    let (deadline, mut pause) = (Instant::now() + WAIT_MAX, PAUSE);
    let mut wanted = None;
    loop {
        // First the horizon: what the page shows below it is final.
        let horizon = count_of(horizon(db).await?);
        let rows = db.query(&question, &clauses.values()).await?;
        let mut page = rows.iter().map(decode).collect::<Outcome<Vec<_>>>()?;
        // What came later need not be waited for.
        let wanted = *wanted.get_or_insert(page.last().map_or(0, |entry| entry.seq));
        if wanted < horizon {
            page.retain(|entry| entry.seq < horizon);
            return Ok(page);
        }
        if Instant::now() >= deadline {
            let why = "a transaction that began before the newest signals does not end";
            return Err(StoreError::Unavailable(why.to_owned()).into());
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

fn restrict(filter: &SignalFilter) -> Clauses {
    let mut clauses = Clauses::default();
    clauses.and("seq > ?", count(filter.after));
    match (&filter.scope, &filter.kind) {
        (Some(scope), Some(kind)) => clauses.and("place = ?", mark(&[scope, kind])),
        (Some(scope), None) => clauses.and("scope = ?", text(scope).into_owned()),
        (None, Some(kind)) => clauses.and("kind = ?", text(kind).into_owned()),
        (None, None) => {}
    }
    if let Some(since) = filter.since {
        clauses.and("at >= ?", since.as_millis());
    }
    clauses
}

/// One signal.
pub(in crate::postgres) async fn signal(
    db: &mut Connection,
    scope: &str,
    id: &str,
) -> Outcome<Option<SignalEntry>> {
    let rows = db.query(&format!("{SELECT} WHERE mark = $1"), &[&mark(&[scope, id])]).await?;
    rows.first().map(decode).transpose()
}

fn decode(row: &Row) -> Outcome<SignalEntry> {
    let row = Fields(row);
    let signal = Signal {
        scope: row.text(1)?,
        kind: row.text(2)?,
        id: row.text(3)?,
        at: row.time(4)?,
        expires_at: row.time(5)?,
        body: row.bytes(6)?,
    };
    Ok(SignalEntry { seq: row.count(0)?, signal })
}

/// Places are never negative.
fn count_of(place: i64) -> u64 {
    u64::try_from(place).unwrap_or_default()
}
