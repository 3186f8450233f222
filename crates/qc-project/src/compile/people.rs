//! Who can be asked, of the organisation; and whom an integration turns to.

use std::collections::{BTreeMap, BTreeSet};

use qc_engine::{Level, People};

use crate::{integration::Integration, organisation::Organisation};

/// The people of an integration's release.
pub(crate) fn people(integration: &Integration, organisation: &Organisation) -> People {
    let teams: BTreeMap<String, BTreeSet<String>> = organisation
        .teams
        .iter()
        .map(|(id, team)| {
            let members = team.members.iter().map(|member| member.value.to_string());
            (id.value.to_string(), members.collect())
        })
        .collect();
    let levels = integration.escalation.iter();
    People {
        people: organisation.people.names().map(ToString::to_string).collect(),
        teams,
        asked: integration.owners.as_ref().map(|owners| owners.business.value.to_string()),
        escalation: levels
            .map(|level| Level { to: level.to.value.to_string(), after: level.after })
            .collect(),
    }
}
