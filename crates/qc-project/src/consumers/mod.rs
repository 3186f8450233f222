//! What consumers expect of an integration (their Pact files), held against each version of its contracts that answers:
//! who can speak which, and why not.

mod interaction;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use qc_contract::pact::Pact;
use qc_model::{Finding, Severity, Timestamp};
use qc_version::{
    State, Usage, Versions,
    expectation::{Cell, Miss, Unmet},
};

use crate::{
    Project, ProjectFiles, codes,
    compile::load_schema,
    files::file_place,
    integration::{TriggerForm, TriggerSpec},
    project::IntegrationFolder,
};
use interaction::{Asked, Side};

/// The folder of an integration in which the expectations lie that its own git has.
pub(crate) const CONSUMERS: &str = "consumers/";

/// The integration against which expectations are held.
pub struct Offered<'a> {
    project: &'a Project,
    folder: &'a IntegrationFolder,
    integration: &'a str,
    now: Timestamp,
    usage: Option<&'a Usage>,
}

impl<'a> Offered<'a> {
    /// An integration of a project, at a moment; with what is known of the use of its versions.
    ///
    /// Errors: when there is none of this name.
    pub fn new(
        project: &'a Project,
        integration: &'a str,
        now: Timestamp,
        usage: Option<&'a Usage>,
    ) -> Result<Self, Box<Finding>> {
        let folder = project.integration(integration)?;
        Ok(Self { project, folder, integration, now, usage })
    }

    /// The expectations that lie in its own folder, by their file. Findings: what cannot be read of them.
    pub fn own(&self) -> (BTreeMap<String, Pact>, Vec<Finding>) {
        read_own(self.project.files(), self.folder)
    }

    /// Each of these consumers at each version that answers, by consumer, trigger and version.
    ///
    /// Errors: what is wrong with the contracts.
    pub fn matrix(&self, pacts: &[&Pact]) -> Result<Vec<Cell>, Vec<Finding>> {
        let mut cells = Vec::new();
        for pact in pacts {
            let mut by_trigger: BTreeMap<&str, Vec<Asked<'_>>> = BTreeMap::new();
            for asked in pact.interactions.iter().filter_map(|it| Asked::of(it, self.integration)) {
                by_trigger.entry(asked.trigger).or_default().push(asked);
            }
            for (trigger, asked) in by_trigger {
                cells.extend(self.at_trigger(&pact.consumer, trigger, &asked)?);
            }
        }
        Ok(cells)
    }

    fn at_trigger(
        &self,
        consumer: &str,
        name: &str,
        asked: &[Asked<'_>],
    ) -> Result<Vec<Cell>, Vec<Finding>> {
        let cell = |version: &str, state, is_spoken, interactions, unmet| Cell {
            consumer: consumer.to_owned(),
            trigger: name.to_owned(),
            version: version.to_owned(),
            state,
            is_spoken,
            interactions,
            unmet,
        };
        let triggers = self.folder.definition.as_ref().map(|file| &file.value.triggers);
        let trigger = triggers.and_then(|it| it.get(name)).filter(|it| is_sent(it));
        let Some(trigger) = trigger else {
            let why =
                format!("`{}` has no trigger `{name}` to which somebody sends", self.integration);
            let unmet = asked.iter().map(|it| it.missed(why.clone())).collect();
            return Ok(vec![cell("", None, true, asked.len(), unmet)]);
        };
        if trigger.versions.is_none() {
            let contract = trigger.contract.as_ref();
            let contract = contract
                .map(|path| load_schema(self.project, self.folder, &path.path))
                .transpose()?;
            let side = Side { contract: contract.as_ref(), reply: None };
            let unmet = asked.iter().filter_map(|it| it.held(&side)).collect();
            return Ok(vec![cell("", None, true, asked.len(), unmet)]);
        }
        let versions = self.project.versions_of(self.integration, name)?;
        let spoken: Vec<Result<usize, String>> =
            asked.iter().map(|it| it.version(&versions, consumer)).collect();
        let mut cells = Vec::new();
        // What speaks a version that is not there speaks none that answers.
        let strangers = asked.iter().zip(&spoken).filter_map(|(it, spoken)| {
            let why = spoken.as_ref().err()?;
            Some(it.missed(why.clone()))
        });
        let strangers: Vec<Miss> = strangers.collect();
        if !strangers.is_empty() {
            cells.push(cell("", None, true, strangers.len(), strangers));
        }
        for (index, entry) in versions.entries().iter().enumerate() {
            let state = self.standing(name, &versions, index);
            let own: Vec<&Asked<'_>> = asked
                .iter()
                .zip(&spoken)
                .filter(|(_, spoken)| **spoken == Ok(index))
                .map(|(it, _)| it)
                .collect();
            let is_spoken = !own.is_empty();
            let looked: Vec<&Asked<'_>> = if is_spoken { own } else { asked.iter().collect() };
            let unmet: Vec<Miss> = match state {
                State::Retired { since } if is_spoken => {
                    let why = format!("version `{}` does not answer since {since}", entry.name);
                    looked.iter().map(|it| it.missed(why.clone())).collect()
                }
                State::Retired { .. } => continue,
                State::Draft
                | State::Current
                | State::Supported
                | State::Deprecated { .. }
                | State::Overdue { .. } => {
                    let side =
                        Side { contract: Some(&entry.contract), reply: entry.reply.as_ref() };
                    looked.iter().filter_map(|it| it.held(&side)).collect()
                }
            };
            cells.push(cell(entry.name.as_str(), Some(state), is_spoken, looked.len(), unmet));
        }
        Ok(cells)
    }

    fn standing(&self, trigger: &str, versions: &Versions, index: usize) -> State {
        let state = versions.state(index, self.now);
        let name = versions.entries()[index].name.as_str();
        let goes_on =
            self.usage.is_some_and(|it| it.outlives(trigger, name, versions.quiet, self.now));
        if goes_on { state.outliving() } else { state }
    }

    /// What consumers expect in the version that they speak, and do not get.
    ///
    /// Errors: what is wrong with the contracts.
    pub fn unmet(&self, pacts: &[&Pact]) -> Result<Vec<Unmet>, Vec<Finding>> {
        Ok(self.matrix(pacts)?.into_iter().flat_map(Cell::unmet).collect())
    }
}

fn is_sent(trigger: &TriggerSpec) -> bool {
    !matches!(
        trigger.form,
        TriggerForm::Schedule(_)
            | TriggerForm::Event(_)
            | TriggerForm::Poll { .. }
            | TriggerForm::Amqp { .. }
    )
}

fn read_own(
    files: &ProjectFiles,
    folder: &IntegrationFolder,
) -> (BTreeMap<String, Pact>, Vec<Finding>) {
    let (mut pacts, mut findings) = (BTreeMap::new(), Vec::new());
    for (path, _) in files.under(&folder.path(CONSUMERS.trim_end_matches('/'))) {
        if std::path::Path::new(path).extension().is_some_and(|kind| kind == "md") {
            continue;
        }
        let Some(text) = files.text(path) else {
            let finding = Finding::error(codes::CONSUMER, "it is no text").at(file_place(path));
            findings.push(finding.help("a consumer's expectations are a Pact file, in JSON"));
            continue;
        };
        let (pact, found) = Pact::read(path, text);
        let is_whole = found.iter().all(|finding| finding.severity != Severity::Error);
        findings.extend(found);
        pacts.extend(pact.filter(|_| is_whole).map(|pact| (path.to_owned(), pact)));
    }
    (pacts, findings)
}

/// `qc check`: what lies in `consumers/` is met by what is offered. Files say the same on each day, so no version has ended.
pub(crate) fn check(project: &Project, integration: &str) -> Vec<Finding> {
    let before_all = Timestamp::from_millis(0);
    let Ok(offered) = Offered::new(project, integration, before_all, None) else {
        return Vec::new();
    };
    let (pacts, mut findings) = offered.own();
    for (path, pact) in &pacts {
        // What is wrong with the contracts is reported where they are.
        let Ok(cells) = offered.matrix(&[pact]) else { continue };
        if cells.is_empty() {
            let message = format!("nothing in it is about `{integration}`");
            let help = format!(
                "requests to it go to `/in/ENVIRONMENT/{integration}/TRIGGER`; messages are held by `qc contract test`"
            );
            let finding = Finding::warning(codes::CONSUMER, message).at(file_place(path));
            findings.push(finding.help(help));
        }
        for cell in cells.iter().filter(|cell| cell.is_spoken) {
            for miss in &cell.unmet {
                let message = format!(
                    "`{}` expects what it does not get: {}: {}",
                    cell.consumer, miss.interaction, miss.why
                );
                let help = "serve what it speaks beside the new version (docs/versions.md), or have its file changed";
                findings
                    .push(Finding::error(codes::CONSUMER, message).at(file_place(path)).help(help));
            }
        }
    }
    findings
}
