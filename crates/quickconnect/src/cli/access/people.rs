//! People who signed in, and the account for when nobody can.

use std::path::PathBuf;

use qc_server::wire::{BreakGlass, Page, RevokePerson, RevokedPerson};

use crate::cli::{
    Exit, Trouble, files::clock, login, output::table, secrets::read_value, session::Session,
};

#[derive(Debug, clap::Args)]
pub(crate) struct RevokeArguments {
    /// The person, by the id of the owner directory, or by a session's name, subject or id
    user: String,
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum BreakGlassVerb {
    /// Seal the account anew; its credential is printed once, and opens it once
    Seal,
    /// Open the account: an administrator's session of an hour, of which everybody hears
    Open(OpenArguments),
}

#[derive(Debug, clap::Args)]
pub(crate) struct OpenArguments {
    /// Why, for the audit
    #[arg(long)]
    reason: String,
    /// The file with the credential; standard input when left out
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(super) async fn sessions(session: &Session) -> Result<Exit, Trouble> {
    let page: Page<qc_server::wire::Session> =
        session.client()?.get("/api/v1/access/sessions").await?;
    session.output.result(&page, || {
        let row = |one: &qc_server::wire::Session| {
            vec![
                one.id.clone(),
                one.name.clone(),
                one.person.clone().unwrap_or_default(),
                one.role.clone(),
                if one.device { "command line" } else { "browser" }.to_owned(),
                clock(&one.created_at),
                clock(&one.expires_at),
            ]
        };
        let rows: Vec<_> = page.items.iter().map(row).collect();
        table(&["ID", "NAME", "PERSON", "ROLE", "IN", "BEGAN", "ENDS"], &rows)
    });
    Ok(Exit::Ok)
}

pub(super) async fn revoke(session: &Session, arguments: RevokeArguments) -> Result<Exit, Trouble> {
    let request = RevokePerson { user: arguments.user };
    let done: RevokedPerson = session.client()?.post("/api/v1/access/revoke", &request).await?;
    session.output.result(&done, || {
        format!("{}: {} sessions and {} API keys ended", done.user, done.sessions, done.tokens)
    });
    Ok(Exit::Ok)
}

pub(super) async fn break_glass(session: &Session, verb: BreakGlassVerb) -> Result<Exit, Trouble> {
    match verb {
        BreakGlassVerb::Seal => {
            let sealed: BreakGlass =
                session.client()?.post_bare("/api/v1/access/break-glass/seal").await?;
            session.output.result(&sealed, || sealed.credential.clone());
            session
                .output
                .say("keep it in a safe: it is not shown again, and an earlier one counts no more");
            Ok(Exit::Ok)
        }
        BreakGlassVerb::Open(OpenArguments { reason, file }) => {
            let credential = read_value(file.as_deref())?;
            login::break_glass(session, &credential.0, &reason).await
        }
    }
}
