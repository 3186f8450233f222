//! `qc restore`: a backup becomes the database, of either kind, while no server runs.

use std::{fs, path::PathBuf};

use qc_model::Clock;
use serde_json::json;

use super::{
    Exit, Trouble,
    backup::{described, lines, trouble},
    session::Session,
};
use crate::{
    codes,
    config::{SettingFlags, StoreKind},
    wiring::{self, SystemClock},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The backup
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// Only read it, whole, and say whether it is sound; nothing is written
    #[arg(long, conflicts_with = "replace")]
    check: bool,
    /// Refuse a backup whose SHA-256 is another one than this
    #[arg(long, value_name = "SHA256")]
    expect: Option<String>,
    /// Put it in place of what is there: a database file is set aside, what is in PostgreSQL is removed
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    settings: SettingFlags,
}

pub(super) async fn run(session: &Session, arguments: Arguments) -> Result<Exit, Trouble> {
    let Arguments { from, check, expect, replace, settings } = arguments;
    let config = session.settings(settings.0)?;
    let file = from.clone();
    let checked = wiring::blocking(move || qc_sql::archive::check(&file)).await?;
    let manifest = checked.map_err(|error| trouble(&error))?;
    if let Some(expected) = expect.filter(|text| *text != manifest.digest.to_string()) {
        let message = format!(
            "{} has the SHA-256 {}, and not {expected}: it is another backup",
            from.display(),
            manifest.digest
        );
        let help = "name the backup that you mean; its SHA-256 was printed when it was made";
        return Err(Trouble::new(
            Exit::Conflict,
            qc_model::Finding::error(qc_sql::codes::BACKUP_DAMAGED, message).help(help),
        ));
    }
    if check {
        let value = described(&manifest, json!({ "file": from, "done": "check" }));
        session.output.result(&value, || format!("sound\n{}", lines(&manifest)));
        return Ok(Exit::Ok);
    }
    let restored = match &config.store {
        StoreKind::Memory => {
            let message = "the store is in memory: nothing can be restored into it";
            return Err(Trouble::usage(
                codes::NO_DATABASE,
                message,
                "name the store with `--store`",
            ));
        }
        StoreKind::Sqlite(database) => {
            if database.starts_with(&config.data_dir) {
                let folder = &config.data_dir;
                fs::create_dir_all(folder).map_err(|error| Trouble::file(folder, &error))?;
            }
            let (database, blobs) = (database.clone(), wiring::blobs(database));
            let moment = replace.then(|| SystemClock.now());
            let put = move || qc_sql::sqlite::restore(&from, &database, &blobs, moment);
            wiring::blocking(put).await?
        }
        StoreKind::Postgres(dsn) => {
            let options = wiring::postgres_options(&config)?;
            qc_sql::postgres::restore(&from, dsn, &options, replace).await
        }
    };
    let manifest = restored.map_err(|error| trouble(&error))?;
    let value = described(&manifest, json!({ "done": "restore" }));
    session.output.result(&value, || format!("restored\n{}", lines(&manifest)));
    session.output.say(
        "calls that were made after the backup are not in it: runs that were open then may make them again, under \
         the same keys",
    );
    Ok(Exit::Ok)
}
