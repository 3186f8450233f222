//! Sealing on both databases: nodes that write and seal at the same time, and a database that is opened again.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use qc_audit::{Hash, Sealed, Sealer, Seed, entries, leaf_of, newest};
use qc_model::{Clock, Name, Seeded, Timestamp, TxnId};
use qc_sql::{
    postgres::{Dsn, PostgresOptions, PostgresStore},
    sqlite::{SqliteOptions, SqliteStore},
};
use qc_store::{Change, CommitLimits, Committer, LedgerFilter, LedgerKind, LedgerRow, Store};

struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

fn node(store: Arc<dyn Store>, number: u64) -> Sealer {
    let (committer, work) = Committer::new(Arc::clone(&store), CommitLimits::default());
    tokio::spawn(work);
    Sealer {
        store,
        committer,
        clock: Arc::new(Ticking(AtomicI64::new(1_000_000))),
        entropy: Arc::new(Seeded::new(number << 32)),
        seed: Seed::new([3; 32]),
        node: format!("n{number}"),
    }
}

async fn write(node: &Sealer, n: usize) {
    let row = |kind| LedgerRow {
        at: node.clock.now(),
        kind,
        tenant: Name::new("platform").unwrap(),
        environment: None,
        integration: None,
        run: None,
        event: None,
        actor: format!("platform:{}", node.node),
        subject: format!("deed {n}"),
        outcome: "done".into(),
        code: None,
        facts: "{}".into(),
    };
    let ledger = vec![row(LedgerKind::Call), row(LedgerKind::Audit), row(LedgerKind::Audit)];
    let id = TxnId::new(node.clock.now(), &*node.entropy);
    let change = Change { id, documents: vec![], ledger, signals: vec![] };
    node.committer.change(change).await.unwrap();
}

async fn seal_all(node: &Sealer) -> usize {
    let mut gaps = 0;
    loop {
        match node.round().await.unwrap() {
            Sealed::Nothing => return gaps,
            Sealed::Overtaken => {}
            Sealed::Rows { gaps: more, .. } => gaps += more,
        }
    }
}

/// Every row is an entry, once, in the ledger's order.
async fn is_whole(store: &dyn Store) -> u64 {
    let (mut leaves, mut after) = (Vec::new(), 0);
    loop {
        let filter =
            LedgerFilter { after, kinds: vec![LedgerKind::Audit], ..LedgerFilter::default() };
        let rows = store.ledger(&filter).await.unwrap();
        let Some(last) = rows.last() else { break };
        after = last.seq;
        leaves.extend(rows.iter().map(leaf_of));
    }
    let size = newest(store).await.unwrap().unwrap().size;
    let mut found = Vec::new();
    while (found.len() as u64) < size {
        let page = entries(store, found.len() as u64, 500).await.unwrap().entries;
        assert!(page.iter().all(|one| {
            one.leaf.as_ref().is_some_and(|leaf| Hash::leaf(leaf.as_bytes()) == one.hash)
        }));
        found.extend(page.into_iter().filter_map(|one| one.leaf));
    }
    assert_eq!(found, leaves);
    size
}

async fn nodes_write_and_seal(nodes: Vec<Sealer>) -> u64 {
    let nodes: Vec<Arc<Sealer>> = nodes.into_iter().map(Arc::new).collect();
    let mut at_work = Vec::new();
    for node in &nodes {
        let writing = Arc::clone(node);
        at_work.push(tokio::spawn(async move {
            for n in 0..60 {
                write(&writing, n).await;
            }
            0
        }));
        let sealing = Arc::clone(node);
        at_work.push(tokio::spawn(async move {
            let mut gaps = 0;
            for _ in 0..40 {
                if let Sealed::Rows { gaps: more, .. } = sealing.round().await.unwrap() {
                    gaps += more;
                }
            }
            gaps
        }));
    }
    let mut gaps = 0;
    for task in at_work {
        gaps += task.await.unwrap();
    }
    assert_eq!(gaps + seal_all(&nodes[0]).await, 0, "nothing is missing");
    is_whole(&*nodes[0].store).await
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_on_postgresql_write_and_seal_at_once() {
    let Some(server) = qc_pgserver::shared() else { return };
    let dsn = Dsn::parse(&server.url(&server.database())).unwrap();
    let mut nodes = Vec::new();
    for number in 0..3 {
        let store = PostgresStore::open(&dsn, &PostgresOptions::default()).await.unwrap();
        nodes.push(node(Arc::new(store), number));
    }
    // 60 times two rows by each of three, and the key that signs.
    assert_eq!(nodes_write_and_seal(nodes).await, 361);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_it_goes_on_after_the_database_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qc.db");
    let open = || Arc::new(SqliteStore::open(&path, SqliteOptions::default()).unwrap());
    let store = open();
    assert_eq!(nodes_write_and_seal(vec![node(store.clone(), 1)]).await, 121);
    let first = node(store.clone(), 1);
    write(&first, 99).await;
    drop(first);
    let mut store = Some(store);
    while let Some(held) = store.take() {
        // The committer's loop ends by itself, and lets go of the database then.
        match Arc::try_unwrap(held) {
            Ok(held) => drop(held),
            Err(held) => {
                store = Some(held);
                tokio::task::yield_now().await;
            }
        }
    }
    let again = node(open(), 2);
    assert_eq!(seal_all(&again).await, 0);
    write(&again, 100).await;
    assert_eq!(seal_all(&again).await, 0, "numbers go on where they ended");
    assert_eq!(is_whole(&*again.store).await, 125);
}
