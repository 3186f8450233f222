//! Removing what is past its time: all the while, in small steps, by one node for all.

use std::{sync::Arc, time::Duration};

use qc_engine::{Engine, KeptPruning};
use qc_model::{Clock, Entropy, Name, Timestamp, TxnId};
use qc_store::{Change, Committer, LedgerKind, LedgerRow, Pruned, Retention, Store};
use serde_json::json;
use tokio::time::sleep;

use crate::wiring::Platform;

/// How long it rests when nothing more is past its time,
const REST: Duration = Duration::from_secs(60);
/// and while there is more: the commits have the disk meanwhile.
const BREATH: Duration = Duration::from_secs(1);
/// How many rows of a kind one pass takes at most.
const ROWS: usize = 2_000;
/// How often the ledger is told what was removed.
const TELL: Duration = Duration::from_secs(3_600);
/// The chore's name: one node does it.
const CHORE: &str = "retention";

/// How long things are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Keeping {
    /// Completed and cancelled runs.
    pub(crate) completed: Duration,
    /// Failed runs whose dead letter is settled.
    pub(crate) failed: Duration,
    /// Ledger rows but those of the audit.
    pub(crate) ledger: Duration,
    /// Ledger rows of the audit.
    pub(crate) audit: Duration,
}

impl Keeping {
    /// What is past its time at a moment. Keys and signals say themselves until when they are kept.
    fn at(&self, now: Timestamp) -> Retention {
        Retention {
            keys_now: now,
            signals_now: now,
            completed_since: now - self.completed,
            failed_since: now - self.failed,
            ledger_since: now - self.ledger,
            audit_since: now - self.audit,
        }
    }
}

/// What the chore works with.
pub(crate) struct Parts {
    pub(crate) engine: Engine,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) committer: Committer,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
}

impl Parts {
    /// Those of a server.
    pub(crate) fn of(platform: &Platform) -> Self {
        Self {
            engine: platform.engine.clone(),
            store: Arc::clone(&platform.store),
            committer: platform.committer.clone(),
            clock: Arc::clone(&platform.clock),
            entropy: Arc::clone(&platform.entropy),
        }
    }
}

/// Removes, for ever.
pub(crate) async fn keep(parts: Parts, keeping: Keeping) {
    let mut chains = None;
    let mut tasks = None;
    let mut kept = KeptPruning::default();
    let mut told = Told { since: parts.clock.now(), gone: Pruned::default() };
    let mut pause = REST;
    loop {
        sleep(pause).await;
        pause = REST;
        if !parts.engine.does(CHORE) {
            continue;
        }
        let now = parts.clock.now();
        match parts.store.prune(&keeping.at(now), ROWS).await {
            Ok(gone) => {
                if is_more(&gone) {
                    pause = BREATH;
                }
                told.add(&gone);
            }
            Err(error) => tracing::warn!(%error, "what is past its time cannot be removed now"),
        }
        told.tell(&parts, now).await;
        match parts.engine.tidy_chains(chains.as_deref()).await {
            Ok(next) => chains = next,
            Err(error) => tracing::warn!(%error, "chains that are past their time stay for now"),
        }
        match parts.engine.tidy_tasks(tasks.as_deref()).await {
            Ok(next) => tasks = next,
            Err(error) => tracing::warn!(%error, "tasks that are past their time stay for now"),
        }
        if let Err(error) = parts.engine.prune_kept(&mut kept).await {
            tracing::warn!(%error, "values and marks that are past their time stay for now");
        }
    }
}

/// Whether a pass took as much as it may of anything: there is more.
fn is_more(gone: &Pruned) -> bool {
    [gone.keys, gone.signals, gone.runs, gone.ledger].iter().any(|rows| *rows >= ROWS)
}

/// What was removed and is not yet in the ledger.
struct Told {
    since: Timestamp,
    gone: Pruned,
}

impl Told {
    fn add(&mut self, gone: &Pruned) {
        self.gone.keys += gone.keys;
        self.gone.signals += gone.signals;
        self.gone.runs += gone.runs;
        self.gone.ledger += gone.ledger;
        if gone.total() > 0 {
            tracing::debug!(
                runs = gone.runs,
                ledger = gone.ledger,
                keys = gone.keys,
                signals = gone.signals,
                "removed what was past its time"
            );
        }
    }

    /// Runs and ledger rows that were removed are a matter of the audit; expired keys and signals are not.
    async fn tell(&mut self, parts: &Parts, now: Timestamp) {
        if now < self.since + TELL {
            return;
        }
        if self.gone.runs + self.gone.ledger > 0 {
            let Ok(tenant) = Name::new("platform") else { return };
            let Pruned { keys, signals, runs, ledger } = self.gone;
            let facts = json!({
                "since": self.since.to_string(),
                "runs": runs,
                "ledger_rows": ledger,
                "keys": keys,
                "signals": signals,
            });
            let row = LedgerRow {
                at: now,
                kind: LedgerKind::Audit,
                tenant,
                environment: None,
                integration: None,
                run: None,
                event: None,
                actor: "service:retention".to_owned(),
                subject: CHORE.to_owned(),
                outcome: "removed".to_owned(),
                code: None,
                facts: facts.to_string().into(),
            };
            let id = TxnId::new(now, &*parts.entropy);
            let change = Change { id, documents: vec![], ledger: vec![row], signals: vec![] };
            if let Err(error) = parts.committer.change(change).await {
                tracing::warn!(%error, "what was removed is not in the ledger yet");
                return;
            }
        }
        *self = Self { since: now, gone: Pruned::default() };
    }
}

#[cfg(test)]
mod tests {
    use qc_store::LedgerFilter;
    use qc_vault::Secrets;
    use tokio::time::Instant;

    use super::*;
    use crate::{
        config::{Config, Said},
        wiring::Credentials,
    };

    /// Goes as the test's time does.
    struct Virtual(Timestamp, Instant);

    impl Clock for Virtual {
        fn now(&self) -> Timestamp {
            self.0 + self.1.elapsed()
        }
    }

    fn row(at: Timestamp, kind: LedgerKind, outcome: &str) -> LedgerRow {
        LedgerRow {
            at,
            kind,
            tenant: Name::new("t").unwrap(),
            environment: None,
            integration: None,
            run: None,
            event: None,
            actor: "a".to_owned(),
            subject: "s".to_owned(),
            outcome: outcome.to_owned(),
            code: None,
            facts: "{}".into(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_past_its_time_goes_and_the_audit_says_so() {
        let flags = [("store".to_owned(), "memory".to_owned())].into();
        let said = Said { flags, file: Some("/dev/null".into()), ..Said::default() };
        let config = Config::new(&said).unwrap();
        let platform = Platform::wire(&config, Credentials::only(Secrets::none())).await.unwrap();
        let (running, store) = (platform.engine.clone(), Arc::clone(&platform.store));
        let engine = tokio::spawn(async move { Box::pin(running.run()).await });
        let now = platform.clock.now();
        let clock: Arc<dyn Clock> = Arc::new(Virtual(now, Instant::now()));
        let ago = |days: u64| now - Duration::from_secs(days * 86_400);
        let mut ledger = vec![
            row(ago(29), LedgerKind::Call, "young call"),
            row(ago(100), LedgerKind::Audit, "young audit"),
            row(ago(401), LedgerKind::Audit, "old audit"),
        ];
        // More than one pass takes: the next ones follow soon.
        let many = 2 * ROWS + 1;
        ledger.extend((0..many).map(|_| row(ago(31), LedgerKind::Call, "old call")));
        let id = TxnId::new(now, &*platform.entropy);
        let change = Change { id, documents: vec![], ledger, signals: vec![] };
        platform.committer.change(change).await.unwrap();
        let parts = Parts { clock, ..Parts::of(&platform) };
        let chore = tokio::spawn(keep(parts, config.retention));
        let outcomes = async || -> Vec<String> {
            let rows = store.ledger(&LedgerFilter::default()).await.unwrap();
            rows.into_iter().map(|entry| entry.row.outcome).collect()
        };
        // Two rests: the node may not yet own the chore at the first one.
        sleep(REST * 2 + BREATH * 5).await;
        assert_eq!(outcomes().await, ["young call", "young audit"]);
        sleep(TELL).await;
        assert_eq!(outcomes().await, ["young call", "young audit", "removed"]);
        let rows = store.ledger(&LedgerFilter::default()).await.unwrap();
        let facts: serde_json::Value = serde_json::from_slice(&rows[2].row.facts).unwrap();
        assert_eq!(facts["ledger_rows"], json!(many + 1), "{facts}");
        chore.abort();
        engine.abort();
    }

    #[test]
    fn each_class_has_its_own_time() {
        let days = |days: u64| Duration::from_secs(days * 86_400);
        let keeping =
            Keeping { completed: days(1), failed: days(2), ledger: days(3), audit: days(4) };
        let now = Timestamp::from_millis(1_795_358_400_000);
        let ago = |days: i64| Timestamp::from_millis(1_795_358_400_000 - days * 86_400_000);
        let expected = Retention {
            keys_now: now,
            signals_now: now,
            completed_since: ago(1),
            failed_since: ago(2),
            ledger_since: ago(3),
            audit_since: ago(4),
        };
        assert_eq!(keeping.at(now), expected);
    }

    #[test]
    fn a_full_pass_is_followed_soon() {
        assert!(!is_more(&Pruned { runs: ROWS - 1, ledger: ROWS - 1, ..Pruned::default() }));
        assert!(is_more(&Pruned { ledger: ROWS, ..Pruned::default() }));
    }
}
