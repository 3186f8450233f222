use std::collections::BTreeSet;

use qc_model::RunId;
use qc_store::{OpenWait, PAGE_MAX, Wait, WaitFilter, filter_page};
use rusqlite::{Connection, Row, params, params_from_iter};

use super::{
    Clauses,
    runs::{blob, page},
};
use crate::sqlite::{
    stored::{id_blob, id_of},
    trouble::Outcome,
    words::{WordTexts, find},
};

const SELECT: &str = "SELECT run, bucket, id, scope, kind, site, key FROM wait";
/// Jumps from site to site along the index.
const NEXT_SITES: &str = "UNION ALL \
     SELECT (SELECT min(site) FROM wait WHERE scope = ?1 AND kind = ?2 AND site > next.site) \
     FROM next WHERE next.site IS NOT NULL) \
     SELECT site FROM next WHERE site IS NOT NULL LIMIT ?4";

/// Lists waits.
pub(in crate::sqlite) fn waits(
    db: &Connection,
    words: &WordTexts,
    filter: &WaitFilter,
) -> Outcome<Vec<OpenWait>> {
    let Some(kind) = &filter.kind else { return of_kind(db, words, filter, None) };
    // Two walks along the index, each in order.
    let mut waits = of_kind(db, words, filter, Some(kind))?;
    if !kind.is_empty() {
        waits.append(&mut of_kind(db, words, filter, Some(""))?);
        waits.sort_unstable_by(|a, b| (a.run, &a.wait.id).cmp(&(b.run, &b.wait.id)));
        waits.truncate(filter_page(filter.limit));
    }
    Ok(waits)
}

fn of_kind(
    db: &Connection,
    words: &WordTexts,
    filter: &WaitFilter,
    kind: Option<&str>,
) -> Outcome<Vec<OpenWait>> {
    let mut clauses = Clauses::default();
    if let Some(scope) = &filter.scope {
        let Some(word) = find(db, scope)? else { return Ok(Vec::new()) };
        clauses.and("scope = ?", word);
    }
    for (column, text) in [
        ("kind = ?", kind),
        ("site = ?", filter.site.as_deref()),
        ("key = ?", filter.key.as_deref()),
    ] {
        if let Some(text) = text {
            clauses.and(column, text.to_owned());
        }
    }
    if let Some((run, id)) = &filter.after {
        clauses.and("(run, id) > (?, ?)", id_blob(*run).to_vec());
        clauses.values.push(id.clone().into());
    }
    let mut query = db.prepare_cached(&format!(
        "{SELECT}{} ORDER BY run, id LIMIT {}",
        clauses.text,
        filter_page(filter.limit)
    ))?;
    let mut rows = query.query(params_from_iter(clauses.values))?;
    let mut waits = Vec::new();
    while let Some(row) = rows.next()? {
        let (run, bucket) = (id_of(&blob(row, 0)?)?, row.get(1)?);
        waits.push(OpenWait { run, bucket, wait: decode(db, words, row)? });
    }
    Ok(waits)
}

/// The sites with a wait that an event of this kind answers.
pub(in crate::sqlite) fn wait_sites(
    db: &Connection,
    scope: &str,
    kind: &str,
    after: Option<&str>,
) -> Outcome<Vec<String>> {
    let Some(scope) = find(db, scope)? else { return Ok(Vec::new()) };
    // Every text is at or after the empty one.
    let compare = if after.is_some() { ">" } else { ">=" };
    let mut query = db.prepare_cached(&format!(
        "WITH RECURSIVE next (site) AS (SELECT min(site) FROM wait WHERE scope = ?1 AND kind = ?2 \
         AND site {compare} ?3 {NEXT_SITES}"
    ))?;
    let mut sites = BTreeSet::new();
    for kind in BTreeSet::from([kind, ""]) {
        let after = after.unwrap_or_default();
        let found =
            query.query_map(params![scope, kind, after, page(PAGE_MAX)], |row| row.get(0))?;
        for site in found {
            sites.insert(site?);
        }
    }
    Ok(sites.into_iter().take(PAGE_MAX).collect())
}

/// A run's waits.
pub(in crate::sqlite) fn waits_of(
    db: &Connection,
    words: &WordTexts,
    run: RunId,
) -> Outcome<Vec<Wait>> {
    let mut query = db.prepare_cached(&format!("{SELECT} WHERE run = ?1 ORDER BY id LIMIT ?2"))?;
    let mut rows = query.query(params![id_blob(run), page(PAGE_MAX)])?;
    let mut waits = Vec::new();
    while let Some(row) = rows.next()? {
        waits.push(decode(db, words, row)?);
    }
    Ok(waits)
}

fn decode(db: &Connection, words: &WordTexts, row: &Row<'_>) -> Outcome<Wait> {
    Ok(Wait {
        id: row.get(2)?,
        scope: words.text(db, row.get(3)?)?.to_string(),
        kind: row.get(4)?,
        site: row.get(5)?,
        key: row.get(6)?,
    })
}
