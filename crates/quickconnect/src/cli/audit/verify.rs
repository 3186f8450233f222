use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::PathBuf,
};

use qc_audit::{ExportHead, VerifyingKey, verify};
use serde_json::json;

use super::{finding, keys, read};
use crate::cli::{Exit, Trouble, session::Session};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The export
    file: PathBuf,
    /// A checkpoint from somewhere else that the file must agree with; may be repeated
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// A verifier key whose signatures are believed, or a file with one; may be repeated
    #[arg(long, value_name = "KEY")]
    key: Vec<String>,
}

pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let path = &arguments.file;
    let trouble = |error: std::io::Error| Trouble::file(path, &error);
    let own = arguments.key.is_empty();
    let keys = if own {
        // The file's word for itself: shows damage, and no forgery.
        let mut first = String::new();
        let mut head = BufReader::new(File::open(path).map_err(trouble)?);
        std::io::Read::take(&mut head, 1 << 16).read_line(&mut first).unwrap_or_default();
        let head: Option<ExportHead> = serde_json::from_str(&first).ok();
        head.and_then(|head| VerifyingKey::parse(&head.key)).into_iter().collect()
    } else {
        keys(&arguments.key)?
    };
    let mut others = Vec::new();
    for path in &arguments.checkpoint {
        others.push((path.display().to_string(), read(path)?));
    }
    let file = BufReader::new(File::open(path).map_err(trouble)?);
    let verified = verify(file, &keys, &others).map_err(trouble)?;
    if !verified.troubles.is_empty() {
        return Err(Trouble::findings(verified.troubles.iter().map(finding).collect()));
    }
    let value = json!({
        "schema_version": 1, "origin": verified.origin, "first": verified.first,
        "size": verified.size, "root": verified.root.to_string(), "signed_by": verified.signed_by,
        "key_given": !own, "checkpoints": others.len(),
    });
    session.output.result(&value, || {
        let entries = verified.size - verified.first;
        format!("{entries} entries of {} are as they were signed", verified.origin)
    });
    if own {
        session.output.say(
            "the key is the file's own: whoever could write the file could have signed it. Give the server's by --key",
        );
    }
    Ok(Exit::Ok)
}
