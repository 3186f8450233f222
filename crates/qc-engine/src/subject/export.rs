use qc_capture::ENTRY_KIND;
use qc_store::{LedgerFilter, StoreError};
use serde_json::{Value, json};

use super::Subject;
use crate::{Engine, EngineError};

/// How many runs an archive has at most: beyond them the subject is no person.
const RUNS_MAX: usize = 1_000;

/// Everything that is stored of a subject.
#[derive(Debug, Clone, PartialEq)]
pub struct SubjectArchive {
    /// Its runs, each with event, journal, ledger and keys.
    pub runs: Vec<Value>,
    /// Its events on buses and in outboxes.
    pub events: Vec<Value>,
    /// What is kept and asked of it.
    pub documents: Vec<Value>,
    /// Whether there are more runs than an archive takes.
    pub truncated: bool,
}

impl Engine {
    /// Gathers everything that is stored of a subject.
    pub async fn export_subject(&self, subject: &Subject) -> Result<SubjectArchive, EngineError> {
        let found = self.find_subject(subject).await?;
        let truncated = found.runs.len() > RUNS_MAX;
        let mut runs = Vec::new();
        for run in found.runs.keys().take(RUNS_MAX) {
            runs.push(self.run_of_archive(*run).await?);
        }
        let events = found.signals.iter().map(|entry| {
            let signal = &entry.signal;
            let body = json_of(&signal.body);
            json!({"seq": entry.seq, "type": signal.kind, "at": signal.at.to_string(), "body": body})
        });
        let documents = found.documents.iter().map(|(kind, document)| {
            let mut body = json_of(&document.body);
            if *kind == ENTRY_KIND
                && let Some(fields) = body.as_object_mut()
            {
                // Named and not handed out: it is sealed, and gone within a day.
                fields.remove("sealed");
            }
            json!({"kind": kind, "name": document.name, "body": body})
        });
        let (events, documents) = (events.collect(), documents.collect());
        Ok(SubjectArchive { runs, events, documents, truncated })
    }

    async fn run_of_archive(&self, run: qc_model::RunId) -> Result<Value, EngineError> {
        let view = self.inspect(run).await?;
        let store = &self.shared.store;
        let event = store.event(run).await?;
        let facts = &view.head.facts;
        let rows = self.rows_of(run).await?;
        Ok(json!({
            "run": run,
            "integration": facts.integration,
            "trigger": facts.trigger,
            "accepted_at": facts.accepted_at.to_string(),
            "status": view.head.state.status.as_str(),
            "event": event.map(|event| json_of(&event.body)),
            "journal": view.journal,
            "ledger": rows,
        }))
    }

    async fn rows_of(&self, run: qc_model::RunId) -> Result<Vec<Value>, StoreError> {
        let mut filter = LedgerFilter { run: Some(run), ..LedgerFilter::default() };
        let mut rows = Vec::new();
        loop {
            let page = self.shared.store.ledger(&filter).await?;
            let Some(last) = page.last() else { return Ok(rows) };
            filter.after = last.seq;
            rows.extend(page.iter().map(|entry| {
                let row = &entry.row;
                json!({
                    "at": row.at.to_string(), "kind": row.kind.as_str(), "subject": row.subject,
                    "outcome": row.outcome, "facts": json_of(&row.facts),
                })
            }));
        }
    }
}

fn json_of(body: &[u8]) -> Value {
    serde_json::from_slice(body)
        .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(body).into_owned()))
}
