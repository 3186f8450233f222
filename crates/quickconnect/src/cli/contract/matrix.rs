use std::path::PathBuf;

use qc_model::Clock;
use qc_project::consumers::Offered;
use qc_server::wire::{ConsumerAtVersion, ContractMatrix};
use qc_version::expectation::Cell;
use serde_json::json;

use crate::{
    cli::{
        Exit, Trouble,
        files::{clock, project},
        output::table,
        session::Session,
    },
    wiring::SystemClock,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The integration
    integration: String,
    /// As it runs in this environment, with the consumers who published there; from files when left out
    #[arg(long, value_name = "ENVIRONMENT")]
    environment: Option<String>,
    /// The project's folder
    #[arg(long, value_name = "DIR", default_value = ".", conflicts_with = "environment")]
    project: PathBuf,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let integration = &arguments.integration;
    let items = if let Some(environment) = &arguments.environment {
        let path = format!("/api/v1/contracts/{environment}/{integration}/matrix");
        let matrix: ContractMatrix = session.client()?.get(&path).await?;
        session.output.result(&matrix, || shown(&matrix.items));
        matrix.items
    } else {
        let items = of_files(arguments)?;
        let value = json!({ "schema_version": 1, "integration": integration, "items": items });
        session.output.result(&value, || shown(&items));
        items
    };
    let fits = items.iter().filter(|item| item.is_spoken).all(|item| item.fits);
    Ok(if fits { Exit::Ok } else { Exit::Findings })
}

fn of_files(arguments: &Arguments) -> Result<Vec<ConsumerAtVersion>, Trouble> {
    let project = project(&arguments.project)?;
    let offered = Offered::new(&project, &arguments.integration, SystemClock.now(), None)
        .map_err(|finding| Trouble::new(Exit::NotFound, *finding))?;
    let (pacts, findings) = offered.own();
    if !findings.is_empty() {
        return Err(Trouble::findings(findings));
    }
    let pacts: Vec<_> = pacts.values().collect();
    let cells = offered.matrix(&pacts).map_err(Trouble::findings)?;
    Ok(cells.into_iter().map(item).collect())
}

fn item(cell: Cell) -> ConsumerAtVersion {
    let misses = cell.unmet.iter().map(|it| qc_server::wire::ConsumerMiss {
        interaction: it.interaction.clone(),
        why: it.why.clone(),
    });
    ConsumerAtVersion {
        fits: cell.unmet.is_empty(),
        unmet: misses.collect(),
        consumer: cell.consumer,
        trigger: cell.trigger,
        version: cell.version,
        state: cell.state.map(|state| state.as_str().to_owned()),
        is_spoken: cell.is_spoken,
        last: None,
        published: None,
        published_at: None,
        interactions: cell.interactions,
    }
}

/// A row for each consumer and version, and below them why something does not go.
pub(super) fn shown(items: &[ConsumerAtVersion]) -> String {
    if items.is_empty() {
        return "No consumer has said what it expects: put Pact files into `consumers/` of the integration, or have them \
                published (`qc contract publish`).\n"
            .to_owned();
    }
    let rows: Vec<Vec<String>> = items.iter().map(row).collect();
    let head = ["CONSUMER", "TRIGGER", "VERSION", "STATE", "SPEAKS IT", "FITS", "LAST"];
    let mut text = table(&head, &rows);
    for item in items.iter().filter(|item| !item.fits) {
        for miss in &item.unmet {
            let at = format!("{} {}", item.trigger, item.version);
            let at = at.trim_end();
            for part in [&item.consumer, " at ", at, ": ", &miss.interaction, ": ", &miss.why, "\n"]
            {
                text.push_str(part);
            }
        }
    }
    text
}

fn row(item: &ConsumerAtVersion) -> Vec<String> {
    let fits = item.interactions - item.unmet.len();
    vec![
        item.consumer.clone(),
        item.trigger.clone(),
        item.version.clone(),
        item.state.clone().unwrap_or_default(),
        if item.is_spoken { "yes" } else { "" }.to_owned(),
        format!("{fits} of {}", item.interactions),
        item.last.as_deref().map(clock).unwrap_or_default(),
    ]
}
