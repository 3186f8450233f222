//! Running scenarios.

use std::collections::BTreeSet;

use qc_model::Finding;

use super::{
    Report, Scenario, ScenarioReport,
    life::{Outcome, carry_out, inject},
    send::Door,
    verdict::{Judge, dead_letters, elapsed, published},
    world::World,
};
use crate::{
    Project, codes,
    compile::{Compiled, build, release},
    project::{IntegrationFolder, Loaded},
};

/// Which scenarios to run.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only those of this integration.
    pub integration: Option<String>,
    /// Only the one with this name.
    pub scenario: Option<String>,
}

/// Runs scenarios, one after the other, each in a world of its own. Takes no time to speak of, whatever time passes in
/// them, and needs no network.
pub fn run(project: &Project, selection: &Selection) -> Report {
    let mut report = Report { scenarios: Vec::new(), uncovered: Vec::new() };
    for (name, folder) in project.integrations() {
        if selection.integration.as_ref().is_some_and(|wanted| wanted != name) {
            continue;
        }
        let wanted = |file: &&Loaded<Scenario>| {
            selection.scenario.as_ref().is_none_or(|wanted| wanted == file.value.scenario.as_str())
        };
        let files: Vec<&Loaded<Scenario>> = folder.scenarios.iter().filter(wanted).collect();
        let compiled = compiled(project, name);
        let reports: Vec<ScenarioReport> =
            files.iter().map(|file| one(project, folder, compiled.as_ref(), file)).collect();
        if selection.scenario.is_none() {
            report.uncovered.extend(uncovered(folder, &reports));
        }
        report.scenarios.extend(reports);
    }
    report
}

pub(crate) fn compiled(project: &Project, name: &str) -> Result<Compiled, Vec<Finding>> {
    let bundle = build(project, name)?;
    release(&bundle.effective())
}

fn one(
    project: &Project,
    folder: &IntegrationFolder,
    compiled: Result<&Compiled, &Vec<Finding>>,
    file: &Loaded<Scenario>,
) -> ScenarioReport {
    let mut report = ScenarioReport {
        integration: folder.name().to_owned(),
        scenario: file.value.scenario.to_string(),
        title: file.value.title.clone(),
        file: file.source.path.to_string(),
        covers: covers(folder, file),
        findings: Vec::new(),
        runs: 0,
        journals: Vec::new(),
        requests: 0,
        elapsed: std::time::Duration::ZERO,
    };
    let world = match compiled {
        Ok(compiled) => World::build(project, folder, compiled, file),
        Err(findings) => Err(findings.clone()),
    };
    let world = match world {
        Ok(world) => world,
        Err(findings) => {
            let message = "the project has errors, so the scenario cannot be carried out";
            report.findings.push(
                file.error(codes::SCENARIO_BROKEN, file.value.scenario.span, message)
                    .help("`qc check` lists them all"),
            );
            report.findings.extend(findings);
            return report;
        }
    };
    let (outcome, findings) = carried(&Door { project, folder, file, world: &world });
    report.runs = outcome.heads.len();
    report.elapsed = elapsed(&outcome);
    report.findings = findings;
    if !report.passed() {
        report.journals = outcome.journals;
    }
    report.requests = world.providers.values().map(|provider| provider.received()).sum();
    report
}

/// What became of it, and whether it is what the scenario wants.
pub(super) fn carried(door: &Door<'_>) -> (Outcome, Vec<Finding>) {
    apart(|| live(door)).unwrap_or_else(|why| {
        let message = format!("the scenario could not be carried out: {why}");
        let at = door.file.value.scenario.span;
        (Outcome::default(), vec![door.file.error(codes::SCENARIO_BROKEN, at, message)])
    })
}

/// In a thread of its own: the caller may be inside a runtime, in which no other one can run.
pub(super) fn apart<T: Send>(deed: impl FnOnce() -> T + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let name = "acceptance".to_owned();
        let thread = std::thread::Builder::new().name(name).spawn_scoped(scope, deed);
        thread.map_err(|error| error.to_string()).and_then(|thread| {
            let ended = thread.join();
            ended.map_err(|_| "it ended in a panic: this is a defect of QuickConnect".to_owned())
        })
    })
}

fn live(door: &Door<'_>) -> (Outcome, Vec<Finding>) {
    let faults = &door.file.value.faults;
    let mut findings: Vec<Finding> =
        faults.iter().filter_map(|fault| inject(door, fault)).collect();
    if !findings.is_empty() {
        return (Outcome::default(), findings);
    }
    let outcome = carry_out(door);
    findings.extend(outcome.findings.iter().cloned());
    findings.extend(Judge { door, outcome: &outcome, findings: Vec::new() }.judge());
    match tokio::runtime::Builder::new_current_thread().build() {
        Ok(runtime) => {
            findings.extend(runtime.block_on(dead_letters(door)));
            findings.extend(runtime.block_on(published(door)));
        }
        Err(error) => findings.push(Finding::error(codes::SCENARIO_BROKEN, error.to_string())),
    }
    (outcome, findings)
}

/// The failure modes that name this scenario.
fn covers(folder: &IntegrationFolder, file: &Loaded<Scenario>) -> Vec<String> {
    let modes = folder.definition.iter().flat_map(|definition| &definition.value.failure_modes);
    modes
        .filter(|mode| {
            mode.scenario.as_ref().is_some_and(|path| folder.path(&path.path) == *file.source.path)
        })
        .map(|mode| mode.id.to_string())
        .collect()
}

fn uncovered(folder: &IntegrationFolder, reports: &[ScenarioReport]) -> Vec<Finding> {
    let Some(definition) = &folder.definition else { return Vec::new() };
    let proven: BTreeSet<&String> =
        reports.iter().filter(|report| report.passed()).flat_map(|report| &report.covers).collect();
    let open =
        definition.value.failure_modes.iter().filter(|mode| !proven.contains(&mode.id.to_string()));
    open.map(|mode| {
        let message =
            format!("no passing fault scenario covers the failure mode `{}`", mode.id.value);
        let finding = definition.warning(codes::UNCOVERED, mode.id.span, message);
        finding.help("name a scenario with `faults` in its `scenario`, and make it pass")
    })
    .collect()
}
