//! What the audit is told of requests: grants before anything is done, refusals in bounded numbers. What a change does
//! is told by the change itself, in its own transaction.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use qc_access::Decided;
use qc_model::{Actor, Name, TenantName, Timestamp, TxnId};
use qc_store::{Change, LedgerKind, LedgerRow, StoreError};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{Problem, State};

/// Refusals of one kind by one token within this time are one or two rows: the first, and how many followed.
const WINDOW: Duration = Duration::from_secs(60);
/// So many kinds of refusals of one token are told apart within that time, and
const KINDS_OF_TOKEN: usize = 8;
/// so many of all together; further ones are counted without their particulars.
const KINDS: usize = 64;
/// The subject of what is counted without its particulars.
const OTHERS: &str = "others";

/// A row of the audit about a request.
pub(crate) struct Told<'a> {
    pub(crate) actor: &'a Actor,
    /// The operation.
    pub(crate) subject: &'a str,
    pub(crate) outcome: &'static str,
    pub(crate) environment: Option<&'a str>,
    pub(crate) integration: Option<&'a str>,
    pub(crate) code: Option<String>,
    pub(crate) facts: Value,
}

impl Told<'_> {
    /// The row. Names that are none are left out: whoever is refused may have sent anything.
    fn row(self, at: Timestamp) -> LedgerRow {
        let name = |text: Option<&str>| text.and_then(|text| Name::new(text).ok());
        LedgerRow {
            at,
            kind: LedgerKind::Audit,
            tenant: TenantName::new("platform").expect("is a legal name"),
            environment: name(self.environment),
            integration: name(self.integration),
            run: None,
            event: None,
            actor: self.actor.text(),
            subject: self.subject.to_owned(),
            outcome: self.outcome.to_owned(),
            code: self.code,
            facts: Bytes::from(self.actor.with_origin(self.facts).to_string()),
        }
    }
}

/// Adds what was asked and by which policies it was decided, so that it can be decided again.
pub(crate) fn decided_by(facts: &mut Value, decided: &Decided) {
    facts["question"] = json!(decided.question);
    facts["policies"] = json!(decided.verdict.policies);
}

impl State {
    /// Writes that an operation was allowed. Nothing is done before it is on disk, and nothing when it cannot be.
    pub(crate) async fn tell_grant(&self, told: Told<'_>) -> Result<(), StoreError> {
        self.write_audit(vec![told.row(self.clock.now())]).await
    }

    /// Writes that an operation was denied, or failed after its caller was known; many alike are counted.
    pub(crate) async fn tell_refusal(&self, actor: &Actor, subject: &str, problem: &Problem) {
        let now = self.clock.now();
        let code = Some(problem.code.to_string());
        let told = match &problem.denied {
            Some(denied) => {
                let question = denied.decided.as_ref().map(|decided| &decided.question);
                let mut facts = json!({"reason": denied.denial.reason(), "count": 1});
                if let Some(decided) = &denied.decided {
                    decided_by(&mut facts, decided);
                }
                Told {
                    actor: &denied.actor,
                    subject,
                    outcome: "denied",
                    environment: question.and_then(|question| question.environment.as_deref()),
                    integration: question.and_then(|question| question.name.as_deref()),
                    code,
                    facts,
                }
            }
            None => Told {
                actor,
                subject,
                outcome: "failed",
                environment: None,
                integration: None,
                code,
                facts: json!({"count": 1}),
            },
        };
        let token = told.actor.via.as_ref().map_or_else(String::new, |via| via.token.clone());
        let rows = self.refusals.note(token, told.row(now), now);
        self.write_refusals(rows).await;
    }

    /// Writes the counts of refusals whose time is over, for ever.
    pub async fn keep_refusals(self: Arc<Self>) {
        loop {
            sleep(WINDOW).await;
            let rows = self.refusals.settled(self.clock.now());
            self.write_refusals(rows).await;
        }
    }

    /// Writes the counts of all refusals: before the server ends.
    pub async fn settle_refusals(&self) {
        let rows = self.refusals.settled(self.clock.now() + WINDOW);
        self.write_refusals(rows).await;
    }

    /// What is refused stays refused when this cannot be written; the log says so.
    async fn write_refusals(&self, rows: Vec<LedgerRow>) {
        if rows.is_empty() {
            return;
        }
        if let Err(error) = self.write_audit(rows).await {
            tracing::error!(%error, "a refusal is not in the audit");
        }
    }

    async fn write_audit(&self, rows: Vec<LedgerRow>) -> Result<(), StoreError> {
        let id = TxnId::new(self.clock.now(), &*self.entropy);
        let change = Change { id, documents: Vec::new(), ledger: rows, signals: Vec::new() };
        self.committer.change(change).await.map(drop)
    }
}

/// Refusals of late. Kept in memory: the counts of the last minute end with a process that is killed.
#[derive(Default)]
pub(crate) struct Refusals(Mutex<BTreeMap<Kind, Seen>>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    token: String,
    subject: String,
    outcome: String,
    code: Option<String>,
    environment: Option<Name>,
}

struct Seen {
    /// When the first was written.
    since: Timestamp,
    last: Timestamp,
    /// How many came since and are not written.
    held: u64,
    /// The first.
    row: LedgerRow,
}

impl Seen {
    fn is_over(&self, now: Timestamp) -> bool {
        now >= self.since + WINDOW || now < self.since
    }

    /// The row of those that are held back.
    fn count(self) -> Option<LedgerRow> {
        if self.held == 0 {
            return None;
        }
        let mut facts: Value = serde_json::from_slice(&self.row.facts).unwrap_or_default();
        if let Some(facts) = facts.as_object_mut() {
            facts.insert("count".to_owned(), json!(self.held));
            facts.insert("since".to_owned(), json!(self.since.to_string()));
        }
        let facts = Bytes::from(facts.to_string());
        Some(LedgerRow { at: self.last, facts, ..self.row })
    }
}

impl Refusals {
    /// Takes a refusal; gives what is to be written now.
    fn note(&self, token: String, mut row: LedgerRow, now: Timestamp) -> Vec<LedgerRow> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kind = Kind {
            token,
            subject: row.subject.clone(),
            outcome: row.outcome.clone(),
            code: row.code.clone(),
            environment: row.environment.clone(),
        };
        if !seen.contains_key(&kind) {
            let of_token = seen.keys().filter(|other| other.token == kind.token).count();
            if seen.len() >= KINDS || of_token >= KINDS_OF_TOKEN {
                OTHERS.clone_into(&mut row.subject);
                (row.environment, row.integration) = (None, None);
                if seen.len() >= KINDS {
                    OTHERS.clone_into(&mut row.actor);
                    row.facts = Bytes::from_static(br#"{"count":1}"#);
                    kind.token = String::new();
                }
                let (subject, outcome) = (OTHERS.to_owned(), String::new());
                kind = Kind { subject, outcome, code: None, environment: None, ..kind };
            }
        }
        if let Some(known) = seen.get_mut(&kind)
            && !known.is_over(now)
        {
            known.held += 1;
            known.last = now;
            return Vec::new();
        }
        let fresh = Seen { since: now, last: now, held: 0, row: row.clone() };
        let mut rows: Vec<LedgerRow> =
            seen.insert(kind, fresh).and_then(Seen::count).into_iter().collect();
        rows.push(row);
        rows
    }

    /// The counts of those whose time is over.
    fn settled(&self, now: Timestamp) -> Vec<LedgerRow> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (over, kept) =
            std::mem::take(&mut *seen).into_iter().partition(|(_, one)| one.is_over(now));
        *seen = kept;
        let over: BTreeMap<Kind, Seen> = over;
        over.into_values().filter_map(Seen::count).collect()
    }
}

#[cfg(test)]
mod tests {
    use qc_model::ActorKind;

    use super::*;

    fn denied(subject: &str, token: &str, at: Timestamp) -> LedgerRow {
        Told {
            actor: &Actor::new(ActorKind::Service, token),
            subject,
            outcome: "denied",
            environment: Some("production"),
            integration: Some("No Name!"),
            code: Some("QC-A005".into()),
            facts: json!({"count": 1}),
        }
        .row(at)
    }

    fn counts(rows: &[LedgerRow]) -> u64 {
        let of = |row: &LedgerRow| {
            serde_json::from_slice::<Value>(&row.facts).unwrap()["count"].as_u64().unwrap()
        };
        rows.iter().map(of).sum()
    }

    #[test]
    fn a_flood_of_refusals_is_counted_and_takes_few_rows() {
        let refusals = Refusals::default();
        let start = Timestamp::from_millis(1_000_000);
        let mut rows = Vec::new();
        let mut sent = 0;
        for second in 0..600u64 {
            let now = start + Duration::from_secs(second);
            for token in 0..40 {
                for subject in 0..30 {
                    let token = format!("k{token}");
                    let row = denied(&format!("operation{subject}"), &token, now);
                    rows.extend(refusals.note(token, row, now));
                    sent += 1;
                }
            }
        }
        rows.extend(refusals.settled(start + Duration::from_secs(3_600)));
        assert_eq!(counts(&rows), sent, "none is lost");
        // At most two rows for each kind and minute.
        assert!(rows.len() <= 2 * (KINDS + 1) * 11, "{} rows", rows.len());
        assert!(rows.iter().all(|row| row.integration.is_none()), "what is no name is left out");
        assert!(refusals.settled(start + Duration::from_secs(7_200)).is_empty());
    }

    #[test]
    fn a_single_refusal_is_told_at_once_and_a_later_one_again() {
        let refusals = Refusals::default();
        let start = Timestamp::from_millis(1_000_000);
        let note = |seconds| {
            let now = start + Duration::from_secs(seconds);
            refusals.note("k".into(), denied("deploy", "k", now), now).len()
        };
        assert_eq!((note(0), note(1), note(2)), (1, 0, 0));
        assert_eq!(note(61), 2, "the count of those before, and itself");
        assert_eq!(note(200), 1);
    }
}
