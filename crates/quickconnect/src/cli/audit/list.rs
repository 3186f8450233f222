use qc_server::wire::{AuditCheckpoint, AuditEntries, AuditEntry};
use serde_json::{Value, json};

use crate::cli::{Exit, Trouble, files::query, output::table, session::Session};

/// So many entries are shown when nothing is said.
const USUAL: u64 = 50;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The number of the first one, from 0
    #[arg(long)]
    from: Option<u64>,
    /// At most so many
    #[arg(long)]
    limit: Option<u64>,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let client = session.client()?;
    let limit = arguments.limit.unwrap_or(USUAL);
    let from = if let Some(from) = arguments.from {
        from
    } else {
        let newest: AuditCheckpoint = client.get("/api/v1/audit/checkpoint").await?;
        newest.size.saturating_sub(limit)
    };
    let mut items: Vec<AuditEntry> = Vec::new();
    let mut next = Some(from);
    while let Some(at) = next
        && (items.len() as u64) < limit
    {
        let (at, left) = (at.to_string(), limit - items.len() as u64);
        let left = left.min(500).to_string();
        let filter = query(&[("from", Some(at.as_str())), ("limit", Some(left.as_str()))]);
        let page: AuditEntries = client.get(&format!("/api/v1/audit/entries{filter}")).await?;
        next = page.next;
        items.extend(page.items);
    }
    let entries: Vec<Value> = items.iter().map(entry).collect();
    let mut value = json!({ "schema_version": 1, "items": entries });
    if let Some(next) = next {
        value["next"] = json!(next.to_string());
    }
    session.output.result(&value, || shown(&entries));
    if next.is_some() {
        session.output.say("there is more: `--from` goes on, `--limit` shows more at once");
    }
    Ok(Exit::Ok)
}

/// An entry with its number; of one whose row is gone there is only the hash.
fn entry(one: &AuditEntry) -> Value {
    let leaf = one.leaf.as_deref().and_then(|leaf| serde_json::from_str(leaf).ok());
    json!({ "index": one.index, "hash": one.hash, "entry": leaf.unwrap_or(Value::Null) })
}

fn shown(entries: &[Value]) -> String {
    let columns =
        ["NUMBER", "AT", "ACTOR", "SUBJECT", "OUTCOME", "ENVIRONMENT", "TOKEN", "REQUEST"];
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|one| {
            let entry = &one["entry"];
            let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
            let subject = match (entry.is_null(), entry.get("gap")) {
                (true, _) => "(not there any more)".to_owned(),
                (_, Some(gap)) => format!("(rows are missing: {gap})"),
                _ => text(&entry["subject"]),
            };
            let via = &entry["facts"]["via"];
            vec![
                one["index"].to_string(),
                text(&entry["at"]),
                text(&entry["actor"]),
                subject,
                text(&entry["outcome"]),
                text(&entry["environment"]),
                text(&via["token"]),
                text(&via["request"]),
            ]
        })
        .collect();
    table(&columns, &rows)
}
