use super::{
    Factory,
    fixtures::{Fixture, accept, accept_many, commit, lease_all},
};
use crate::{Accept, Op, OpenWait, RunStatus, Txn, Wait, WaitFilter};

fn wait(id: &str, kind: &str, site: &str, key: &str) -> Wait {
    Fixture::wait(id, kind, site, key)
}

/// Waits as `run:id`, short enough to read.
fn short(waits: &[OpenWait]) -> String {
    let number = |wait: &OpenWait| wait.run.bits() & 0xff;
    let all: Vec<_> = waits.iter().map(|w| format!("{}:{}", number(w), w.wait.id)).collect();
    all.join(" ")
}

/// Waits come with the accept and with steps, are replaced and ended by their ids, and vanish with
/// the run's end, whatever ends it.
pub async fn waits_live_as_long_as_their_run(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let lease = lease_all(store, "a").await;
    let of = |n| async move { store.waits_of(Fixture::run(n)).await.expect("read") };
    let waits = vec![wait("b", "x", "s", "1"), wait("a", "x", "s", "1"), wait("a", "y", "s", "2")];
    accept(store, Accept { waits, ..Fixture::accept(1) }).await;
    assert_eq!(of(1).await, [wait("a", "y", "s", "2"), wait("b", "x", "s", "1")]);
    let ops = vec![
        Op::Wait(wait("c", "", "t", "3")),
        Op::Wait(wait("a", "z", "t", "4")),
        Op::Unwait("b".to_owned()),
        Op::Unwait("never".to_owned()),
    ];
    commit(store, &lease, Fixture::step(1, 1, ops)).await;
    assert_eq!(of(1).await, [wait("a", "z", "t", "4"), wait("c", "", "t", "3")]);
    commit(store, &lease, Fixture::step(1, 1, vec![Op::Unwait("a".to_owned())])).await;
    assert_eq!(of(1).await.len(), 2, "a conflict changes nothing");
    for (n, end) in [(2, RunStatus::Completed), (3, RunStatus::Faulted), (4, RunStatus::Cancelled)]
    {
        let waits = vec![wait("a", "x", "s", "1")];
        accept(store, Accept { waits, ..Fixture::accept(n) }).await;
        let ops = vec![Op::Wait(wait("late", "x", "s", "1"))];
        let txn = Txn { ops, ..Fixture::into_state(n, 1, Fixture::ended(end, 1)) };
        commit(store, &lease, txn).await;
        assert_eq!(of(n).await, []);
    }
    let mut stillborn = Fixture::accept(5);
    stillborn.state = Fixture::ended(RunStatus::Faulted, 1);
    stillborn.waits = vec![wait("a", "x", "s", "1")];
    accept(store, stillborn).await;
    assert_eq!(of(5).await, []);
    let all = store.waits(&WaitFilter::default()).await.expect("read");
    assert_eq!(short(&all), "1:a 1:c");
    assert_eq!(all[0].bucket, 1);
    // A run that was opened again may wait again.
    let ops = vec![Op::Wait(wait("again", "x", "s", "1"))];
    commit(store, &lease, Fixture::step(3, 2, ops)).await;
    assert_eq!(of(3).await, [wait("again", "x", "s", "1")]);
}

/// An event's kind finds the waits for it and those for any; pages tear no run apart.
pub async fn waits_are_found_by_what_answers_them(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let lease = lease_all(store, "a").await;
    accept_many(store, 1..5).await;
    for (n, waits) in [
        (1, vec![wait("a", "x", "s", "1"), wait("b", "", "s", "1"), wait("c", "y", "s", "1")]),
        (2, vec![wait("a", "x", "s", "2"), wait("b", "x", "t", "1")]),
        (3, vec![wait("a", "", "s", "1"), Wait { scope: "o".into(), ..wait("b", "x", "s", "1") }]),
        (4, vec![wait("a", "x", "s", "1")]),
    ] {
        let ops = waits.into_iter().map(Op::Wait).collect();
        commit(store, &lease, Fixture::step(n, 1, ops)).await;
    }
    let any = WaitFilter::default;
    let list = |filter| async move { short(&store.waits(&filter).await.expect("read")) };
    let text = |text: &str| Some(text.to_owned());
    let scope = text("acme/production");
    let exact = WaitFilter {
        scope: scope.clone(),
        kind: text("x"),
        site: text("s"),
        key: text("1"),
        ..any()
    };
    assert_eq!(list(exact.clone()).await, "1:a 1:b 3:a 4:a");
    assert_eq!(list(WaitFilter { limit: 3, ..exact.clone() }).await, "1:a 1:b 3:a");
    let after = Some((Fixture::run(1), "a".to_owned()));
    assert_eq!(list(WaitFilter { after, limit: 2, ..exact.clone() }).await, "1:b 3:a");
    assert_eq!(list(WaitFilter { kind: text("z"), ..exact.clone() }).await, "1:b 3:a");
    assert_eq!(list(WaitFilter { kind: text(""), ..exact.clone() }).await, "1:b 3:a");
    assert_eq!(list(WaitFilter { kind: None, ..exact.clone() }).await, "1:a 1:b 1:c 3:a 4:a");
    assert_eq!(list(WaitFilter { key: text("3"), ..exact.clone() }).await, "");
    assert_eq!(list(WaitFilter { scope: text("nowhere"), ..exact }).await, "");
    assert_eq!(list(WaitFilter { site: text("t"), ..any() }).await, "2:b");
    assert_eq!(list(WaitFilter { key: text("1"), limit: 2, ..any() }).await, "1:a 1:b");
    assert_eq!(list(WaitFilter { scope, kind: text("y"), ..any() }).await, "1:b 1:c 3:a");
    assert_eq!(list(WaitFilter { kind: text("x"), ..any() }).await, "1:a 1:b 2:a 2:b 3:a 3:b 4:a");
}

/// Each site once, however many wait there; a site without a wait is none.
pub async fn sites_are_listed_once(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let lease = lease_all(store, "a").await;
    accept_many(store, 0..60).await;
    for n in 0..60 {
        let (kind, site) = match n % 3 {
            0 => ("x", format!("site {}", n % 4)),
            1 => ("", "anything".to_owned()),
            _ => ("y", "other".to_owned()),
        };
        let ops = vec![Op::Wait(wait("w", kind, &site, &n.to_string()))];
        commit(store, &lease, Fixture::step(n, 1, ops)).await;
    }
    let sites = |kind: &'static str, after: Option<&'static str>| async move {
        store.wait_sites("acme/production", kind, after).await.expect("read")
    };
    let all = ["anything", "site 0", "site 1", "site 2", "site 3"];
    assert_eq!(sites("x", None).await, all);
    assert_eq!(sites("x", Some("site 1")).await, ["site 2", "site 3"]);
    assert_eq!(sites("z", None).await, ["anything"]);
    assert_eq!(sites("", None).await, ["anything"]);
    assert_eq!(store.wait_sites("nowhere", "x", None).await, Ok(vec![]));
    for n in (1..60).step_by(3) {
        commit(store, &lease, Fixture::step(n, 2, vec![Op::Unwait("w".to_owned())])).await;
    }
    assert_eq!(sites("x", None).await, all[1..]);
    assert_eq!(sites("z", None).await, [""; 0]);
}
