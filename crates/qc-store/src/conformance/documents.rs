use super::{
    Factory,
    fixtures::{Fixture, change},
};
use crate::{ChangeOutcome, Expect};

fn conflict(name: &str, revision: Option<u64>) -> ChangeOutcome {
    ChangeOutcome::Conflict { kind: "release".to_owned(), name: name.to_owned(), revision }
}

/// Each expectation holds exactly when it says.
pub async fn documents_compare_and_set(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let put = |expect, body: &'static str| {
        change(store, vec![Fixture::put("release", "r", expect, body)])
    };
    let now = || async { store.document("release", "r").await.expect("read") };
    assert_eq!(put(Expect::Revision(1), "x").await, conflict("r", None));
    assert_eq!(put(Expect::Absent, "one").await, ChangeOutcome::Changed);
    assert_eq!(put(Expect::Absent, "x").await, conflict("r", Some(1)));
    assert_eq!(put(Expect::Revision(2), "x").await, conflict("r", Some(1)));
    assert_eq!(put(Expect::Revision(1), "two").await, ChangeOutcome::Changed);
    assert_eq!(put(Expect::AbsentOrSame, "two").await, ChangeOutcome::Changed);
    assert_eq!(now().await.map(|d| d.revision), Some(2), "the same body changes nothing");
    assert_eq!(put(Expect::AbsentOrSame, "other").await, conflict("r", Some(2)));
    assert_eq!(put(Expect::Any, "three").await, ChangeOutcome::Changed);
    let document = now().await.expect("the document is there");
    assert_eq!((document.revision, &document.body[..]), (3, &b"three"[..]));
    assert_eq!(document.updated_at, Fixture::at(7));
    let delete = |expect| change(store, vec![Fixture::delete("release", "r", expect)]);
    assert_eq!(delete(Expect::Revision(2)).await, conflict("r", Some(3)));
    assert_eq!(delete(Expect::Revision(3)).await, ChangeOutcome::Changed);
    assert_eq!(now().await, None);
    assert_eq!(delete(Expect::Any).await, ChangeOutcome::Changed, "nothing to remove is fine");
    assert_eq!(put(Expect::AbsentOrSame, "again").await, ChangeOutcome::Changed);
    assert_eq!(now().await.map(|d| d.revision), Some(1));
}

/// A change is all or nothing, and its later operations see its earlier ones.
pub async fn one_conflict_undoes_the_change(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let outcome = change(
        store,
        vec![
            Fixture::put("release", "a", Expect::Absent, "a"),
            Fixture::put("release", "b", Expect::Revision(4), "b"),
        ],
    )
    .await;
    assert_eq!(outcome, conflict("b", None));
    assert_eq!(store.document("release", "a").await.expect("read"), None);
    let outcome = change(
        store,
        vec![
            Fixture::put("release", "a", Expect::Absent, "a"),
            Fixture::put("release", "a", Expect::Revision(1), "a2"),
            Fixture::delete("release", "a", Expect::Revision(2)),
            Fixture::put("release", "b", Expect::Absent, "b"),
        ],
    )
    .await;
    assert_eq!(outcome, ChangeOutcome::Changed);
    assert_eq!(store.document("release", "a").await.expect("read"), None);
    assert!(store.document("release", "b").await.expect("read").is_some());
}

/// Pages follow the names, byte by byte, and stay within the kind.
pub async fn documents_come_in_order_and_pages(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let names = ["b", "a", "ä", "a/1", "Z", "c%_", "a\u{0}b"];
    for name in names {
        change(store, vec![Fixture::put("release", name, Expect::Absent, name)]).await;
    }
    for kind in ["releas", "releasf", "release2"] {
        change(store, vec![Fixture::put(kind, "a", Expect::Absent, "x")]).await;
    }
    let mut sorted = names;
    sorted.sort_unstable();
    let mut seen = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = store.documents("release", after.as_deref(), 2).await.expect("read");
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        after = Some(last.name.clone());
        seen.extend(page.into_iter().map(|document| document.name));
    }
    assert_eq!(seen, sorted);
    assert_eq!(store.documents("none", None, 10).await.expect("read"), []);
}
