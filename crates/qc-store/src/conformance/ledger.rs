use super::{
    Factory,
    fixtures::{Fixture, accept_many, write},
};
use crate::{
    AuditMark, Change, DocumentOp, Expect, LedgerFilter, LedgerKind, LedgerRow, Retention, Store,
    Write,
};

async fn note(store: &dyn Store, ledger: Vec<LedgerRow>) {
    let change = Change { ledger, ..Fixture::change(vec![]) };
    write(store, vec![Write::Change(Box::new(change))]).await;
}

async fn subjects(store: &dyn Store, filter: LedgerFilter) -> Vec<String> {
    let rows = store.ledger(&filter).await.expect("read");
    assert!(rows.windows(2).all(|pair| pair[0].seq < pair[1].seq), "oldest first");
    rows.into_iter().map(|entry| entry.row.subject).collect()
}

/// Every filter alone and together; rows come back as they were written.
pub async fn the_ledger_filters(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let bare = LedgerRow {
        environment: None,
        integration: None,
        run: None,
        event: None,
        subject: "bare".to_owned(),
        at: Fixture::at(-5),
        ..Fixture::row(1, LedgerKind::Audit, "denied")
    };
    let other = LedgerRow {
        environment: Some(Fixture::name("sandbox")),
        integration: Some(Fixture::name("other")),
        subject: "other".to_owned(),
        at: Fixture::at(10),
        ..Fixture::row(2, LedgerKind::Call, "failed")
    };
    let late = LedgerRow {
        subject: "late".to_owned(),
        at: Fixture::at(20),
        ..Fixture::row(1, LedgerKind::Call, "ok")
    };
    // Clocks jump: rows are not in the order of their times.
    let early = LedgerRow {
        subject: "early".to_owned(),
        at: Fixture::at(-50),
        ..Fixture::row(3, LedgerKind::Task, "ok")
    };
    let rows = vec![bare, other, late, early];
    note(store, rows.clone()).await;
    let all = store.ledger(&LedgerFilter::default()).await.expect("read");
    assert_eq!(all.iter().map(|entry| entry.row.clone()).collect::<Vec<_>>(), rows);

    let any = LedgerFilter::default;
    let some = |filter| subjects(store, filter);
    assert_eq!(some(any()).await, ["bare", "other", "late", "early"]);
    assert_eq!(some(LedgerFilter { after: all[1].seq, ..any() }).await, ["late", "early"]);
    assert_eq!(
        some(LedgerFilter { since: Some(Fixture::at(10)), ..any() }).await,
        ["other", "late"]
    );
    assert_eq!(
        some(LedgerFilter { until: Some(Fixture::at(10)), ..any() }).await,
        ["bare", "early"]
    );
    let kinds = vec![LedgerKind::Call, LedgerKind::Audit];
    assert_eq!(some(LedgerFilter { kinds, ..any() }).await, ["bare", "other", "late"]);
    let environment = Some(Fixture::name("sandbox"));
    assert_eq!(some(LedgerFilter { environment, ..any() }).await, ["other"]);
    let unknown = Some(Fixture::name("nowhere"));
    assert!(some(LedgerFilter { environment: unknown.clone(), ..any() }).await.is_empty());
    assert!(some(LedgerFilter { integration: unknown, ..any() }).await.is_empty());
    let integration = Some(Fixture::name("escalation"));
    assert_eq!(some(LedgerFilter { integration, ..any() }).await, ["late", "early"]);
    let run = Some(Fixture::run(1));
    assert_eq!(some(LedgerFilter { run, ..any() }).await, ["late"]);
    let outcome = Some("ok".to_owned());
    assert_eq!(some(LedgerFilter { outcome: outcome.clone(), ..any() }).await, ["late", "early"]);
    let since = Some(Fixture::at(0));
    let both = LedgerFilter { since, run, outcome, ..any() };
    assert_eq!(some(both).await, ["late"]);
    assert_eq!(some(LedgerFilter { limit: 2, ..any() }).await, ["bare", "other"]);
}

/// Pages neither skip nor repeat a row while others are written; no page is longer than 1,000.
pub async fn the_ledger_pages_under_writes(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    accept_many(store, 0..2500).await;
    let mut after = 0;
    let mut runs = Vec::new();
    for page in 0u32.. {
        let filter = LedgerFilter { after, limit: 5000, ..LedgerFilter::default() };
        let rows = store.ledger(&filter).await.expect("read");
        assert!(rows.len() <= 1000, "the page is bounded");
        let Some(last) = rows.last() else { break };
        after = last.seq;
        runs.extend(rows.into_iter().filter_map(|entry| entry.row.run));
        if page < 2 {
            let from = 2500 + 10 * u128::from(page);
            accept_many(store, from..from + 10).await;
        }
    }
    assert_eq!(runs, (0..2520).map(Fixture::run).collect::<Vec<_>>());
}

/// Rows of the audit, and no others, have the numbers 1, 2, 3, … of their writer: over batches, over
/// writes that conflict, after what was written was pruned and after the store was opened again.
pub async fn rows_of_the_audit_are_numbered(factory: &Factory) {
    let site = factory();
    let rows = |outcome: &str| {
        vec![
            Fixture::row(1, LedgerKind::Audit, outcome),
            Fixture::row(1, LedgerKind::Call, outcome),
            Fixture::row(2, LedgerKind::Audit, outcome),
        ]
    };
    let change = |name: &str, outcome: &str| {
        let put = DocumentOp::Put {
            kind: "thing".to_owned(),
            name: name.to_owned(),
            expect: Expect::Absent,
            body: "x".into(),
            at: Fixture::at(0),
        };
        Write::Change(Box::new(Change { ledger: rows(outcome), ..Fixture::change(vec![put]) }))
    };
    let batch = vec![change("a", "first"), change("a", "refused"), change("b", "second")];
    write(site.store.as_ref(), batch).await;
    let marks = async |kind: LedgerKind| -> Vec<Option<AuditMark>> {
        let filter = LedgerFilter { kinds: vec![kind], ..LedgerFilter::default() };
        let rows = site.store.ledger(&filter).await.expect("read");
        assert!(rows.iter().all(|entry| entry.row.kind == kind));
        rows.into_iter().map(|entry| entry.mark).collect()
    };
    assert_eq!(marks(LedgerKind::Call).await, [None, None]);
    let found = marks(LedgerKind::Audit).await;
    let writer = found.first().copied().flatten().expect("is numbered").writer;
    let numbered = |numbers: std::ops::RangeInclusive<u64>| -> Vec<Option<AuditMark>> {
        numbers.map(|no| Some(AuditMark { writer, no })).collect()
    };
    assert_eq!(found, numbered(1..=4));
    let all = Fixture::at(1_000_000);
    site.store.prune(&Retention::at(all, all), 1000).await.expect("prune");
    assert_eq!(marks(LedgerKind::Audit).await, []);
    write(site.store.as_ref(), vec![change("c", "third")]).await;
    assert_eq!(marks(LedgerKind::Audit).await, numbered(5..=6), "numbers are not given twice");
}
