//! What sealing costs: the tree alone, a signed checkpoint, and whole rounds on SQLite with an fsync each.
//!
//! `cargo run --release -p qc-audit --example append_cost`

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use qc_audit::{Checkpoint, Frontier, Hash, Sealed, Sealer, Seed, SigningKey, leaf_of};
use qc_model::{Clock, Entropy, Name, Timestamp, TxnId};
use qc_sql::sqlite::{SqliteOptions, SqliteStore};
use qc_store::{
    AuditMark, Change, CommitLimits, Committer, LedgerEntry, LedgerKind, LedgerRow, Store,
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_795_708_800_000)
    }
}

impl Entropy for Still {
    fn next_u64(&self) -> u64 {
        7
    }
}

fn row(n: u64) -> Result<LedgerRow, Failure> {
    let via = r#"{"token":"Ab3dE6gH","role":"admin","action":"deployments:write","policy":"roles-0123456789ab","request":"0a1b2c3d-4e5","address":"10.0.0.7"}"#;
    Ok(LedgerRow {
        at: Still.now(),
        kind: LedgerKind::Audit,
        tenant: Name::new("platform")?,
        environment: Some(Name::new("production")?),
        integration: Some(Name::new("orders")?),
        run: None,
        event: None,
        actor: "human:ada".into(),
        subject: "deploy".into(),
        outcome: "allowed".into(),
        code: None,
        facts: format!(r#"{{"n":{n},"via":{via}}}"#).into(),
    })
}

fn told(what: &str, count: u32, took: Duration) {
    let each = took.as_secs_f64() * 1e6 / f64::from(count.max(1));
    println!("{what:<44} {each:>10.1} us each, {count} in {took:.2?}");
}

fn main() -> Result<(), Failure> {
    let count = 100_000u32;
    let entries: Vec<LedgerEntry> = (0..u64::from(count))
        .map(|n| {
            Ok(LedgerEntry { seq: n, row: row(n)?, mark: Some(AuditMark { writer: 0, no: n }) })
        })
        .collect::<Result<_, Failure>>()?;
    let began = Instant::now();
    let mut tree = Frontier::default();
    let mut bytes = 0;
    for entry in &entries {
        let leaf = leaf_of(entry);
        bytes += leaf.len() as u64;
        tree.push(Hash::leaf(leaf.as_bytes()));
    }
    told("an entry made, hashed and added to the tree", count, began.elapsed());
    println!("{:<44} {:>10} bytes", "its line", bytes / u64::from(count));
    let key = SigningKey::new("quickconnect-audit/example", &Seed::new([7; 32])).ok_or("no key")?;
    let began = Instant::now();
    for size in 0..1_000 {
        let origin = key.verifying().name().to_owned();
        Checkpoint { origin, size, root: tree.root() }.sign(&key);
    }
    told("a checkpoint signed", 1_000, began.elapsed());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(rounds())
}

/// Rounds of many rows and of one, on a database that fsyncs.
async fn rounds() -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("qc.db");
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(path, SqliteOptions::default())?);
    let (committer, work) = Committer::new(Arc::clone(&store), CommitLimits::default());
    tokio::spawn(work);
    let sealer = Sealer {
        store,
        committer: committer.clone(),
        clock: Arc::new(Still),
        entropy: Arc::new(Still),
        seed: Seed::new([7; 32]),
        node: "n1".into(),
    };
    let write = async |rows: std::ops::Range<u64>| -> Result<(), Failure> {
        let ledger = rows.map(row).collect::<Result<_, Failure>>()?;
        let id = TxnId::new(Still.now(), &Still);
        committer.change(Change { id, documents: vec![], ledger, signals: vec![] }).await?;
        Ok(())
    };
    let many = 20_000u32;
    for n in 0..u64::from(many) / 1_000 {
        write(n * 1_000..(n + 1) * 1_000).await?;
    }
    let began = Instant::now();
    while sealer.round().await? != Sealed::Nothing {}
    told("an entry sealed on SQLite, a thousand at once", many, began.elapsed());
    let (mut took, single) = (Duration::ZERO, 300u32);
    for n in 0..u64::from(single) {
        write(n..n + 1).await?;
        let began = Instant::now();
        while sealer.round().await? != Sealed::Nothing {}
        took += began.elapsed();
    }
    told("an entry sealed on SQLite, alone", single, took);
    let began = Instant::now();
    for _ in 0..1_000 {
        sealer.round().await?;
    }
    told("a look that finds nothing", 1_000, began.elapsed());
    Ok(())
}
