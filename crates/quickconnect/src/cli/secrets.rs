//! `qc secrets`: the secrets of the vault. A value comes from a file or from standard input, never from the command
//! line, where other users of the machine would see it; and none is ever printed.

use std::{
    fs,
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
};

use qc_server::wire::{
    DropLink, MadeDropLink, MakeDropLink, Page, RemoveSecretRequest, RotateSecretRequest,
    SecretText, SetSecretRequest, StoredSecret,
};
use qc_vault::Secret;
use serde_json::json;
use zeroize::Zeroizing;

use super::{
    Trouble,
    exit::Exit,
    files::{clock, query},
    output::table,
    session::Session,
};
use crate::codes;

/// The largest value that is read, in bytes; one more than the server takes, so that it says so.
const VALUE_MAX: u64 = 64 * 1024 + 1;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List the secrets of the vault, without their values
    List(ListArguments),
    /// Store a secret; a value that is there ends at once
    Set(SetArguments),
    /// Give a secret a new value; the present one stays valid for a while
    Rotate(RotateArguments),
    /// Remove a secret
    Remove(Of),
    /// Make a link at which somebody without rights here gives the value, once; it is printed once
    Drop(DropArguments),
    /// List the links that work and were not used
    Drops(DropsArguments),
    /// End such a link
    RevokeDrop(RevokeDropArguments),
}

#[derive(Debug, clap::Args)]
pub(crate) struct DropArguments {
    /// The secret's name, as after `secret://`
    name: String,
    /// The environment
    #[arg(long)]
    environment: String,
    /// How long the link works [default: 24h]
    #[arg(long)]
    expires: Option<String>,
    /// How often the secret is to be changed, such as 90d
    #[arg(long)]
    rotate_every: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DropsArguments {
    /// Only this environment
    #[arg(long)]
    environment: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RevokeDropArguments {
    /// The link's id
    id: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListArguments {
    /// Only this environment
    #[arg(long)]
    environment: Option<String>,
    /// Only secrets after this one, as environment/name
    #[arg(long)]
    after: Option<String>,
    /// At most so many
    #[arg(long, default_value = "50")]
    limit: String,
}

/// Which secret.
#[derive(Debug, clap::Args)]
pub(crate) struct Of {
    /// The environment
    environment: String,
    /// The name, as after `secret://`
    name: String,
}

/// Where the value comes from.
#[derive(Debug, clap::Args)]
pub(crate) struct Value {
    /// The file that holds the value; standard input when left out. One newline at its end is not part of it
    #[arg(long)]
    file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SetArguments {
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    value: Value,
    /// How often it is to be changed, such as 90d, or `never`
    #[arg(long)]
    rotate_every: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RotateArguments {
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    value: Value,
    /// How long the present value stays valid beside it [default: 24h]
    #[arg(long)]
    overlap: Option<String>,
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::List(arguments) => list(session, arguments).await,
        Verb::Set(SetArguments { of, value, rotate_every }) => {
            let Of { environment, name } = of;
            let value = read_value(value.file.as_deref())?;
            let request = SetSecretRequest { environment, name, value, rotate_every };
            stored(session, "/api/v1/secrets/set", &request).await
        }
        Verb::Rotate(RotateArguments { of, value, overlap }) => {
            let Of { environment, name } = of;
            let value = read_value(value.file.as_deref())?;
            let request = RotateSecretRequest { environment, name, value, overlap };
            stored(session, "/api/v1/secrets/rotate", &request).await
        }
        Verb::Remove(Of { environment, name }) => {
            let request = json!(RemoveSecretRequest { environment, name: name.clone() });
            session.client()?.act("/api/v1/secrets/remove", Some(&request)).await?;
            let done = json!({ "schema_version": 1, "secret": name, "done": "remove" });
            session.output.result(&done, || format!("{name}: removed"));
            Ok(Exit::Ok)
        }
        Verb::Drop(DropArguments { name, environment, expires, rotate_every }) => {
            let request = MakeDropLink { environment, name, expires, rotate_every };
            let made: MadeDropLink =
                session.client()?.post("/api/v1/secrets/drop", &request).await?;
            session.output.result(&made, || made.url.clone());
            let MadeDropLink { link, .. } = &made;
            let until = clock(&link.expires_at);
            session.output.say(&format!("link {}; it works once, until {until}", link.id));
            Ok(Exit::Ok)
        }
        Verb::Drops(DropsArguments { environment }) => drops(session, environment.as_deref()).await,
        Verb::RevokeDrop(RevokeDropArguments { id }) => {
            session.client()?.delete(&format!("/api/v1/secrets/drops/{id}")).await?;
            let done = json!({ "schema_version": 1, "link": id, "done": "revoke" });
            session.output.result(&done, || format!("{id}: revoked"));
            Ok(Exit::Ok)
        }
    }
}

async fn stored(
    session: &Session,
    path: &str,
    request: &impl serde::Serialize,
) -> Result<Exit, Trouble> {
    let secret: StoredSecret = session.client()?.post(path, request).await?;
    session.output.result(&secret, || {
        let StoredSecret { environment, name, version, previous_until, .. } = &secret;
        let until = previous_until.as_deref().map_or_else(String::new, |until| {
            format!("; the value before is valid until {}", clock(until))
        });
        format!("{environment}/{name}: version {version}{until}")
    });
    Ok(Exit::Ok)
}

async fn list(session: &Session, arguments: ListArguments) -> Result<Exit, Trouble> {
    let filter = query(&[
        ("environment", arguments.environment.as_deref()),
        ("after", arguments.after.as_deref()),
        ("limit", Some(&arguments.limit)),
    ]);
    let page: Page<StoredSecret> =
        session.client()?.get(&format!("/api/v1/secrets{filter}")).await?;
    session.output.result(&page, || {
        let rows: Vec<Vec<String>> = page.items.iter().map(row).collect();
        table(&["ENVIRONMENT", "NAME", "VERSION", "SET", "BY", "DUE", ""], &rows)
    });
    if let Some(next) = &page.next {
        session.output.say(&format!("there is more: --after {next}"));
    }
    Ok(Exit::Ok)
}

async fn drops(session: &Session, environment: Option<&str>) -> Result<Exit, Trouble> {
    let filter = query(&[("environment", environment)]);
    let page: Page<DropLink> =
        session.client()?.get(&format!("/api/v1/secrets/drops{filter}")).await?;
    session.output.result(&page, || {
        let of = |link: &DropLink| {
            let DropLink { id, environment, name, created_by, expires_at, .. } = link.clone();
            vec![id, environment, name, created_by, clock(&expires_at)]
        };
        let rows: Vec<Vec<String>> = page.items.iter().map(of).collect();
        table(&["ID", "ENVIRONMENT", "NAME", "BY", "ENDS"], &rows)
    });
    Ok(Exit::Ok)
}

fn row(secret: &StoredSecret) -> Vec<String> {
    let mut notes = Vec::new();
    if secret.overdue {
        notes.push("overdue".to_owned());
    }
    if !secret.opens {
        notes.push("does not open".to_owned());
    }
    if let Some(until) = &secret.previous_until {
        notes.push(format!("previous until {}", clock(until)));
    }
    vec![
        secret.environment.clone(),
        secret.name.clone(),
        secret.version.to_string(),
        clock(&secret.created_at),
        secret.created_by.clone(),
        secret.due_at.as_deref().map_or_else(|| "-".to_owned(), clock),
        notes.join(", "),
    ]
}

/// The value, without one newline at its end.
pub(super) fn read_value(file: Option<&Path>) -> Result<SecretText, Trouble> {
    let place = file.unwrap_or_else(|| Path::new("standard input"));
    let failed = |error: io::Error| Trouble::file(place, &error);
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    match file {
        Some(path) => fs::File::open(path).map_err(failed)?.take(VALUE_MAX).read_to_end(&mut bytes),
        None if io::stdin().is_terminal() => {
            let message = "the value would be shown while it is typed";
            let help = "give `--file`, or pipe it in: `printf %s \"$TOKEN\" | qc secrets set …`";
            return Err(Trouble::usage(codes::FILE, message, help));
        }
        None => io::stdin().lock().take(VALUE_MAX).read_to_end(&mut bytes),
    }
    .map_err(failed)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        let message = format!("{}: the value is not UTF-8 text", place.display());
        Trouble::usage(codes::FILE, message, "write binary values in base64")
    })?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    Ok(SecretText(Secret::new(text.strip_suffix('\r').unwrap_or(text))))
}
