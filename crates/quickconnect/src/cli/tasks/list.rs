use qc_server::wire::{Page, Task};

use crate::cli::{
    Exit, Trouble,
    files::{clock, query},
    output::table,
    session::Session,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Those that are over, in place of those that wait
    #[arg(long)]
    over: bool,
    /// Only tasks for which this person or team is asked, by id
    #[arg(long, value_name = "ID")]
    assignee: Option<String>,
    /// Only this environment
    #[arg(long)]
    environment: Option<String>,
    /// Only this integration
    #[arg(long)]
    integration: Option<String>,
    /// Only tasks of this run
    #[arg(long)]
    run: Option<String>,
    /// Only tasks after this one
    #[arg(long, value_name = "TASK")]
    after: Option<String>,
    /// At most so many
    #[arg(long, default_value = "50")]
    limit: String,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let filter = query(&[
        ("state", arguments.over.then_some("over")),
        ("assignee", arguments.assignee.as_deref()),
        ("environment", arguments.environment.as_deref()),
        ("integration", arguments.integration.as_deref()),
        ("run", arguments.run.as_deref()),
        ("after", arguments.after.as_deref()),
        ("limit", Some(&arguments.limit)),
    ]);
    let page: Page<Task> = session.client()?.get(&format!("/api/v1/tasks{filter}")).await?;
    session.output.result(&page, || {
        let rows: Vec<Vec<String>> = page
            .items
            .iter()
            .map(|task| {
                vec![
                    task.id.clone(),
                    task.kind.clone(),
                    task.state.clone(),
                    task.by.clone().unwrap_or_else(|| task.asked.join(", ")),
                    task.deadline.as_deref().map_or_else(|| "never".to_owned(), clock),
                    format!("{} in {}", task.integration, task.environment),
                    task.title.clone(),
                ]
            })
            .collect();
        table(&["TASK", "KIND", "STATE", "WHO", "ENDS", "INTEGRATION", "TITLE"], &rows)
    });
    if let Some(next) = &page.next {
        session.output.say(&format!("there is more: --after {next}"));
    }
    Ok(Exit::Ok)
}
