use std::collections::{BTreeMap, BTreeSet, HashMap};

use qc_access::{Action, Principal};
use qc_engine::Deployment;
use qc_model::{EnvironmentName, Name};

use crate::needs::{connections_of, secrets_of};

/// Stands for a unit where it is not known whose something is: no unit can have this name, so only the whole
/// organisation's people have to do with it.
const UNKNOWN: &str = "(unknown)";

type Units = BTreeSet<String>;

/// Which units own what, by the owner directories of the releases that are deployed.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    /// What each environment has.
    places: BTreeMap<String, OfPlace>,
    /// The units of each person.
    persons: HashMap<String, Vec<String>>,
    /// The units of each team.
    teams: HashMap<String, Vec<String>>,
    /// All units of the organisation.
    all: Vec<String>,
}

/// What units own in an environment.
#[derive(Debug, Default)]
struct OfPlace {
    /// The unit of each integration.
    integrations: BTreeMap<String, String>,
    /// The units of the integrations that use a connection.
    connections: BTreeMap<String, Units>,
    /// Those of the integrations that use a secret.
    secrets: BTreeMap<String, Units>,
}

impl Directory {
    /// By what is deployed. `unfit`: what is deployed and cannot be read here; it stays whose it was `before`.
    pub(crate) fn new(
        deployments: &[&Deployment],
        unfit: &[(EnvironmentName, Name)],
        before: &Self,
    ) -> Self {
        let mut directory = Self::default();
        for deployment in deployments {
            directory.add(deployment);
        }
        for (environment, integration) in unfit {
            let (environment, integration) = (environment.to_string(), integration.to_string());
            let known = before.places.get(&environment);
            let unit = known.and_then(|place| place.integrations.get(&integration)).cloned();
            let place = directory.places.entry(environment).or_default();
            place.integrations.insert(integration, unit.unwrap_or_else(|| UNKNOWN.to_owned()));
            // What it uses cannot be seen: nothing ceases to be a unit's by that.
            if let Some(known) = known {
                merge(&mut place.connections, &known.connections);
                merge(&mut place.secrets, &known.secrets);
            }
        }
        let mut all: Units =
            directory.places.values().flat_map(|it| it.integrations.values().cloned()).collect();
        let owning = all.clone();
        let (mut persons, mut teams) = (Claims::default(), Claims::default());
        for deployment in deployments {
            let people = &deployment.release.people;
            let says = people.unit.as_deref();
            all.extend(people.units.values().cloned());
            for (person, unit) in people.memberships() {
                persons.add(person, unit, says, &owning);
            }
            for (team, unit) in &people.units {
                teams.add(team, unit, says, &owning);
            }
        }
        directory.persons = persons.settled();
        directory.teams = teams.settled();
        directory.all = all.into_iter().collect();
        directory
    }

    fn add(&mut self, deployment: &Deployment) {
        let release = &deployment.release;
        let Some(unit) = &release.people.unit else { return };
        let place = self.places.entry(deployment.environment.to_string()).or_default();
        place.integrations.insert(release.integration.to_string(), unit.clone());
        for connection in connections_of(deployment) {
            place.connections.entry(connection).or_default().insert(unit.clone());
        }
        for secret in secrets_of(deployment) {
            place.secrets.entry(secret.name().to_owned()).or_default().insert(unit.clone());
        }
    }

    /// The units of a person; none: the whole organisation's.
    pub(crate) fn of_person(&self, person: &str) -> Vec<String> {
        self.persons.get(person).cloned().unwrap_or_default()
    }

    /// Those of a team or a person that owns something.
    fn of_owner(&self, owner: &str) -> Vec<String> {
        self.teams.get(owner).cloned().unwrap_or_else(|| self.of_person(owner))
    }

    /// The units in which somebody acts: the person's, else those of whoever owns the key.
    pub(crate) fn of_principal(&self, principal: &Principal) -> Vec<String> {
        self.of_holder(principal.person.as_ref(), principal.owner.as_deref())
    }

    fn of_holder(&self, person: Option<&Name>, owner: Option<&str>) -> Vec<String> {
        match (person, owner) {
            (Some(person), _) => self.of_person(person.as_str()),
            (None, Some(owner)) => self.of_owner(owner),
            (None, None) => Vec::new(),
        }
    }

    /// The units of a key as a thing: what the whole organisation's key opens belongs to all of them.
    pub(crate) fn of_key(&self, person: Option<&Name>, owner: Option<&str>) -> Vec<String> {
        let units = self.of_holder(person, owner);
        if units.is_empty() { self.all.clone() } else { units }
    }

    /// The units of what an action is done to. Without a name they are those of all that there is.
    pub(crate) fn of_thing(
        &self,
        action: Action,
        environment: Option<&str>,
        name: Option<&str>,
    ) -> Vec<String> {
        if !action.is_of_unit() {
            return Vec::new();
        }
        let places = || {
            let of = |own: &&String| environment.is_none_or(|name| name == own.as_str());
            self.places.iter().filter(move |(own, _)| of(own)).map(|(_, place)| place)
        };
        let units: Units = match (action.noun(), name) {
            ("tokens" | "audit" | "policies", _) => return self.all.clone(),
            ("connections", Some(name)) => places()
                .filter_map(|place| place.connections.get(name))
                .flatten()
                .cloned()
                .collect(),
            ("secrets", Some(name)) => {
                places().filter_map(|place| place.secrets.get(name)).flatten().cloned().collect()
            }
            (_, Some(name)) => {
                places().filter_map(|place| place.integrations.get(name)).cloned().collect()
            }
            (_, None) => places().flat_map(|place| place.integrations.values().cloned()).collect(),
        };
        units.into_iter().collect()
    }

    /// The secrets and connections of other units alone that a release would begin to use, in words.
    pub(crate) fn taken(&self, deployment: &Deployment, own: &[String]) -> Vec<String> {
        let Some(place) = self.places.get(deployment.environment.as_str()) else {
            return Vec::new();
        };
        let unit = deployment.release.people.unit.as_deref();
        // Who uses it already takes nothing.
        let others = |units: Option<&Units>| {
            units.is_some_and(|units| {
                !unit.is_some_and(|unit| units.contains(unit))
                    && !units.iter().all(|unit| own.contains(unit))
            })
        };
        let secrets = secrets_of(deployment);
        let secrets = secrets.iter().filter(|secret| others(place.secrets.get(secret.name())));
        let mut taken: Vec<String> = secrets.map(ToString::to_string).collect();
        let connections = connections_of(deployment).into_iter();
        let connections = connections.filter(|name| others(place.connections.get(name)));
        taken.extend(connections.map(|name| format!("the connection `{name}`")));
        taken
    }
}

fn merge(into: &mut BTreeMap<String, Units>, from: &BTreeMap<String, Units>) {
    for (name, units) in from {
        into.entry(name.clone()).or_default().extend(units.iter().cloned());
    }
}

/// Who is said to be of which unit. A unit that owns something says itself who is of it: what others say of it makes
/// nobody one of its own.
#[derive(Default)]
struct Claims(BTreeMap<String, Units>);

impl Claims {
    fn add(&mut self, who: &str, unit: &str, says: Option<&str>, owning: &Units) {
        let units = self.0.entry(who.to_owned()).or_default();
        if says == Some(unit) || !owning.contains(unit) {
            units.insert(unit.to_owned());
        }
    }

    /// Who is of a unit of which nothing is known is not the whole organisation's.
    fn settled(self) -> HashMap<String, Vec<String>> {
        let settle = |units: Units| {
            if units.is_empty() { vec![UNKNOWN.to_owned()] } else { units.into_iter().collect() }
        };
        self.0.into_iter().map(|(who, units)| (who, settle(units))).collect()
    }
}
