use qc_server::wire::{FailureGroup, Failures};

use super::{
    Exit, Trouble,
    files::{clock, query},
    session::Session,
};
use crate::cli::output::append;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// What failed lately, grouped; most frequent first
    Failures(FailuresArguments),
}

#[derive(Debug, clap::Args)]
pub(crate) struct FailuresArguments {
    /// How far to look back
    #[arg(long, default_value = "1h", value_name = "DURATION")]
    last: String,
    /// Only this environment
    #[arg(long)]
    environment: Option<String>,
    /// Only this integration
    #[arg(long)]
    integration: Option<String>,
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    let Verb::Failures(arguments) = verb;
    let filter = query(&[
        ("last", Some(&arguments.last)),
        ("environment", arguments.environment.as_deref()),
        ("integration", arguments.integration.as_deref()),
    ]);
    let path = format!("/api/v1/questions/failures{filter}");
    let failures: Failures = session.client()?.get(&path).await?;
    session.output.result(&failures, || {
        if failures.groups.is_empty() {
            return format!("nothing failed since {}", clock(&failures.since));
        }
        failures.groups.iter().map(shown).collect()
    });
    if failures.truncated {
        session.output.say("there was more than one question looks at; ask for a shorter time");
    }
    Ok(Exit::Ok)
}

fn shown(group: &FailureGroup) -> String {
    let place = match (&group.integration, &group.environment) {
        (Some(integration), Some(environment)) => format!(" ({integration} in {environment})"),
        _ => String::new(),
    };
    let (first, last) = (clock(&group.first_at), clock(&group.last_at));
    let mut text = format!(
        "{:>6} × {} {} {}{place}, {first} to {last}\n",
        group.count, group.code, group.kind, group.subject
    );
    if let Some(detail) = &group.detail {
        append(&mut text, format_args!("         {detail}\n"));
    }
    if let Some(run) = &group.example_run {
        append(&mut text, format_args!("         look at: qc runs show {run}\n"));
    }
    text
}
