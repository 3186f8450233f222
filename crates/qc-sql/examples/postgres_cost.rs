//! What a write costs on PostgreSQL: accepts and steps per second at several numbers of clients,
//! each waiting for its answer, and with several nodes on one database.
//!
//! `cargo run --release -p qc-sql --example postgres_cost [URL] [seconds for each line]`
//!
//! Without a URL it starts a server of its own in the temporary folder. It leaves its runs behind.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use qc_pgserver::Server;
use qc_sql::postgres::{Dsn, PostgresOptions, PostgresStore};
use qc_store::{
    AcceptOutcome, CommitLimits, Committer, Lease, LedgerKind, Op, Store, TxnOutcome, Write,
    WriteOutcome, conformance::Fixture,
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let given = arguments.next().filter(|url| Dsn::is_meant(url));
    let seconds = arguments.next().map_or(Ok(4), |text| text.parse())?;
    let time = Duration::from_secs(seconds);
    let own = if given.is_some() { None } else { qc_pgserver::own(&[]) };
    let Some(url) = given.or_else(|| own.as_ref().map(|server| server.url(&server.database())))
    else {
        return Err("give a URL, or install PostgreSQL".into());
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    println!("{:<34} {:>10} {:>12} {:>12}", "", "ops/s", "p50", "p99");
    let mut from = first_run(&runtime, &url)?;
    for (nodes, clients) in [(1, 1), (1, 8), (1, 32), (1, 128), (1, 512), (2, 128), (4, 128)] {
        from += 1 << 40;
        runtime.block_on(measure(&url, nodes, clients, time, from))?;
    }
    drop::<Option<Server>>(own);
    Ok(())
}

/// A number beyond every run that an earlier measurement left there.
fn first_run(runtime: &tokio::runtime::Runtime, url: &str) -> Result<u128, Failure> {
    runtime.block_on(async {
        let store = open(url).await?;
        let newest = store.runs(&qc_store::RunFilter { limit: 1, ..Default::default() }).await?;
        let low = |head: &qc_store::RunHead| head.facts.id.bits() & ((1 << 80) - 1);
        Ok((newest.first().map_or(0, low) >> 40) << 40)
    })
}

async fn open(url: &str) -> Result<PostgresStore, Failure> {
    Ok(PostgresStore::open(&Dsn::parse(url)?, &PostgresOptions::default()).await?)
}

/// One node: a store with its committer, and the lease of its range.
struct Node {
    committer: Committer,
    lease: Lease,
    first: u128,
    width: u128,
}

/// Clients in closed loops, spread over the nodes: accepts, then steps of what they accepted.
async fn measure(
    url: &str,
    nodes: u16,
    clients: u128,
    time: Duration,
    from: u128,
) -> Result<(), Failure> {
    let mut all = Vec::new();
    let mut loops = Vec::new();
    for no in 0..nodes {
        let store: Arc<dyn Store> = Arc::new(open(url).await?);
        let width = 1024 / nodes;
        let lease = store
            .lease(no * width..(no + 1) * width, &format!("bench-{no}"), Duration::ZERO)
            .await?
            .ok_or("another node holds the lease")?;
        let (committer, commit_loop) = Committer::new(store, CommitLimits::default());
        loops.push(tokio::spawn(commit_loop));
        let (first, width) = (u128::from(no * width), u128::from(width));
        all.push(Arc::new(Node { committer, lease, first, width }));
    }
    let mut accepted = Vec::new();
    let mut began = Instant::now();
    for steps in [false, true] {
        let end = Instant::now() + time;
        let tasks: Vec<_> = (0..clients)
            .zip(all.iter().cycle())
            .map(|(client, node)| {
                let node = Arc::clone(node);
                let done = accepted.get(usize::try_from(client).unwrap_or(0)).copied();
                let from = from + (client << 24);
                tokio::spawn(async move { work(&node, from, done.filter(|_| steps), end).await })
            })
            .collect();
        let mut waits = Vec::new();
        accepted.clear();
        for task in tasks {
            let (done, own) = task.await??;
            accepted.push(done);
            waits.extend(own);
        }
        let what = if steps { "step" } else { "accept" };
        report(&format!("{what}, {nodes} node(s), {clients} clients"), &mut waits, began.elapsed());
        began = Instant::now();
    }
    drop(all);
    for commit_loop in loops {
        commit_loop.await?;
    }
    Ok(())
}

/// One client: accepts until the end, or goes round the runs that it accepted.
async fn work(
    node: &Node,
    from: u128,
    accepted: Option<u128>,
    end: Instant,
) -> Result<(u128, Vec<Duration>), Failure> {
    let mut waits = Vec::new();
    let mut done: u128 = 0;
    while Instant::now() < end {
        let sent = Instant::now();
        let write = match accepted {
            None => accept(node, from + done),
            Some(runs) => {
                let version = u64::try_from(done / runs.max(1))? + 1;
                step(node, from + done % runs.max(1), version)
            }
        };
        match node.committer.write(write).await? {
            WriteOutcome::Accept(AcceptOutcome::Accepted)
            | WriteOutcome::Commit(TxnOutcome::Committed { .. }) => {}
            other => return Err(format!("{other:?}").into()),
        }
        waits.push(sent.elapsed());
        done += 1;
    }
    Ok((done, waits))
}

/// An accept as the platform writes it: a random key, an event of 300 bytes, one journal entry, one
/// ledger row.
fn accept(node: &Node, n: u128) -> Write {
    let key = format!("{:032x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
    let mut accept = Fixture::keyed(n, &key, 1);
    accept.event.body = vec![b'x'; 300].into();
    accept.run.bucket = u16::try_from(node.first + n % node.width).unwrap_or_default();
    Write::Accept(Box::new(accept))
}

/// A step as the platform writes it: one journal entry of 200 bytes and one ledger row.
fn step(node: &Node, n: u128, version: u64) -> Write {
    let mut entry = Fixture::entry("");
    entry.body = vec![b'y'; 200].into();
    let ops = vec![Op::Journal(entry), Op::Ledger(Fixture::row(n, LedgerKind::Call, "ok"))];
    Write::Commit { lease: node.lease.clone(), txn: Box::new(Fixture::step(n, version, ops)) }
}

#[allow(clippy::cast_precision_loss, reason = "rates are shown rounded")]
fn report(what: &str, waits: &mut [Duration], time: Duration) {
    waits.sort_unstable();
    let at = |percent: usize| waits.get(waits.len() * percent / 100).copied().unwrap_or_default();
    let rate = waits.len() as f64 / time.as_secs_f64();
    let shown = |wait: Duration| format!("{:.2} ms", wait.as_secs_f64() * 1e3);
    println!("{what:<34} {rate:>10.0} {:>12} {:>12}", shown(at(50)), shown(at(99)));
}
