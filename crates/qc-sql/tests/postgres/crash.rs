//! The server crashes while nodes write: what was answered is there.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use qc_store::{AcceptOutcome, CommitLimits, Committer, Store, StoreError, conformance::Fixture};

use crate::place::open;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_immediate_shutdown_loses_nothing_that_was_answered() {
    let Some(server) = qc_pgserver::own(&[]) else { return };
    let database = server.database();
    let store = Arc::new(open(&server.url(&database)).await.unwrap());
    let (committer, commit_loop) =
        Committer::new(Arc::clone(&store) as Arc<dyn Store>, CommitLimits::default());
    tokio::spawn(commit_loop);
    let answered = Arc::new(Mutex::new(Vec::new()));
    let ended = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..16u128)
        .map(|caller| {
            let (committer, answered, ended) =
                (committer.clone(), Arc::clone(&answered), Arc::clone(&ended));
            tokio::spawn(async move {
                let mut n = caller << 64;
                while !ended.load(Ordering::SeqCst) {
                    n += 1;
                    // A refusal is final for its event; another one is sent.
                    match committer.accept(Fixture::keyed(n, &n.to_string(), 1)).await {
                        Ok(AcceptOutcome::Accepted) => answered.lock().unwrap().push(n),
                        Ok(other) => panic!("{n}: {other:?}"),
                        Err(StoreError::Unavailable(_) | StoreError::Unknown(_)) => {
                            tokio::time::sleep(Duration::from_millis(5)).await;
                        }
                        Err(other) => panic!("{n}: {other}"),
                    }
                }
            })
        })
        .collect();
    let count = || answered.lock().unwrap().len();
    for _ in 0..3 {
        let before = count();
        tokio::time::timeout(Duration::from_secs(60), async {
            while count() < before + 300 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .expect("writing goes on after each crash");
        tokio::task::block_in_place(|| {
            server.stop("immediate");
            server.go_on();
        });
    }
    ended.store(true, Ordering::SeqCst);
    for caller in callers {
        caller.await.unwrap();
    }
    let answered = std::mem::take(&mut *answered.lock().unwrap());
    assert!(answered.len() >= 900);
    for n in answered {
        let run = Fixture::run(n);
        assert!(store.run(run).await.unwrap().is_some(), "run {n} was answered and is gone");
        assert_eq!(store.journal(run).await.unwrap().len(), 1);
        let owner = store.key_owner("acme/production/case-opened", &n.to_string()).await;
        assert_eq!(owner.unwrap(), Some(run));
    }
}
