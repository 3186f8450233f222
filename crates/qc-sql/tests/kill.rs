//! `kill -9` at any moment: what was answered is there afterwards.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    io::{BufRead, BufReader, Read, Write as _},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use qc_sql::sqlite::{SqliteOptions, SqliteStore};
use qc_store::{AcceptOutcome, CommitLimits, Committer, Store, conformance::Fixture};

const DATABASE: &str = "QC_KILL_DATABASE";
const ROUND: &str = "QC_KILL_ROUND";
/// Runs of one round; rounds never share a run.
const ROUND_RUNS: u128 = 1 << 40;

/// Not a test by itself (it returns at once without its variables): the process that is killed. Prints the number of every accepted run after
/// its answer, for ever.
#[test]
fn accepts_for_ever() {
    let (Some(path), Some(round)) = (std::env::var_os(DATABASE), std::env::var_os(ROUND)) else {
        return;
    };
    let round: u128 = round.to_str().unwrap().parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async move {
        // A small log, so that kills meet checkpoints too.
        let options = SqliteOptions { wal_bytes_max: 1 << 20, ..SqliteOptions::default() };
        let store = Arc::new(SqliteStore::open(path, options).unwrap());
        let (committer, commit_loop) = Committer::new(store, CommitLimits::default());
        tokio::spawn(commit_loop);
        let callers: Vec<_> = (0..16u128)
            .map(|caller| {
                let committer = committer.clone();
                tokio::spawn(async move {
                    for turn in 0.. {
                        let n = round * ROUND_RUNS + turn * 16 + caller;
                        let accept = Fixture::keyed(n, &n.to_string(), 1);
                        let outcome = committer.accept(accept).await.unwrap();
                        assert_eq!(outcome, AcceptOutcome::Accepted);
                        let mut out = std::io::stdout().lock();
                        writeln!(out, "\naccepted {n}").unwrap();
                        out.flush().unwrap();
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.await.unwrap();
        }
    });
}

/// Lets a process accept `lines` runs, kills it, and returns all that it had answered.
fn accept_and_kill(path: &Path, round: u128, lines: usize) -> Vec<u128> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "accepts_for_ever", "--nocapture"])
        .env(DATABASE, path)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    let mut seen = 0;
    while seen < lines {
        let from = text.len();
        assert_ne!(out.read_line(&mut text).unwrap(), 0, "the process ended by itself");
        seen += usize::from(text[from..].starts_with("accepted "));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What it had still written into the pipe counts as answered too; the last line may be torn.
    out.read_to_string(&mut text).unwrap();
    let whole = text.rfind('\n').unwrap_or(0);
    text[..whole].lines().filter_map(|line| line.strip_prefix("accepted ")?.parse().ok()).collect()
}

#[test]
fn what_was_answered_survives_kill() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("qc.db");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut answered = Vec::new();
    for (round, lines) in [1usize, 40, 300, 1000, 3000].into_iter().enumerate() {
        answered.extend(accept_and_kill(&path, round as u128, lines));
        let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
        runtime.block_on(async {
            for n in &answered {
                let run = Fixture::run(*n);
                let head = store.run(run).await.unwrap();
                assert!(head.is_some(), "run {n} was answered in round {round} and is gone");
                assert!(store.event(run).await.unwrap().is_some());
                assert_eq!(store.journal(run).await.unwrap().len(), 1);
                let key = n.to_string();
                let owner = store.key_owner("acme/production/case-opened", &key);
                assert_eq!(owner.await.unwrap(), Some(run));
            }
        });
    }
    assert!(answered.len() >= 4341);
}
