use std::sync::Arc;

use super::*;
use crate::{
    AcceptOutcome,
    conformance::{self, Fixture, Subject},
};

fn fresh() -> Subject {
    let store = Arc::new(MemoryStore::new());
    let beside = Arc::clone(&store);
    Subject { store, reopen: None, beside: Some(Box::new(move || beside.clone())) }
}

#[tokio::test]
async fn passes_the_suite() {
    conformance::all(&fresh).await;
}

fn accept(n: u128) -> Vec<Write> {
    vec![Write::Accept(Box::new(Fixture::accept(n)))]
}

#[tokio::test]
async fn fails_as_it_is_told() {
    let store = MemoryStore::new();
    store.fail_next(Fault::Full);
    store.fail_next(Fault::Unknown { applied: false });
    store.fail_next(Fault::Unknown { applied: true });
    assert!(matches!(store.write(accept(1)).await, Err(StoreError::Full(_))));
    assert!(matches!(store.write(accept(2)).await, Err(StoreError::Unknown(_))));
    assert!(matches!(store.write(accept(3)).await, Err(StoreError::Unknown(_))));
    for (n, there) in [(1, false), (2, false), (3, true)] {
        assert_eq!(store.run(Fixture::run(n)).await.unwrap().is_some(), there);
    }
    store.stop_after(1);
    assert!(store.write(accept(4)).await.is_ok());
    assert!(matches!(store.write(accept(5)).await, Err(StoreError::Unavailable(_))));
    store.go_on();
    let outcome = store.write(accept(5)).await.unwrap();
    assert_eq!(outcome, [WriteOutcome::Accept(AcceptOutcome::Accepted)]);
    assert_eq!(store.batch_sizes(), [1, 1]);
}
