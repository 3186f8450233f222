//! `qc tokens`: who may use the API and the triggers.

use std::fs;

use qc_model::Finding;
use qc_server::wire::{CreateToken, CreatedToken, Page, RotateToken, Token};
use qc_vault::Secrets;
use serde_json::json;

use super::{
    Exit, Trouble,
    files::{clock, query},
    output::table,
    session::Session,
};
use crate::{
    bootstrap, codes,
    config::{Config, SettingFlags, StoreKind},
    context,
    lifecycle::addresses,
    wiring::{Credentials, Platform, look_at_server},
};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List tokens
    List,
    /// Make a token; its text is printed once
    Create(CreateArguments),
    /// Give a token a new version, whose text is printed once; the present one holds on for a while
    Rotate(RotateArguments),
    /// End a token
    Revoke(RevokeArguments),
    /// Make an administrator's token at the database itself, for whoever lost theirs; the server must not run
    Recover(RecoverArguments),
}

#[derive(Debug, clap::Args)]
pub(crate) struct CreateArguments {
    /// What people call it
    name: String,
    /// What it is for: admin, developer, operator, auditor, deployer, runtime, approver
    #[arg(long)]
    role: String,
    /// The person to whom it belongs, by the id of the owner directory; tasks need one
    #[arg(long)]
    person: Option<String>,
    /// The only environment in which it may act
    #[arg(long)]
    environment: Option<String>,
    /// Narrower rights, as environment/type/name-or-*:verb; may stand several times
    #[arg(long)]
    scope: Vec<String>,
    /// How long it holds [default: 90d]
    #[arg(long)]
    lifetime: Option<String>,
    /// The team or person who answers for it [default: its person, or whoever makes it]
    #[arg(long)]
    owner: Option<String>,
    /// What it is for, in words
    #[arg(long)]
    purpose: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RotateArguments {
    /// The token's id
    id: String,
    /// How long the present version holds on [default: 24h]
    #[arg(long)]
    overlap: Option<String>,
    /// How long the new version holds [default: as long as the one before was to]
    #[arg(long)]
    lifetime: Option<String>,
    /// No earlier version counts from now on: for a key that leaked
    #[arg(long, conflicts_with = "overlap")]
    at_once: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RevokeArguments {
    /// The token's id
    id: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RecoverArguments {
    #[command(flatten)]
    settings: SettingFlags,
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::List => list(session).await,
        Verb::Create(arguments) => create(session, arguments).await,
        Verb::Rotate(arguments) => rotate(session, arguments).await,
        Verb::Revoke(RevokeArguments { id }) => {
            session.client()?.delete(&format!("/api/v1/tokens/{id}")).await?;
            let done = json!({ "schema_version": 1, "token": id, "done": "revoke" });
            session.output.result(&done, || format!("{id}: revoked"));
            Ok(Exit::Ok)
        }
        Verb::Recover(arguments) => recover(session, arguments).await,
    }
}

async fn list(session: &Session) -> Result<Exit, Trouble> {
    let filter = query(&[("limit", Some("500"))]);
    let page: Page<Token> = session.client()?.get(&format!("/api/v1/tokens{filter}")).await?;
    session.output.result(&page, || {
        let rows: Vec<Vec<String>> = page
            .items
            .iter()
            .map(|token| {
                vec![
                    token.id.clone(),
                    token.name.clone(),
                    token.role.clone(),
                    token.environment.clone().unwrap_or_else(|| "all".to_owned()),
                    token.owner.clone().unwrap_or_else(|| "-".to_owned()),
                    token.purpose.clone().unwrap_or_else(|| "-".to_owned()),
                    token.expires_at.as_deref().map_or_else(|| "never".to_owned(), clock),
                    token.last_used_at.as_deref().map_or_else(|| "-".to_owned(), clock),
                ]
            })
            .collect();
        table(&["ID", "NAME", "ROLE", "ENVIRONMENT", "OWNER", "PURPOSE", "ENDS", "USED"], &rows)
    });
    Ok(Exit::Ok)
}

async fn create(session: &Session, arguments: CreateArguments) -> Result<Exit, Trouble> {
    let request = CreateToken {
        name: arguments.name,
        role: arguments.role,
        person: arguments.person,
        environment: arguments.environment,
        scopes: (!arguments.scope.is_empty()).then_some(arguments.scope),
        lifetime: arguments.lifetime,
        owner: arguments.owner,
        purpose: arguments.purpose,
    };
    let created: CreatedToken = session.client()?.post("/api/v1/tokens", &request).await?;
    made(session, &created);
    Ok(Exit::Ok)
}

async fn rotate(session: &Session, arguments: RotateArguments) -> Result<Exit, Trouble> {
    let RotateArguments { id, overlap, lifetime, at_once } = arguments;
    let request = RotateToken { overlap, lifetime, at_once };
    let path = format!("/api/v1/tokens/{id}/rotate");
    let created: CreatedToken = session.client()?.post(&path, &request).await?;
    made(session, &created);
    if let Some(until) = &created.token.previous_until {
        session.output.say(&format!("the version before counts until {}", clock(until)));
    }
    Ok(Exit::Ok)
}

fn made(session: &Session, created: &CreatedToken) {
    session.output.result(created, || created.secret.clone());
    let id = &created.token.id;
    session.output.say(&format!("token {id}; keep it now, it is not shown again"));
    for warning in &created.warnings {
        session.output.say(&format!("warning: {warning}"));
    }
}

async fn recover(session: &Session, arguments: RecoverArguments) -> Result<Exit, Trouble> {
    let config = session.settings(arguments.settings.0)?;
    has_database(&config).await?;
    let platform = Platform::wire(&config, Credentials::only(Secrets::none())).await?;
    let token = bootstrap::owner_token(&platform, "recovered key of the machine").await?;
    let at = addresses(&config, config.listen, None);
    let usual = session.context_path();
    let path = bootstrap::place(&at.url, usual.as_deref(), &config.data_dir);
    context::write(&path, &at, &token)?;
    platform.close().await;
    let done = json!({ "schema_version": 1, "context": path });
    session.output.result(&done, || format!("written to {}", path.display()));
    if usual.as_ref() != Some(&path) {
        let file = path.display();
        session.output.say(&format!(
            "the usual context file belongs to another server; use: export QC_CONTEXT={file}"
        ));
    }
    Ok(Exit::Ok)
}

/// Recovery is for a server that has been: an administrator of a new, empty database would be nobody's.
async fn has_database(config: &Config) -> Result<(), Trouble> {
    let message = match &config.store {
        StoreKind::Memory => "the store is in memory: there is nothing to recover".to_owned(),
        StoreKind::Postgres(dsn) => {
            if look_at_server(config, dsn).await?.schema > 0 {
                return Ok(());
            }
            format!("no server has used the database {dsn}")
        }
        StoreKind::Sqlite(file) => {
            if fs::metadata(file).is_ok_and(|found| found.len() > 0) {
                return Ok(());
            }
            format!("there is no database {}", file.display())
        }
    };
    let help =
        "give the server's own settings: `--data-dir` and `--listen`, or its `--config qc.toml`";
    Err(Trouble::new(Exit::NotFound, Finding::error(codes::NO_DATABASE, message).help(help)))
}
