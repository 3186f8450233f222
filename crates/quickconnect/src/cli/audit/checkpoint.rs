use std::path::PathBuf;

use qc_audit::{Checkpoint, Doubt, Hash, proof::is_consistent};
use qc_server::wire::{AuditCheckpoint, AuditConsistency};
use serde_json::json;

use super::{finding, keys, read};
use crate::cli::{Exit, Trouble, session::Session};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// An earlier checkpoint of this log: the server must show that it only grew since
    #[arg(long, value_name = "FILE", requires = "key")]
    since: Option<PathBuf>,
    /// A verifier key whose signatures are believed, or a file with one; may be repeated
    #[arg(long, value_name = "KEY")]
    key: Vec<String>,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let client = session.client()?;
    let keys = keys(&arguments.key)?;
    let Some(path) = &arguments.since else {
        let newest: AuditCheckpoint = client.get("/api/v1/audit/checkpoint").await?;
        if !keys.is_empty() {
            opened("the server's", &newest.checkpoint, &keys)?;
        }
        session.output.result(&newest, || newest.checkpoint.clone());
        return Ok(Exit::Ok);
    };
    let name = path.display().to_string();
    let old = opened(&name, &read(path)?, &keys)?;
    let shown: AuditConsistency =
        client.get(&format!("/api/v1/audit/consistency?from={}", old.size)).await?;
    let new = opened("the server's", &shown.checkpoint, &keys)?;
    if new.origin != old.origin {
        return Err(doubtful(&Doubt::OtherLog { name, other: old.origin, own: new.origin }));
    }
    let hashes: Option<Vec<Hash>> = shown.hashes.iter().map(|hash| Hash::parse(hash)).collect();
    let consistent = hashes
        .is_some_and(|hashes| is_consistent((old.size, &old.root), (new.size, &new.root), &hashes));
    if !consistent {
        let (size, said) = (old.size, old.root);
        return Err(doubtful(&Doubt::Rewritten { name, size, said, computed: new.root }));
    }
    let value = json!({
        "schema_version": 1, "origin": new.origin, "from": old.size, "size": new.size,
        "consistent": true, "checkpoint": shown.checkpoint, "key": shown.key,
    });
    session.output.result(&value, || {
        format!(
            "the log only grew, from {} entries to {}\n\n{}",
            old.size, new.size, shown.checkpoint
        )
    });
    Ok(Exit::Ok)
}

fn opened(name: &str, note: &str, keys: &[qc_audit::VerifyingKey]) -> Result<Checkpoint, Trouble> {
    Checkpoint::open(note, keys)
        .map(|(checkpoint, _)| checkpoint)
        .map_err(|error| doubtful(&Doubt::Signature { name: name.to_owned(), error }))
}

fn doubtful(doubt: &Doubt) -> Trouble {
    Trouble::findings(vec![finding(doubt)])
}
