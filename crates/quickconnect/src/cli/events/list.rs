use std::path::PathBuf;

use qc_engine::topics;
use qc_project::compile;
use qc_server::wire::{EventUse, Page};

use crate::cli::{Exit, Trouble, files::query, output::table, session::Session};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// From the files of this project, offline, in place of what is deployed
    #[arg(long, value_name = "FOLDER")]
    project: Option<PathBuf>,
    /// Only this environment
    #[arg(long, conflicts_with = "project")]
    environment: Option<String>,
    /// Only this integration
    #[arg(long)]
    integration: Option<String>,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let page = if let Some(folder) = &arguments.project {
        of_project(folder, arguments.integration.as_deref())?
    } else {
        let filter = query(&[
            ("environment", arguments.environment.as_deref()),
            ("integration", arguments.integration.as_deref()),
        ]);
        session.client()?.get(&format!("/api/v1/event-types{filter}")).await?
    };
    session.output.result(&page, || {
        let rows: Vec<Vec<String>> = page.items.iter().map(row).collect();
        table(&["TYPE", "ROLE", "INTEGRATION", "BY", "ENVIRONMENT"], &rows)
    });
    Ok(Exit::Ok)
}

/// What the files of a project say.
fn of_project(folder: &std::path::Path, only: Option<&str>) -> Result<Page<EventUse>, Trouble> {
    let project = crate::cli::files::project(folder)?;
    let mut items = Vec::new();
    for name in project.integrations().keys() {
        if only.is_some_and(|only| only != name) {
            continue;
        }
        let compiled = compile::build(&project, name)
            .and_then(|bundle| compile::release(&bundle.effective()))
            .map_err(Trouble::findings)?;
        let uses = topics(&compiled.release).into_iter();
        items.extend(uses.map(|topic| EventUse::of(topic, None, name)));
    }
    items.sort_by(|a, b| {
        let key =
            |one: &EventUse| (one.event_type.clone(), one.role.clone(), one.integration.clone());
        key(a).cmp(&key(b))
    });
    Ok(Page::whole(items, None))
}

fn row(one: &EventUse) -> Vec<String> {
    vec![
        one.event_type.clone().unwrap_or_else(|| "(computed)".to_owned()),
        one.role.clone(),
        one.integration.clone(),
        one.place.clone(),
        one.environment.clone().unwrap_or_default(),
    ]
}
