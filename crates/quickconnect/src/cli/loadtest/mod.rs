//! `qc loadtest`: the traffic that a brief declares, sent to the integration on a server of its own with simulated
//! systems, and held against the brief's non-functional requirements.

mod drive;
mod shown;
mod stage;

use std::{fs, path::PathBuf};

use qc_model::{Clock, EnvironmentName};
use qc_project::load::{About, EVIDENCE, LoadProfile, LoadReport, Pace, grade, plan};

use super::{
    Exit, Trouble,
    files::{project, root},
    session::Session,
};
use crate::{codes, signals::Signals, wiring::SystemClock};
use drive::Driver;
use stage::Stage;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The integration
    integration: String,
    /// The project's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// The environment whose variables are used
    #[arg(long, default_value = "sandbox")]
    environment: String,
    /// How long the average and the peak are held, each
    #[arg(long, default_value = "20", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Send so many times as fast as declared: for rates of which little would be seen otherwise
    #[arg(long, default_value = "1", value_parser = speed)]
    speed: f64,
    /// Over how many ordering keys the events are spread
    #[arg(long, default_value = "50", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    keys: u64,
    /// The store: `sqlite`, which is emptied first, `memory` or a `postgres://` URL
    #[arg(long, default_value = "sqlite")]
    store: String,
    /// Keep no evidence in the project
    #[arg(long)]
    no_evidence: bool,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (0.01..=10_000.0).contains(&speed) => Ok(speed),
        _ => Err("a number from 0.01 to 10000".to_owned()),
    }
}

pub(super) async fn run(
    session: &Session,
    arguments: &Arguments,
    mut signals: Signals,
) -> Result<Exit, Trouble> {
    let environment: EnvironmentName = arguments.environment.parse().map_err(|error| {
        Trouble::usage(codes::BAD_SETTING, format!("`--environment`: {error}"), "write `sandbox`")
    })?;
    let output = session.output;
    let (folder, project) = (root(&arguments.folder)?, project(&arguments.folder)?);
    let name = &arguments.integration;
    let integration =
        project.integration(name).map_err(|finding| Trouble::new(Exit::NotFound, *finding))?;
    if integration.definition.is_none() {
        return Err(Trouble::findings(project.load_findings().to_vec()));
    }
    let profile =
        LoadProfile::of(integration).map_err(|finding| Trouble::findings(vec![*finding]))?;
    for trigger in &profile.left_out {
        output.say(&format!("`{trigger}` is left out: nobody sends to it over HTTP"));
    }
    let pace = Pace { seconds: arguments.seconds, speed: arguments.speed };
    let phases = plan(&profile, pace);
    let stage = Stage::set(
        session,
        (&folder, &project),
        integration,
        (&environment, &arguments.store),
        &signals,
    )
    .await?;
    let about = About {
        integration: name.clone(),
        release: stage.release().to_owned(),
        at: SystemClock.now(),
        pace,
        machine: machine(&arguments.store),
    };
    let driven = {
        let driver = Driver::new(&stage, &project, integration, &profile, arguments.keys)?;
        signals.unless(driver.drive(&profile, &phases, output)).await
    };
    stage.end().await;
    let Some(sent) = driven else { return Ok(Exit::Interrupted) };
    let report = grade(about, profile, &phases, &sent);
    output.result(&report, || shown::human(&report));
    if !arguments.no_evidence {
        let path = folder.join(integration.path(EVIDENCE));
        keep(&path, &report)?;
        output.say(&format!("kept in {}", path.display()));
    }
    Ok(if report.passed { Exit::Ok } else { Exit::Findings })
}

fn keep(path: &std::path::Path, report: &LoadReport) -> Result<(), Trouble> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(|error| Trouble::file(folder, &error))?;
    let mut text = serde_json::to_string_pretty(report).unwrap_or_default();
    text.push('\n');
    fs::write(path, text).map_err(|error| Trouble::file(path, &error))
}

/// What a reader has to know of where it was measured.
fn machine(store: &str) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let build = if cfg!(debug_assertions) { "a debug build" } else { "a release build" };
    let store = if store.starts_with("postgres") { "PostgreSQL" } else { store };
    format!(
        "{cores} cores, {} {}, {build} {}, {store}, sender and systems in the same process",
        std::env::consts::OS,
        std::env::consts::ARCH,
        env!("CARGO_PKG_VERSION"),
    )
}
