//! `qc vault`: the keys under which secrets are stored.

use std::path::PathBuf;

use qc_server::wire::{
    DataKeyRotated, DrillSecret, DrillVault, Drilled, Page, Rewrapped, RotateDataKey, RotationTask,
    VaultEnvironment, VaultStanding,
};

use super::{
    Trouble,
    exit::Exit,
    files::{clock, query},
    output::{append, table},
    session::Session,
};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Show where the vault's key is, its data keys, and what is overdue or does not open
    Status,
    /// List what is to be rotated, by whom and until when
    Due(DueArguments),
    /// Wrap all data keys with the key that `vault_key` names first now
    Rewrap,
    /// Seal an environment's secrets under a new data key, in the background
    RotateDek(RotateArguments),
    /// Rehearse: rotate keys and a secret while everything of an environment is looked up, and count what failed
    Drill(DrillArguments),
}

#[derive(Debug, clap::Args)]
pub(crate) struct DueArguments {
    /// Only this environment
    #[arg(long)]
    environment: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DrillArguments {
    /// The environment
    environment: String,
    /// A secret that gets a new value, which `--file` or standard input has
    #[arg(long)]
    secret: Option<String>,
    /// The file that holds the new value; standard input when left out
    #[arg(long, requires = "secret")]
    file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RotateArguments {
    /// The environment
    environment: String,
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::Drill(arguments) => drill(session, arguments).await,
        Verb::Status => status(session).await,
        Verb::Due(arguments) => due(session, arguments).await,
        Verb::Rewrap => {
            let done: Rewrapped = session.client()?.post_bare("/api/v1/vault/rewrap").await?;
            session.output.result(&done, || match done.keys {
                0 => "all keys were wrapped with the current key already".to_owned(),
                keys => format!("{keys} keys wrapped anew"),
            });
            Ok(Exit::Ok)
        }
        Verb::RotateDek(RotateArguments { environment }) => {
            let request = RotateDataKey { environment: environment.clone() };
            let done: DataKeyRotated =
                session.client()?.post("/api/v1/vault/rotate-dek", &request).await?;
            session.output.result(&done, || {
                format!("{environment}: secrets are being sealed under data key {}", done.version)
            });
            Ok(Exit::Ok)
        }
    }
}

/// Ends with findings when a look-up failed.
async fn drill(session: &Session, arguments: DrillArguments) -> Result<Exit, Trouble> {
    let DrillArguments { environment, secret, file } = arguments;
    let secret = match secret {
        Some(name) => {
            Some(DrillSecret { name, value: super::secrets::read_value(file.as_deref())? })
        }
        None => None,
    };
    let request = DrillVault { environment, secret };
    let done: Drilled = session.client()?.post("/api/v1/vault/drill", &request).await?;
    session.output.result(&done, || {
        let Drilled { requests, failures, rewrapped, data_key, secrets, millis, .. } = &done;
        let first = done.first_failure.as_ref().map_or_else(String::new, |it| format!("\n{it}"));
        format!(
            "{requests} look-ups of {secrets} secrets in {millis} ms, {failures} failed; \
             {rewrapped} keys wrapped anew, data key {data_key}{first}"
        )
    });
    Ok(if done.failures == 0 { Exit::Ok } else { Exit::Findings })
}

/// Ends with findings when something should be done.
async fn status(session: &Session) -> Result<Exit, Trouble> {
    let standing: VaultStanding = session.client()?.get("/api/v1/vault").await?;
    session.output.result(&standing, || shown(&standing));
    Ok(if standing.findings.is_empty() { Exit::Ok } else { Exit::Findings })
}

/// Ends with findings when something is overdue.
async fn due(session: &Session, arguments: DueArguments) -> Result<Exit, Trouble> {
    let asked = query(&[("environment", arguments.environment.as_deref())]);
    let page: Page<RotationTask> =
        session.client()?.get(&format!("/api/v1/rotations{asked}")).await?;
    session.output.result(&page, || {
        let row = |task: &RotationTask| {
            vec![
                clock(&task.due_at),
                task.state.clone(),
                task.id.clone(),
                task.owner.clone(),
                task.how.clone(),
            ]
        };
        let rows: Vec<Vec<String>> = page.items.iter().map(row).collect();
        table(&["UNTIL", "STATE", "TASK", "OWNER", "HOW"], &rows)
    });
    let overdue = page.items.iter().any(|task| task.state == "overdue");
    Ok(if overdue { Exit::Findings } else { Exit::Ok })
}

fn shown(standing: &VaultStanding) -> String {
    let VaultStanding { place, kek, not_opening, overdue, .. } = standing;
    let mut text = match (place, kek) {
        (None, _) => "the vault is off: `vault_key` is not set\n".to_owned(),
        (Some(place), Some(kek)) => format!("key-encryption key {kek}, at {place}\n"),
        (Some(place), None) => format!("key-encryption key at {place}, which cannot be used now\n"),
    };
    let rows: Vec<Vec<String>> = standing.environments.iter().map(row).collect();
    text.push_str(&table(&["ENVIRONMENT", "SECRETS", "DATA KEY", "MADE", "WRAPPED BY", ""], &rows));
    append(&mut text, format_args!("{overdue} overdue, {not_opening} that do not open\n"));
    for finding in &standing.findings {
        let field = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
        append(&mut text, format_args!("{}: {}\n", field("code"), field("message")));
    }
    text.trim_end().to_owned()
}

fn row(of: &VaultEnvironment) -> Vec<String> {
    let newest = of.keys.last();
    let note = match newest {
        _ if of.keys.len() > 1 => format!("{} still under an older key", of.remaining),
        Some(key) if key.overdue => "older than half a year".to_owned(),
        _ => String::new(),
    };
    vec![
        of.environment.clone(),
        of.secrets.to_string(),
        newest.map_or_else(String::new, |key| key.version.to_string()),
        newest.map_or_else(String::new, |key| clock(&key.created_at)),
        newest.map_or_else(String::new, |key| key.kek.clone()),
        note,
    ]
}
