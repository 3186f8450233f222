//! Services that prove who they are at `/oauth/token`, and the keys that sign what they get.

use std::{fs, path::PathBuf};

use qc_model::Finding;
use qc_server::wire::{
    Client, CreateClient, CreatedClient, Page, RotateClient, RotateSigningKey, SigningKey,
};
use serde_json::json;

use crate::{
    cli::{Exit, Trouble, files::clock, output::table, session::Session},
    codes,
};

const CLIENTS: &str = "/api/v1/access/clients";
const KEYS: &str = "/api/v1/access/keys";

#[derive(Debug, clap::Subcommand)]
pub(crate) enum ClientVerb {
    /// List the services that get access tokens
    List,
    /// Make one; its secret is printed once
    Create(CreateArguments),
    /// Give one a new secret; the present one holds on for a while
    Rotate(RotateArguments),
    /// End one, and all its tokens within five seconds
    Revoke(Of),
}

#[derive(Debug, clap::Args)]
pub(crate) struct CreateArguments {
    /// Its id: a name that no client had before
    id: String,
    /// The only environment in which it acts
    #[arg(long)]
    environment: String,
    /// What it is for: admin, developer, operator, auditor, deployer, runtime, approver
    #[arg(long)]
    role: String,
    /// The team or person who answers for it
    #[arg(long)]
    owner: String,
    /// What it does
    #[arg(long)]
    purpose: String,
    /// Narrower rights, as environment/type/name-or-*:verb; may stand several times
    #[arg(long)]
    scope: Vec<String>,
    /// How long it is there [default: a year]
    #[arg(long)]
    lifetime: Option<String>,
    /// A file with its public keys, a JSON Web Key Set, when it signs assertions in place of a secret
    #[arg(long)]
    keys: Option<PathBuf>,
}

/// Which client.
#[derive(Debug, clap::Args)]
pub(crate) struct Of {
    /// The client's id
    id: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RotateArguments {
    #[command(flatten)]
    of: Of,
    /// How long the present secret holds on [default: 24h]
    #[arg(long)]
    overlap: Option<String>,
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum KeyVerb {
    /// List the keys that sign access tokens
    List,
    /// Make a new key; it signs when everybody has seen it
    Rotate(RotateKeyArguments),
}

#[derive(Debug, clap::Args)]
pub(crate) struct RotateKeyArguments {
    /// The environment
    environment: String,
    /// The new key signs now and the others count no more: for a key that leaked
    #[arg(long)]
    at_once: bool,
}

pub(super) async fn clients(session: &Session, verb: ClientVerb) -> Result<Exit, Trouble> {
    match verb {
        ClientVerb::List => list(session).await,
        ClientVerb::Create(arguments) => {
            let keys = arguments.keys.as_deref().map(key_set).transpose()?;
            let request = CreateClient {
                id: arguments.id,
                environment: arguments.environment,
                role: arguments.role,
                scopes: Some(arguments.scope).filter(|scopes| !scopes.is_empty()),
                owner: arguments.owner,
                purpose: arguments.purpose,
                lifetime: arguments.lifetime,
                keys,
            };
            let made: CreatedClient = session.client()?.post(CLIENTS, &request).await?;
            made_so(session, &made);
            Ok(Exit::Ok)
        }
        ClientVerb::Rotate(RotateArguments { of: Of { id }, overlap }) => {
            let path = format!("{CLIENTS}/{id}/rotate");
            let made: CreatedClient =
                session.client()?.post(&path, &RotateClient { overlap }).await?;
            made_so(session, &made);
            Ok(Exit::Ok)
        }
        ClientVerb::Revoke(Of { id }) => {
            session.client()?.delete(&format!("{CLIENTS}/{id}")).await?;
            let done = json!({ "schema_version": 1, "client": id, "done": "revoke" });
            session.output.result(&done, || format!("{id}: revoked"));
            Ok(Exit::Ok)
        }
    }
}

fn key_set(path: &std::path::Path) -> Result<serde_json::Value, Trouble> {
    let text = fs::read(path).map_err(|error| Trouble::file(path, &error))?;
    serde_json::from_slice(&text).map_err(|error| {
        let message = format!("{} is no JSON: {error}", path.display());
        let finding = Finding::error(codes::BAD_SETTING, message);
        Trouble::new(
            Exit::Usage,
            finding.help("give a JSON Web Key Set (RFC 7517): public keys only"),
        )
    })
}

fn made_so(session: &Session, made: &CreatedClient) {
    let done = json!({ "schema_version": 1, "secret": made.secret, "client": made.client });
    session.output.result(&done, || {
        let id = &made.client.id;
        match &made.secret {
            Some(secret) => format!("{id}: its secret, which is shown once:\n{secret}"),
            None => format!("{id}: it signs assertions with its own keys"),
        }
    });
}

async fn list(session: &Session) -> Result<Exit, Trouble> {
    let page: Page<Client> = session.client()?.get(CLIENTS).await?;
    session.output.result(&page, || {
        let rows: Vec<Vec<String>> = page
            .items
            .iter()
            .map(|client| {
                vec![
                    client.id.clone(),
                    client.state.clone(),
                    client.role.clone(),
                    client.environment.clone(),
                    client.owner.clone(),
                    client.proof.clone(),
                    clock(&client.expires_at),
                ]
            })
            .collect();
        table(&["ID", "STATE", "ROLE", "ENVIRONMENT", "OWNER", "PROOF", "ENDS"], &rows)
    });
    Ok(Exit::Ok)
}

pub(super) async fn keys(session: &Session, verb: KeyVerb) -> Result<Exit, Trouble> {
    let client = session.client()?;
    let page: Page<SigningKey> = match verb {
        KeyVerb::List => client.get(KEYS).await?,
        KeyVerb::Rotate(RotateKeyArguments { environment, at_once }) => {
            let request = RotateSigningKey { environment, at_once };
            client.post(&format!("{KEYS}/rotate"), &request).await?
        }
    };
    session.output.result(&page, || {
        let rows: Vec<Vec<String>> = page
            .items
            .iter()
            .map(|key| {
                let (kid, state) = (key.kid.clone(), key.state.clone());
                vec![key.environment.clone(), kid, state, clock(&key.signs_from)]
            })
            .collect();
        table(&["ENVIRONMENT", "KEY", "STATE", "SIGNS FROM"], &rows)
    });
    Ok(Exit::Ok)
}
