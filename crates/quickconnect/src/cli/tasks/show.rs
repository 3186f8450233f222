use qc_server::wire::{Act, Task};

use crate::cli::{Exit, Trouble, files::clock, output::append, session::Session};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The task
    task: String,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let task = load(session, &arguments.task).await?;
    session.output.result(&task, || shown(&task));
    Ok(Exit::Ok)
}

/// The task with everything that it shows.
pub(super) async fn load(session: &Session, task: &str) -> Result<Task, Trouble> {
    session.client()?.get(&format!("/api/v1/tasks/{task}")).await
}

/// A task in words: whoever has never seen one knows what to do next.
pub(super) fn shown(task: &Task) -> String {
    let mut text = format!("{}  {}\n", task.title, task.state);
    let mut fact = |name: &str, value: &str| {
        if !value.is_empty() {
            append(&mut text, format_args!("  {name:<12} {value}\n"));
        }
    };
    fact("task", &task.id);
    fact("about", task.description.as_deref().unwrap_or_default());
    fact("run", &task.run);
    fact("subject", task.subject.as_deref().unwrap_or_default());
    fact("integration", &format!("{} in {}", task.integration, task.environment));
    fact("asked", &task.asked.join(", "));
    let next = task.next.as_ref().map(|next| format!("{} from {} on", next.to, clock(&next.at)));
    fact("then", &next.unwrap_or_default());
    fact("opened", &clock(&task.opened_at));
    let after = task.on_expiry.as_deref().unwrap_or("failed");
    let ends = task.deadline.as_deref().map(|at| format!("{}, as {after}", clock(at)));
    fact("ends", &ends.unwrap_or_default());
    let at = task.at.as_deref().map(clock).unwrap_or_default();
    if let Some(decision) = &task.decision {
        let by = task.by.as_deref().unwrap_or("nobody");
        fact("decided", &format!("{decision} by {by}, {at}"));
    } else if let Some(by) = &task.by {
        fact("taken", &format!("by {by}, {at}"));
    }
    fact("reason", task.reason.as_deref().unwrap_or_default());
    if let Some(of) = &task.of {
        let pretty = serde_json::to_string_pretty(of).unwrap_or_default();
        append(&mut text, format_args!("shown ({})\n", task.hash));
        for line in pretty.lines() {
            append(&mut text, format_args!("  {line}\n"));
        }
    }
    if let Some(data) = &task.data {
        append(&mut text, format_args!("filled\n  {data}\n"));
    }
    if matches!(task.state.as_str(), "open" | "claimed") {
        text.push_str("answer\n");
        for line in answers(task) {
            append(&mut text, format_args!("  {line}\n"));
        }
    }
    text
}

/// What can be done, as commands.
fn answers(task: &Task) -> Vec<String> {
    let id = &task.id;
    match task.kind.as_str() {
        "approve" => {
            ["approve", "reject"].map(|verb| format!("qc tasks {verb} {id} --reason WHY")).into()
        }
        "choose" => task
            .options
            .iter()
            .map(|option| {
                let title = if option.title == option.id { "" } else { &option.title };
                format!("qc tasks choose {id} {}  {title}", option.id).trim_end().to_owned()
            })
            .collect(),
        "fill" => {
            let schema = task.schema.as_ref().map(ToString::to_string).unwrap_or_default();
            vec![format!("qc tasks fill {id} --data FILE"), format!("a JSON file that fits {schema}")]
        }
        _ => task
            .actions
            .iter()
            .map(|act| match act {
                Act::Resume => format!("qc tasks act {id} resume      try again"),
                Act::Skip => format!(
                    "qc tasks act {id} skip --output JSON      go on, with this as the call's answer"
                ),
                Act::Compensate => {
                    format!("qc tasks act {id} compensate      end the run and undo what it did")
                }
                Act::Discard => format!("qc tasks act {id} discard      give it up"),
            })
            .collect(),
    }
}
