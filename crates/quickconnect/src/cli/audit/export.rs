use std::{
    fs::OpenOptions,
    io::{BufWriter, Write},
    path::PathBuf,
};

use qc_audit::{Checkpoint, ExportHead, Hash, hidden_line};
use qc_model::Finding;
use qc_server::wire::{AuditCheckpoint, AuditEntries};
use serde_json::json;

use crate::{
    cli::{Exit, Trouble, client::Client, session::Session},
    codes,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The file to write; it must not be there
    file: PathBuf,
    /// The number of the first entry in the file
    #[arg(long, default_value_t = 0)]
    from: u64,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let client = session.client()?;
    let newest: AuditCheckpoint = client.get("/api/v1/audit/checkpoint").await?;
    let signed = Checkpoint::unverified(&newest.checkpoint).map_err(|_| odd())?;
    if arguments.from > signed.size {
        let message = format!("the log has {} entries", signed.size);
        return Err(Trouble::usage(codes::NOTHING_CHOSEN, message, "name a smaller --from"));
    }
    let path = &arguments.file;
    let trouble = |error: std::io::Error| Trouble::file(path, &error);
    let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(trouble)?;
    let mut out = BufWriter::new(file);
    let (mut at, mut hidden) = (arguments.from, 0u64);
    let mut page = fetch(&client, at).await?;
    let head = ExportHead {
        format: ExportHead::FORMAT.to_owned(),
        v: 1,
        origin: signed.origin.clone(),
        first: at,
        size: signed.size,
        peaks: page.peaks.clone(),
        key: newest.key.clone(),
    };
    let head = serde_json::to_string(&head).map_err(|_| odd())?;
    writeln!(out, "{head}").map_err(trouble)?;
    while at < signed.size {
        if page.items.is_empty() {
            return Err(odd());
        }
        for one in &page.items {
            if at >= signed.size {
                break;
            }
            let line = if let Some(leaf) = &one.leaf {
                leaf.clone()
            } else {
                hidden += 1;
                hidden_line(&Hash::parse(&one.hash).ok_or_else(odd)?)
            };
            writeln!(out, "{line}").map_err(trouble)?;
            at += 1;
        }
        if at < signed.size {
            page = fetch(&client, at).await?;
        }
    }
    write!(out, "\n{}", newest.checkpoint).map_err(trouble)?;
    out.into_inner().map_err(|error| trouble(error.into_error()))?.sync_all().map_err(trouble)?;
    let entries = signed.size - arguments.from;
    let value = json!({
        "schema_version": 1, "file": path, "origin": signed.origin, "first": arguments.from,
        "size": signed.size, "entries": entries, "hidden": hidden, "key": newest.key,
    });
    session.output.result(&value, || format!("{entries} entries in {}", path.display()));
    if hidden > 0 {
        let what = "of which only the hash is there: their rows were changed, or removed by retention or by somebody";
        session.output.say(&format!("{hidden} entries {what}"));
    }
    Ok(Exit::Ok)
}

async fn fetch(client: &Client, from: u64) -> Result<AuditEntries, Trouble> {
    client.get(&format!("/api/v1/audit/entries?limit=500&from={from}")).await
}

fn odd() -> Trouble {
    let message = "the server's answers about its audit do not fit each other";
    Trouble::new(Exit::Internal, Finding::error(codes::BAD_ANSWER, message))
}
