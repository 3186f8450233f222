//! What a write costs: accepts and steps per second at several batch sizes, with an fsync for
//! every batch, and the processor time per operation (Linux).
//!
//! `cargo run --release -p qc-sql --example write_cost [directory] [seconds for each line]`

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use qc_sql::sqlite::{SqliteOptions, SqliteStore};
use qc_store::{
    AcceptOutcome, CommitLimits, Committer, Lease, LedgerKind, Op, Store, TxnOutcome, Write,
    WriteOutcome, conformance::Fixture,
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let directory = match arguments.next() {
        Some(path) => tempfile::tempdir_in(path)?,
        None => tempfile::tempdir()?,
    };
    let seconds = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let time = Duration::from_secs(seconds);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    println!("{:<28} {:>10} {:>10} {:>10} {:>12}", "", "ops/s", "us/op", "cpu us/op", "commits/s");
    for batch in [1, 10, 100, 500] {
        let path = directory.path().join(format!("{batch}.db"));
        let store = SqliteStore::open(path, SqliteOptions::default())?;
        runtime.block_on(direct(&store, batch, time))?;
    }
    for callers in [1, 8, 32, 128, 512] {
        let path = directory.path().join(format!("callers-{callers}.db"));
        let store = Arc::new(SqliteStore::open(path, SqliteOptions::default())?);
        runtime.block_on(closed_loops(store, callers, time))?;
    }
    Ok(())
}

/// Accepts, then steps of the accepted runs, in batches of one size.
async fn direct(store: &SqliteStore, batch: usize, time: Duration) -> Result<(), Failure> {
    let lease = store
        .lease(0..1024, "bench", Duration::from_secs(3600))
        .await?
        .ok_or("the database is fresh, yet its lease is taken")?;
    let mut accepted: u128 = 0;
    let meter = Meter::start();
    while meter.started.elapsed() < time {
        let writes = (0..batch as u128).map(|n| accept(accepted + n)).collect();
        for outcome in store.write(writes).await? {
            if outcome != WriteOutcome::Accept(AcceptOutcome::Accepted) {
                return Err(format!("{outcome:?}").into());
            }
        }
        accepted += batch as u128;
    }
    meter.report(&format!("accept, batch {batch}"), accepted, accepted / batch as u128);

    let (mut stepped, mut version, mut run) = (0u128, 1u64, 0u128);
    let meter = Meter::start();
    while meter.started.elapsed() < time {
        let mut writes = Vec::with_capacity(batch);
        while writes.len() < batch {
            if run == accepted {
                (run, version) = (0, version + 1);
            }
            writes.push(step(&lease, run, version));
            run += 1;
        }
        for outcome in store.write(writes).await? {
            if !matches!(outcome, WriteOutcome::Commit(TxnOutcome::Committed { .. })) {
                return Err(format!("{outcome:?}").into());
            }
        }
        stepped += batch as u128;
    }
    meter.report(&format!("step, batch {batch}"), stepped, stepped / batch as u128);
    Ok(())
}

/// Callers who each wait for their answer before they send the next accept.
async fn closed_loops(
    store: Arc<SqliteStore>,
    callers: u128,
    time: Duration,
) -> Result<(), Failure> {
    let (committer, commit_loop) = Committer::new(store, CommitLimits::default());
    let commit_loop = tokio::spawn(commit_loop);
    let meter = Meter::start();
    let end = meter.started + time;
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let committer = committer.clone();
            tokio::spawn(async move {
                let mut waits = Vec::new();
                while Instant::now() < end {
                    let sent = Instant::now();
                    committer.write(accept((caller << 32) + waits.len() as u128)).await?;
                    waits.push(sent.elapsed());
                }
                Ok::<_, qc_store::StoreError>(waits)
            })
        })
        .collect();
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(task.await??);
    }
    drop(committer);
    commit_loop.await?;
    waits.sort_unstable();
    meter.report(&format!("accept, {callers} closed loops"), waits.len() as u128, 0);
    let at = |percent: usize| waits.get(waits.len() * percent / 100).copied().unwrap_or_default();
    println!("{:<28} p50 {:?}, p99 {:?}", "", at(50), at(99));
    Ok(())
}

/// An accept as the platform writes it: a random key, an event of 300 bytes, one journal entry,
/// one ledger row.
fn accept(n: u128) -> Write {
    let mut accept = Fixture::keyed(n, &scrambled(n), 1);
    accept.event.body = vec![b'x'; 300].into();
    Write::Accept(Box::new(accept))
}

/// A step as the platform writes it: one journal entry of 200 bytes and one ledger row.
fn step(lease: &Lease, n: u128, version: u64) -> Write {
    let mut entry = Fixture::entry("");
    entry.body = vec![b'y'; 200].into();
    let ops = vec![Op::Journal(entry), Op::Ledger(Fixture::row(n, LedgerKind::Call, "ok"))];
    Write::Commit { lease: lease.clone(), txn: Box::new(Fixture::step(n, version, ops)) }
}

/// Keys of senders come in no order.
fn scrambled(n: u128) -> String {
    format!("{:032x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

struct Meter {
    started: Instant,
    processor: Option<Duration>,
}

impl Meter {
    fn start() -> Self {
        Self { started: Instant::now(), processor: processor_time() }
    }

    #[allow(clippy::cast_precision_loss, reason = "rates are shown rounded")]
    fn report(&self, what: &str, operations: u128, commits: u128) {
        let (elapsed, done) = (self.started.elapsed(), operations.max(1) as f64);
        let rate = done / elapsed.as_secs_f64();
        let each = elapsed.as_secs_f64() * 1e6 / done;
        let spent =
            processor_time().zip(self.processor).map(|(now, before)| now.saturating_sub(before));
        let processor = spent
            .map_or_else(|| "?".to_owned(), |t| format!("{:.1}", t.as_secs_f64() * 1e6 / done));
        let commits = commits as f64 / elapsed.as_secs_f64();
        println!("{what:<28} {rate:>10.0} {each:>10.1} {processor:>10} {commits:>12.0}");
    }
}

/// User and system time of this process, in ticks of 10 ms.
fn processor_time() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 10))
}
