//! `qc backup`: the database and the large bodies of one moment in one file, while the server runs.

use std::path::PathBuf;

use qc_model::Clock;
use qc_sql::archive::{ArchiveError, Manifest};
use serde_json::{Value, json};

use super::{Exit, Trouble, session::Session};
use crate::{
    codes,
    config::{SettingFlags, StoreKind},
    wiring::{self, SystemClock},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The file to write, which must not be there; or a directory, in which it gets a name
    #[arg(long, value_name = "FILE|DIRECTORY")]
    to: PathBuf,
    #[command(flatten)]
    settings: SettingFlags,
}

pub(super) async fn run(session: &Session, arguments: Arguments) -> Result<Exit, Trouble> {
    let Arguments { to, settings } = arguments;
    let config = session.settings(settings.0)?;
    let at = SystemClock.now();
    let made = match &config.store {
        StoreKind::Memory => {
            let message = "the store is in memory: nothing of it outlives its process";
            return Err(Trouble::usage(
                codes::NO_DATABASE,
                message,
                "name the store with `--store`",
            ));
        }
        StoreKind::Sqlite(file) => {
            let (file, blobs) = (file.clone(), wiring::blobs(file));
            let copy = move || qc_sql::sqlite::backup(&file, &blobs, &to, at);
            wiring::blocking(copy).await?
        }
        StoreKind::Postgres(dsn) => {
            let options = wiring::postgres_options(&config)?;
            qc_sql::postgres::backup(dsn, &options, &to, at).await
        }
    };
    let (file, manifest) = made.map_err(|error| trouble(&error))?;
    let value = described(&manifest, json!({ "file": file }));
    session.output.result(&value, || format!("{}\n{}", file.display(), lines(&manifest)));
    session.output.say("settings and secrets are not in it: keep them with your other secrets");
    Ok(Exit::Ok)
}

/// What a backup is, for `--json`.
pub(super) fn described(manifest: &Manifest, mut value: Value) -> Value {
    value["schema_version"] = json!(1);
    value["sha256"] = json!(manifest.digest.to_string());
    value["manifest"] = json!(manifest);
    value
}

/// What a backup is, for people.
pub(super) fn lines(manifest: &Manifest) -> String {
    let counts = &manifest.counts;
    format!(
        "of {} at {}, written by qc {}\n{} runs ({} open), {} journal entries, {} ledger rows, {} dead letters, \
         {} signals, {} documents, {} large bodies\nsha256 {}",
        manifest.store,
        manifest.at,
        manifest.written_by,
        counts.runs,
        counts.open_runs,
        counts.journal_entries,
        counts.ledger_rows,
        counts.dead_letters,
        counts.signals,
        counts.documents,
        counts.blobs,
        manifest.digest,
    )
}

pub(super) fn trouble(error: &ArchiveError) -> Trouble {
    use qc_sql::{postgres::OpenError as Server, sqlite::OpenError as File};
    let exit = match error {
        ArchiveError::NoDatabase(_) => Exit::NotFound,
        ArchiveError::Postgres(Server::Unreachable(_)) => Exit::Unreachable,
        ArchiveError::Sqlite(File::Damaged(_)) | ArchiveError::Damaged { .. } => Exit::Findings,
        _ => Exit::Conflict,
    };
    Trouble::new(exit, error.finding())
}
