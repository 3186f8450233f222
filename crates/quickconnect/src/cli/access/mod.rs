//! `qc access`: the policies of a project, what they allow, and why something was or was not; and who proves what he is.

mod apply;
mod clients;
mod explain;
mod matrix;
mod people;
mod review;

use std::{fs, path::Path};

use qc_access::{Policies, policy::schema_text};
use qc_model::Finding;
use qc_project::access::{FOLDER, MATRIX, findings, policy_files};

use super::{Exit, Trouble, files::project, session::Session};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Work out what each role may do and write access/matrix.tsv, for review
    Matrix(matrix::Arguments),
    /// Compare what each role may do with the reviewed access/matrix.tsv; a difference fails
    Diff(matrix::Arguments),
    /// Say why something is allowed or denied, or decide again what the audit tells
    Explain(explain::Arguments),
    /// Print what policies may speak of, as a Cedar schema
    Schema,
    /// The services that get access tokens
    #[command(subcommand)]
    Clients(clients::ClientVerb),
    /// The keys that sign access tokens
    #[command(subcommand)]
    Keys(clients::KeyVerb),
    /// Compare what keys and clients may do with what they did, and propose less
    Review(review::ReviewArguments),
    /// Show what whoever holds a token, a client's secret or a connection can touch
    BlastRadius(review::RadiusArguments),
    /// Give a token or a client another owner
    Reassign(review::ReassignArguments),
    /// List the sessions of people who signed in
    Sessions,
    /// End all sessions and API keys of a person at once
    Revoke(people::RevokeArguments),
    /// The account for when nobody can sign in
    #[command(subcommand)]
    BreakGlass(people::BreakGlassVerb),
    /// Put the project's policies in force on the server
    Apply(matrix::Arguments),
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::Matrix(arguments) => matrix::write(session, &arguments),
        Verb::Diff(arguments) => matrix::diff(session, &arguments),
        Verb::Explain(arguments) => explain::run(session, arguments).await,
        Verb::Clients(verb) => clients::clients(session, verb).await,
        Verb::Keys(verb) => clients::keys(session, verb).await,
        Verb::Review(arguments) => review::review(session, arguments).await,
        Verb::BlastRadius(arguments) => review::radius(session, arguments).await,
        Verb::Reassign(arguments) => review::reassign(session, arguments).await,
        Verb::Sessions => people::sessions(session).await,
        Verb::Revoke(arguments) => people::revoke(session, arguments).await,
        Verb::BreakGlass(verb) => people::break_glass(session, verb).await,
        Verb::Schema => {
            session.output.line(schema_text().trim_end());
            Ok(Exit::Ok)
        }
        Verb::Apply(arguments) => apply::run(session, &arguments).await,
    }
}

/// The policies of a project, its own files with them. Findings when they cannot be used.
fn policies(folder: &Path) -> Result<(Policies, Vec<(String, String)>), Trouble> {
    let project = project(folder)?;
    let files = policy_files(&project);
    let policies =
        Policies::with(&files).map_err(|errors| Trouble::findings(findings(&errors, &files)))?;
    Ok((policies, files))
}

/// The matrix that was reviewed.
fn reviewed(folder: &Path) -> Result<String, Trouble> {
    let path = super::files::root(folder)?.join(FOLDER).join(MATRIX);
    fs::read_to_string(&path).map_err(|error| {
        let finding = Finding::error(
            qc_server::codes::NOT_REVIEWED,
            format!("the reviewed matrix {}: {error}", path.display()),
        );
        let help = "write it with `qc access matrix`, have it reviewed and commit it";
        Trouble::new(Exit::Findings, finding.help(help))
    })
}
