//! Who can be asked, of the organisation; and whom an integration turns to.

use std::collections::{BTreeMap, BTreeSet};

use qc_engine::{FailureMode, Failures, Level, People};
use qc_model::Name;

use crate::{
    Project,
    check::{declared_system, servers_of},
    integration::{Escalation, Integration},
    organisation::{Organisation, Team},
    project::{IntegrationFolder, Loaded},
    shape::Spanned,
};

/// The people of an integration's release.
pub(crate) fn people(
    project: &Project,
    folder: &IntegrationFolder,
    definition: &Loaded<Integration>,
    organisation: &Organisation,
) -> People {
    let integration = &definition.value;
    let teams: BTreeMap<String, BTreeSet<String>> = organisation
        .teams
        .iter()
        .map(|(id, team)| {
            let members = team.members.iter().map(|member| member.value.to_string());
            (id.value.to_string(), members.collect())
        })
        .collect();
    People {
        people: organisation.people.names().map(ToString::to_string).collect(),
        teams,
        contacts: organisation
            .teams
            .iter()
            .map(|(id, team)| (id.value.to_string(), team.contact.clone()))
            .collect(),
        units: organisation.teams.iter().filter_map(unit).collect(),
        unit: integration
            .owners
            .as_ref()
            .and_then(|owners| organisation.unit_of(owners.technical.as_str()))
            .map(ToString::to_string),
        asked: integration.owners.as_ref().map(|owners| owners.business.value.to_string()),
        escalation: levels(&integration.escalation),
        failure_modes: failure_modes(project, folder, integration),
    }
}

/// A team and its unit.
fn unit((id, team): (&Spanned<Name>, &Team)) -> Option<(String, String)> {
    Some((id.value.to_string(), team.unit.as_ref()?.value.to_string()))
}

fn levels(escalation: &[Escalation]) -> Vec<Level> {
    let levels = escalation.iter();
    levels.map(|level| Level { to: level.to.value.to_string(), after: level.after }).collect()
}

/// Those that say which failures they are and whom they ask.
fn failure_modes(
    project: &Project,
    folder: &IntegrationFolder,
    integration: &Integration,
) -> Vec<FailureMode> {
    let mut modes = Vec::new();
    for mode in integration.failure_modes.iter().filter(|mode| !mode.escalation.is_empty()) {
        let (system, failures) = match (&mode.system, &mode.matches) {
            (Some(system), _) => (Some(system), Failures::Absence),
            (None, Some(matches)) => {
                let failures = Failures::Of {
                    classes: matches.classes.iter().map(|class| class.0).collect(),
                    codes: matches.codes.iter().map(|code| code.0.clone()).collect(),
                };
                (matches.system.as_ref(), failures)
            }
            (None, None) => continue,
        };
        modes.push(FailureMode {
            id: mode.id.value.to_string(),
            tasks: system.map(|system| tasks_at(project, folder, integration, &system.value)),
            failures,
            escalation: levels(&mode.escalation),
        });
    }
    modes
}

/// The tasks that call a system.
fn tasks_at(
    project: &Project,
    folder: &IntegrationFolder,
    integration: &Integration,
    system: &Name,
) -> BTreeSet<String> {
    let has_connector = |name: &str| project.has_connector_folder(name);
    let servers = |document: &str| {
        let known = folder.documents.iter().find(|(address, _)| *address == document);
        known.map(|(_, api)| servers_of(api)).unwrap_or_default()
    };
    let calls = folder.program.iter().flat_map(|program| program.calls());
    let there = calls.filter(|site| {
        declared_system(&integration.systems, &has_connector, &servers, site) == Some(system)
    });
    there.map(|site| site.pointer.to_string()).collect()
}
