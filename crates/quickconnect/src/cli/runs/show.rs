use qc_server::wire::{RunEnd, RunJournal};

use super::journal::{line, undone};
use crate::cli::{Exit, Trouble, files::clock, output::append, session::Session};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The run
    run: String,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let path = format!("/api/v1/runs/{}/journal", arguments.run);
    let journal: RunJournal = session.client()?.get(&path).await?;
    session.output.result(&journal, || shown(&journal));
    Ok(Exit::Ok)
}

fn shown(journal: &RunJournal) -> String {
    let run = &journal.run;
    let mut text =
        format!("{}  {}  {}\n", run.run, run.status, run.subject.as_deref().unwrap_or(""));
    let mut fact = |name: &str, value: &str| {
        if !value.is_empty() {
            append(&mut text, format_args!("  {name:<12} {value}\n"));
        }
    };
    fact("summary", run.summary.as_deref().unwrap_or_default());
    fact("integration", &format!("{} in {}", run.integration, run.environment));
    fact("trigger", &run.trigger);
    fact("tenant", &run.tenant);
    fact("release", &run.release);
    fact("priority", run.priority.as_deref().unwrap_or_default());
    fact("accepted", &clock(&run.accepted_at));
    fact("updated", &clock(&run.updated_at));
    fact("wakes", &run.wake_at.as_deref().map(clock).unwrap_or_default());
    fact("trace", run.trace.as_deref().unwrap_or_default());
    fact("run by", run.parent.as_deref().unwrap_or_default());
    for (name, values) in &run.keys {
        fact(name, &values.join(", "));
    }
    fact("replays", run.replay_of.as_deref().unwrap_or_default());
    for child in &run.children {
        let (run, status, integration) = (&child.run, &child.status, &child.integration);
        append(&mut text, format_args!("  {:<12} {run}  {status}  {integration}\n", "runs"));
    }
    text.push_str("journal\n");
    for entry in &journal.journal {
        append(&mut text, format_args!("  {}\n", line(entry)));
    }
    if !journal.undone.is_empty() {
        text.push_str("undone, the last task first\n");
    }
    for one in &journal.undone {
        append(&mut text, format_args!("  {}\n", undone(one)));
    }
    match &journal.end {
        None => {}
        Some(RunEnd::Completed { output }) => {
            append(&mut text, format_args!("output\n  {output}\n"));
        }
        Some(RunEnd::Faulted { failure, .. }) => {
            let word = |key: &str| failure[key].as_str().unwrap_or_default().to_owned();
            let (code, title, detail) = (word("code"), word("title"), word("detail"));
            append(&mut text, format_args!("failure\n  {code} {title}: {detail}\n"));
            let owner = match (word("owner"), word("contact")) {
                (owner, _) if owner.is_empty() => String::new(),
                (owner, contact) if contact.is_empty() => format!(" ({owner})"),
                (owner, contact) => format!(" ({owner}, {contact})"),
            };
            append(&mut text, format_args!("  next: {}{owner}\n", word("next_action")));
            append(&mut text, format_args!("  see {}\n", word("page")));
        }
        Some(RunEnd::Cancelled { reason }) => {
            append(&mut text, format_args!("cancelled\n  {reason}\n"));
        }
    }
    text
}
