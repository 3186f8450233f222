//! `qc vault`: the keys under which secrets are stored.

use qc_server::wire::{DataKeyRotated, Rewrapped, RotateDataKey, VaultEnvironment, VaultStanding};

use super::{
    Trouble,
    exit::Exit,
    files::clock,
    output::{append, table},
    session::Session,
};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Show where the vault's key is, its data keys, and what is overdue or does not open
    Status,
    /// Wrap all data keys with the key that `vault_key` names first now
    Rewrap,
    /// Seal an environment's secrets under a new data key, in the background
    RotateDek(RotateArguments),
}

#[derive(Debug, clap::Args)]
pub(crate) struct RotateArguments {
    /// The environment
    environment: String,
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::Status => status(session).await,
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

/// Ends with findings when something should be done.
async fn status(session: &Session) -> Result<Exit, Trouble> {
    let standing: VaultStanding = session.client()?.get("/api/v1/vault").await?;
    session.output.result(&standing, || shown(&standing));
    Ok(if standing.findings.is_empty() { Exit::Ok } else { Exit::Findings })
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
