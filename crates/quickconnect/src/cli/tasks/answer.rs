use std::path::PathBuf;

use qc_server::wire::{Act, ActOnTask, DecideTask, Task};
use serde::Serialize;
use serde_json::Value;

use super::show::load;
use crate::{
    cli::{Exit, Trouble, session::Session},
    codes,
};

#[derive(Debug, clap::Args)]
pub(crate) struct ClaimArguments {
    /// The task
    task: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct VerdictArguments {
    /// The task
    task: String,
    #[command(flatten)]
    evidence: Evidence,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ChooseArguments {
    /// The task
    task: String,
    /// The option's id
    option: String,
    #[command(flatten)]
    evidence: Evidence,
}

#[derive(Debug, clap::Args)]
pub(crate) struct FillArguments {
    /// The task
    task: String,
    /// The form's values: a JSON file
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    #[command(flatten)]
    evidence: Evidence,
}

/// Why, and of what.
#[derive(Debug, clap::Args)]
pub(crate) struct Evidence {
    /// Why; it stands in the journal and in the audit
    #[arg(long)]
    reason: Option<String>,
    /// The hash of what was seen, as `qc tasks show` gave it; left out, what is shown now is looked at first
    #[arg(long)]
    hash: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ActArguments {
    /// The task
    task: String,
    /// How: resume, skip, compensate or discard
    #[arg(value_enum)]
    act: Deed,
    /// With `skip`: what the workflow sees as the call's answer, JSON
    #[arg(long, value_name = "JSON")]
    output: Option<String>,
    /// Why; it stands in the journal and in the audit
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Deed {
    Resume,
    Skip,
    Compensate,
    Discard,
}

pub(super) async fn claim(session: &Session, arguments: &ClaimArguments) -> Result<Exit, Trouble> {
    let path = format!("/api/v1/tasks/{}/claim", arguments.task);
    let task: Task = session.client()?.post_bare(&path).await?;
    Ok(done(session, &task))
}

pub(super) async fn verdict(
    session: &Session,
    arguments: VerdictArguments,
    decision: &str,
) -> Result<Exit, Trouble> {
    decide(session, &arguments.task, decision.to_owned(), None, arguments.evidence).await
}

pub(super) async fn choose(session: &Session, arguments: ChooseArguments) -> Result<Exit, Trouble> {
    decide(session, &arguments.task, arguments.option, None, arguments.evidence).await
}

pub(super) async fn fill(session: &Session, arguments: FillArguments) -> Result<Exit, Trouble> {
    let text = std::fs::read_to_string(&arguments.data)
        .map_err(|error| Trouble::file(&arguments.data, &error))?;
    let data = Some(json_of(&text)?);
    decide(session, &arguments.task, "filled".to_owned(), data, arguments.evidence).await
}

async fn decide(
    session: &Session,
    task: &str,
    decision: String,
    data: Option<Value>,
    evidence: Evidence,
) -> Result<Exit, Trouble> {
    let Evidence { reason, hash } = evidence;
    let hash = if let Some(hash) = hash {
        hash
    } else {
        let seen = load(session, task).await?;
        if let Some(of) = &seen.of {
            session.output.say(&format!("{}\n{of}", seen.title));
        }
        seen.hash
    };
    let body = DecideTask { decision, data, reason, hash: Some(hash) };
    post(session, &format!("/api/v1/tasks/{task}/decide"), &body).await
}

pub(super) async fn act(session: &Session, arguments: ActArguments) -> Result<Exit, Trouble> {
    let act = match arguments.act {
        Deed::Resume => Act::Resume,
        Deed::Skip => Act::Skip,
        Deed::Compensate => Act::Compensate,
        Deed::Discard => Act::Discard,
    };
    let output = arguments.output.as_deref().map(json_of).transpose()?;
    let body = ActOnTask { act, output, reason: arguments.reason };
    post(session, &format!("/api/v1/tasks/{}/act", arguments.task), &body).await
}

async fn post(session: &Session, path: &str, body: &impl Serialize) -> Result<Exit, Trouble> {
    let task: Task = session.client()?.post(path, body).await?;
    Ok(done(session, &task))
}

fn done(session: &Session, task: &Task) -> Exit {
    session.output.result(task, || {
        let what = task.decision.as_deref().unwrap_or(&task.state);
        format!("{}: {what}", task.id)
    });
    Exit::Ok
}

fn json_of(text: &str) -> Result<Value, Trouble> {
    serde_json::from_str(text).map_err(|error| {
        Trouble::usage(
            codes::BAD_SETTING,
            format!("not JSON: {error}"),
            "quote the JSON for the shell",
        )
    })
}
