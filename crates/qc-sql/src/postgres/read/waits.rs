use std::collections::BTreeSet;

use qc_model::RunId;
use qc_store::{OpenWait, PAGE_MAX, Wait, WaitFilter, filter_page};
use tokio_postgres::Row;

use super::{Clauses, runs::page};
use crate::postgres::{
    connection::Connection,
    load::bucket,
    stored::{Fields, Uuid, mark, text},
    trouble::Outcome,
};

const SELECT: &str = "SELECT run, bucket, id, scope, kind, site, key FROM wait";
/// Jumps from site to site along the index.
const SITES: &str = "WITH RECURSIVE next (site) AS ( \
         (SELECT site FROM wait WHERE place = $1 AND ($2::text IS NULL OR site > $2) \
         ORDER BY site LIMIT 1) \
         UNION ALL \
         SELECT (SELECT w.site FROM wait w WHERE w.place = $1 AND w.site > next.site \
         ORDER BY w.site LIMIT 1) FROM next WHERE next.site IS NOT NULL \
     ) SELECT site FROM next WHERE site IS NOT NULL LIMIT $3";

/// Lists waits.
pub(in crate::postgres) async fn waits(
    db: &mut Connection,
    filter: &WaitFilter,
) -> Outcome<Vec<OpenWait>> {
    let Some(kind) = &filter.kind else { return of_kind(db, filter, None).await };
    // Two walks along the index, each in order.
    let mut waits = of_kind(db, filter, Some(kind)).await?;
    if !kind.is_empty() {
        waits.append(&mut of_kind(db, filter, Some("")).await?);
        waits.sort_unstable_by(|a, b| (a.run, &a.wait.id).cmp(&(b.run, &b.wait.id)));
        waits.truncate(filter_page(filter.limit));
    }
    Ok(waits)
}

async fn of_kind(
    db: &mut Connection,
    filter: &WaitFilter,
    kind: Option<&str>,
) -> Outcome<Vec<OpenWait>> {
    let mut clauses = Clauses::default();
    let WaitFilter { scope, site, key, .. } = filter;
    if let (Some(scope), Some(kind), Some(site), Some(key)) = (scope, kind, site, key) {
        clauses.and("mark = ?", mark(&[scope, kind, site, key]));
    } else {
        for (column, text_of) in [
            ("scope = ?", scope.as_deref()),
            ("kind = ?", kind),
            ("site = ?", site.as_deref()),
            ("key = ?", key.as_deref()),
        ] {
            if let Some(wanted) = text_of {
                clauses.and(column, text(wanted).into_owned());
            }
        }
        // By the index of sites.
        if let (Some(scope), Some(kind)) = (scope, kind) {
            clauses.and("place = ?", mark(&[scope, kind]));
        }
    }
    if let Some((run, id)) = &filter.after {
        let id = clauses.value(text(id).into_owned());
        clauses.and(&format!("(run, id) > (?, {id})"), Uuid::from(*run));
    }
    let question =
        format!("{SELECT}{} ORDER BY run, id LIMIT {}", clauses.text, filter_page(filter.limit));
    let rows = db.query(&question, &clauses.values()).await?;
    rows.iter()
        .map(|row| {
            let run = Fields(row).id(0)?;
            Ok(OpenWait { run, bucket: bucket(row.try_get(1)?)?, wait: decode(row)? })
        })
        .collect()
}

/// The sites with a wait that an event of this kind answers.
pub(in crate::postgres) async fn wait_sites(
    db: &mut Connection,
    scope: &str,
    kind: &str,
    after: Option<&str>,
) -> Outcome<Vec<String>> {
    let mut sites = BTreeSet::new();
    for kind in BTreeSet::from([kind, ""]) {
        let rows =
            db.query(SITES, &[&mark(&[scope, kind]), &after.map(text), &page(PAGE_MAX)]).await?;
        for row in &rows {
            sites.insert(Fields(row).text(0)?);
        }
    }
    Ok(sites.into_iter().take(PAGE_MAX).collect())
}

/// A run's waits.
pub(in crate::postgres) async fn waits_of(db: &mut Connection, run: RunId) -> Outcome<Vec<Wait>> {
    let question = format!("{SELECT} WHERE run = $1 ORDER BY id LIMIT $2");
    let rows = db.query(&question, &[&Uuid::from(run), &page(PAGE_MAX)]).await?;
    rows.iter().map(decode).collect()
}

fn decode(row: &Row) -> Outcome<Wait> {
    let row = Fields(row);
    Ok(Wait {
        id: row.text(2)?,
        scope: row.text(3)?,
        kind: row.text(4)?,
        site: row.text(5)?,
        key: row.text(6)?,
    })
}
