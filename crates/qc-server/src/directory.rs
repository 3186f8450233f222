use std::collections::{BTreeSet, HashMap};

use qc_access::Action;
use qc_engine::Deployment;

/// Which units own what, by the owner directories of the releases that are deployed.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    /// The unit of each integration of an environment.
    owned: HashMap<String, HashMap<String, String>>,
    /// The units of each person.
    units: HashMap<String, Vec<String>>,
}

impl Directory {
    pub(crate) fn new(deployments: &[Deployment]) -> Self {
        let mut directory = Self::default();
        let mut units: HashMap<String, BTreeSet<String>> = HashMap::new();
        for deployment in deployments {
            let (release, environment) = (&deployment.release, deployment.environment.to_string());
            if let Some(unit) = &release.people.unit {
                let owned = directory.owned.entry(environment).or_default();
                owned.insert(release.integration.to_string(), unit.clone());
            }
            for (person, unit) in release.people.memberships() {
                units.entry(person.to_owned()).or_default().insert(unit.to_owned());
            }
        }
        let units = units.into_iter();
        directory.units = units.map(|(who, units)| (who, units.into_iter().collect())).collect();
        directory
    }

    /// The units of a person; none: the whole organisation's.
    pub(crate) fn of_person(&self, person: &str) -> Vec<String> {
        self.units.get(person).cloned().unwrap_or_default()
    }

    /// The units of what an action is done to: of a list, those of all that may be in it.
    pub(crate) fn of_thing(
        &self,
        action: Action,
        environment: Option<&str>,
        name: Option<&str>,
    ) -> Vec<String> {
        if !action.is_of_unit() {
            return Vec::new();
        }
        let places =
            self.owned.iter().filter(|(place, _)| environment.is_none_or(|own| own == *place));
        let owned = places.flat_map(|(_, owned)| owned);
        let there = owned.filter(|(integration, _)| name.is_none_or(|own| own == *integration));
        let units: BTreeSet<String> = there.map(|(_, unit)| unit.clone()).collect();
        units.into_iter().collect()
    }
}
