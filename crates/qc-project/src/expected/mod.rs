//! What an integration expects of the systems that it calls, as its scenarios show it: the requests that it makes, and of
//! their answers what it cannot do without. A field is needed when a scenario, carried out once more with answers that lack
//! it, does something else. One Pact file for each connector, which a provider can verify, and which `qc check` holds
//! against the connector's description.

mod exchange;
mod held;
mod pact;
mod reads;

use std::collections::BTreeSet;

use qc_model::{Finding, Name};
use serde_json::Value;

use crate::{
    Project, ProjectFiles,
    acceptance::{AnswerField, Observed, Scenario, compiled, observed},
    codes,
    project::Loaded,
};
use exchange::Exchange;
pub(crate) use held::check;
use reads::{Reads, Stage};

/// The folder of an integration in which these files lie.
const EXPECTS: &str = "expects";

/// What an integration expects of all systems.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The integration.
    pub integration: String,
    /// The scenarios that were carried out.
    pub scenarios: Vec<String>,
    /// How often they were carried out, with all answers and with a field less.
    pub lives: usize,
    /// Of each system, by connector.
    pub systems: Vec<ExpectedOf>,
    /// What was seen and is in no file, in words.
    pub left_out: BTreeSet<String>,
}

/// What an integration expects of one system.
#[derive(Debug, Clone)]
pub struct ExpectedOf {
    /// The connector.
    pub connector: String,
    /// How many interactions there are.
    pub interactions: usize,
    /// The fields of answers that it needs, as `operation/pointer`.
    pub needs: Vec<String>,
    /// How many fields of the answers it can do without.
    pub spared: usize,
    /// The Pact file.
    pub pact: Value,
}

impl ExpectedOf {
    /// The file, as it is written.
    pub fn text(&self) -> String {
        let mut text = format!("{:#}", self.pact);
        text.push('\n');
        text
    }
}

/// Finds out what an integration expects, from its scenarios in which nothing goes wrong.
///
/// Errors: there is no such integration or scenario, the project is wrong, or a scenario does not pass or is not the same
/// the second time.
pub fn expected(project: &Project, integration: &str) -> Result<Expected, Vec<Finding>> {
    let folder = project.integration(integration).map_err(|finding| vec![*finding])?;
    // What was written before may be what has to be written anew.
    let written = format!("{}/", folder.path(EXPECTS));
    let files = project.files().iter().filter(|(path, _)| !path.starts_with(&written));
    let files = files.map(|(path, bytes)| (path.to_owned(), bytes.clone()));
    find(&Project::load(ProjectFiles::new(files)), integration)
}

fn find(project: &Project, integration: &str) -> Result<Expected, Vec<Finding>> {
    let folder = project.integration(integration).map_err(|finding| vec![*finding])?;
    let scenarios: Vec<&Loaded<Scenario>> =
        folder.scenarios.iter().filter(|file| file.value.is_calm()).collect();
    if scenarios.is_empty() {
        let message = format!("`{integration}` has no scenario in which nothing goes wrong");
        let help = "write one without `faults`: what a system answers is taken from it";
        return Err(vec![Finding::error(codes::NOT_TOLD, message).help(help)]);
    }
    let compiled = compiled(project, integration)?;
    let mut stage = Stage { project, folder, compiled: &compiled, lives: 0 };
    let mut seen: Vec<(&Loaded<Scenario>, Observed)> = Vec::new();
    for file in &scenarios {
        seen.push((file, stage.told(file)?));
    }
    let (mut exchanges, mut left_out) = (Vec::new(), BTreeSet::new());
    for (file, observed) in &seen {
        for (connector, entries) in &observed.requests {
            let Some(known) = project.connectors().get(connector.as_str()) else { continue };
            for entry in entries {
                match Exchange::of(connector, known.api(), entry, &file.value.scenario.value) {
                    Ok(exchange) => exchanges.extend(exchange),
                    Err(why) => drop(left_out.insert(why)),
                }
            }
        }
    }
    let reads = Reads::find(&mut stage, &seen, &exchanges)?;
    let connectors: BTreeSet<&Name> = exchanges.iter().map(|it| it.connector).collect();
    let systems = connectors.into_iter().map(|connector| {
        let own = exchanges.iter().filter(|it| it.connector == connector);
        pact::of(integration, connector, own, &reads)
    });
    let systems = systems.collect();
    let scenarios = scenarios.iter().map(|file| file.value.scenario.to_string()).collect();
    let lives = stage.lives;
    Ok(Expected { integration: integration.to_owned(), scenarios, lives, systems, left_out })
}

impl<'a> Stage<'a> {
    /// What a scenario does with all answers, having been found to pass, and to do the same again.
    fn told(&mut self, file: &'a Loaded<Scenario>) -> Result<Observed, Vec<Finding>> {
        let refused = |message: String, help: &str| {
            vec![file.error(codes::NOT_TOLD, file.value.scenario.span, message).help(help)]
        };
        let name = &file.value.scenario;
        let (first, second) = (self.live(file, &[])?, self.live(file, &[])?);
        if !first.findings.is_empty() {
            let message = format!("the scenario `{}` does not pass", name.value);
            let mut findings = refused(message, "`qc test` says why; mend it first");
            findings.extend(first.findings);
            return Err(findings);
        }
        if first.traces != second.traces {
            let message = format!("the scenario `{}` is not the same each time", name.value);
            let help = "this is a defect of QuickConnect: please report it";
            return Err(refused(message, help));
        }
        Ok(first)
    }

    pub(super) fn live(
        &mut self,
        file: &Loaded<Scenario>,
        without: &[&AnswerField],
    ) -> Result<Observed, Vec<Finding>> {
        self.lives += 1;
        observed(self.project, self.folder, self.compiled, file, without)
    }
}
