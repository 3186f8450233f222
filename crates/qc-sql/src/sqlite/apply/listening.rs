use qc_model::RunId;
use qc_store::{Signal, Wait};
use rusqlite::params;

use super::Desk;
use crate::sqlite::{stored::id_blob, trouble::Outcome};

const PUT_SIGNAL: &str = "INSERT INTO signal (scope, kind, id, at, expires_at, body) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (scope, id) DO NOTHING";
const PUT_WAIT: &str = "INSERT OR REPLACE INTO wait (run, id, bucket, scope, kind, site, key) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

/// Writes a signal, unless it is a repeat.
pub(super) fn put_signal(desk: &mut Desk<'_>, signal: &Signal) -> Outcome<()> {
    let scope = desk.words.number(desk.db, &signal.scope)?;
    desk.db.prepare_cached(PUT_SIGNAL)?.execute(params![
        scope,
        signal.kind,
        signal.id,
        signal.at.as_millis(),
        signal.expires_at.as_millis(),
        &signal.body[..]
    ])?;
    Ok(())
}

/// Lets a run wait.
pub(super) fn put_wait(desk: &mut Desk<'_>, run: RunId, bucket: u16, wait: &Wait) -> Outcome<()> {
    let scope = desk.words.number(desk.db, &wait.scope)?;
    desk.db.prepare_cached(PUT_WAIT)?.execute(params![
        id_blob(run),
        wait.id,
        bucket,
        scope,
        wait.kind,
        wait.site,
        wait.key
    ])?;
    Ok(())
}

/// Ends one wait of a run.
pub(super) fn end_wait(desk: &Desk<'_>, run: RunId, wait: &str) -> Outcome<()> {
    let mut end = desk.db.prepare_cached("DELETE FROM wait WHERE run = ?1 AND id = ?2")?;
    end.execute(params![id_blob(run), wait])?;
    Ok(())
}

/// Ends all waits of a run.
pub(super) fn end_waits(desk: &Desk<'_>, run: RunId) -> Outcome<()> {
    desk.db.prepare_cached("DELETE FROM wait WHERE run = ?1")?.execute([id_blob(run)])?;
    Ok(())
}
