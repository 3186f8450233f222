//! `qc support bundle`: how a server does, in one file for whoever helps. It holds no payload and no secret: settings as
//! `qc config explain` shows them, what `qc doctor` finds, counts and groups of failures, and lines of the log on request.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use http::Method;
use qc_model::Clock;
use serde_json::{Value, json};

use super::{Exit, Trouble, config, doctor, files::write_private, session::Session};
use crate::{config::SettingFlags, wiring::SystemClock};

/// So much of the end of a log is taken at most, in bytes.
const LOG: u64 = 256 << 10;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Write how the server does into one file for whoever helps: no payloads, no secrets
    Bundle(BundleArguments),
}

#[derive(Debug, clap::Args)]
pub(crate) struct BundleArguments {
    /// The file, which must not be there yet
    #[arg(long)]
    to: PathBuf,
    /// The end of this file with the server's log, too
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingFlags,
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    let Verb::Bundle(BundleArguments { to, log, settings }) = verb;
    let log = log.as_deref().map(end_of).transpose()?;
    let checks = doctor::checks(session, settings.clone()).await;
    let ill = checks.iter().filter(|check| !check.is_well()).count();
    let bundle = json!({
        "schema_version": 1,
        "at": SystemClock.now(),
        "version": env!("CARGO_PKG_VERSION"),
        "system": { "os": std::env::consts::OS, "arch": std::env::consts::ARCH },
        "settings": config::explained(session, settings)?,
        "checks": checks,
        "server": asked(session, "/api/v1/server").await,
        "failures": asked(session, "/api/v1/questions/failures").await,
        "metrics": asked(session, "/metrics").await,
        "log": log,
    });
    let text = serde_json::to_vec_pretty(&bundle).expect("a bundle is plain data");
    write_private(&to, &text)?;
    let told =
        json!({ "schema_version": 1, "file": to, "bytes": text.len(), "checks_not_well": ill });
    session.output.result(&told, || {
        format!("{} bytes in {}; look at it before you send it", text.len(), to.display())
    });
    Ok(Exit::Ok)
}

/// What the server says: JSON as it is, another text as a text; what kept it from saying it, otherwise.
async fn asked(session: &Session, path: &str) -> Value {
    let asking = async { session.client()?.ok(Method::GET, path, Vec::new(), &[]).await };
    match asking.await {
        Ok(answer) => serde_json::from_slice(&answer.body)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&answer.body).into_owned())),
        Err(trouble) => json!({ "trouble": trouble.findings }),
    }
}

/// The last lines of a file.
fn end_of(path: &Path) -> Result<Vec<String>, Trouble> {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOG)))?;
        let mut bytes = Vec::new();
        file.take(LOG).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error| Trouble::file(path, &error))?;
    let text = String::from_utf8_lossy(&bytes);
    // What was cut begins within a line.
    let cut = usize::from(bytes.len() as u64 == LOG);
    Ok(text.lines().skip(cut).map(str::to_owned).collect())
}
