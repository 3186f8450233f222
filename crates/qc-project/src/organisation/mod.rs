//! `quickconnect.yaml`: the organisation. Teams and people (the owner directory), environments with their typed
//! variables, the versioning policy, notice periods and rotation cadences.

mod directory;
mod environment;
mod movement;
mod policy;
mod variable;

pub use directory::{Person, Team, Unit};
pub use environment::{Environment, GateMode, Tenants};
pub use movement::{MovementRule, MovementSpec, PEOPLE, SENDERS, Several};
pub use policy::{Events, Notice, Rotation, Versioning};
pub use variable::{Variable, VariableType};

use qc_document::{Node, Reader};
use qc_model::Name;
use serde_json::{Value, json};

use crate::shape::{Definitions, Fields, Named, Record, Shape, Spanned};

/// The organisation's file.
#[derive(Debug, Clone)]
pub struct Organisation {
    /// Its name.
    pub organisation: Option<Spanned<String>>,
    /// The people who can own things.
    pub people: Named<Name, Person>,
    /// The units, of which teams are parts.
    pub units: Named<Name, Unit>,
    /// The teams that can own things.
    pub teams: Named<Name, Team>,
    /// The variables that every environment gives a value.
    pub vars: Named<String, Variable>,
    /// The environments.
    pub environments: Named<Name, Environment>,
    /// How versions live.
    pub versioning: Option<Versioning>,
    /// How long before a change it is announced.
    pub notice: Option<Notice>,
    /// How often credentials are renewed.
    pub rotation: Option<Rotation>,
    /// The event bus.
    pub events: Option<Events>,
    /// Which data may go where.
    pub data_movement: Option<Spanned<MovementSpec>>,
    /// What looks like a credential in the files and is none.
    pub not_secrets: Vec<Fingerprint>,
}

/// The fingerprint of a text, as findings name it: 12 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(pub String);

impl Record for Organisation {
    const NAME: &'static str = "organisation";
    const DOC: &'static str = "The organisation: who owns things, which environments there are, and the rules for all integrations.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let organisation = f.required("organisation", "The organisation's name.");
        let people = f.several("people", "The people who can own things, by id.");
        let units = f.several(
            "units",
            "The parts of the organisation, by id; teams say to which they belong.",
        );
        let teams = f.several("teams", "The teams that can own things, by id.");
        let vars = f.several("vars", "The variables that environments give values, by name.");
        let environments = f.required("environments", "The environments, by name.");
        let versioning = f.optional("versioning", "How versions live.");
        let notice = f.optional("notice", "How long before a change it is announced.");
        let rotation = f.optional("rotation", "How often credentials are renewed.");
        let events = f.optional("events", "The event bus of each tenant and environment.");
        let data_movement = f.optional("data_movement", "Which data may go where.");
        let not_secrets = f.several(
            "not_secrets",
            "Fingerprints of what looks like a credential in the files and is none.",
        );
        Some(Self {
            organisation,
            people,
            units,
            teams,
            vars,
            environments: environments.unwrap_or_default(),
            versioning,
            notice,
            rotation,
            events,
            data_movement,
            not_secrets,
        })
    }
}

impl Organisation {
    /// The unit of what somebody owns: the team's; of a person the one of his teams, when there is just one.
    pub fn unit_of(&self, owner: &str) -> Option<&Name> {
        if let Some(team) = self.teams.get(owner) {
            return team.unit.as_ref().map(|unit| &unit.value);
        }
        let teams = self.teams.iter().map(|(_, team)| team);
        let own = teams.filter(|team| team.members.iter().any(|one| one.value.as_str() == owner));
        let mut units: Vec<&Name> =
            own.filter_map(|team| Some(&team.unit.as_ref()?.value)).collect();
        units.sort_unstable();
        units.dedup();
        match units.as_slice() {
            [unit] => Some(unit),
            _ => None,
        }
    }

    /// Whether a person or a team has this id.
    pub fn knows_owner(&self, id: &str) -> bool {
        self.people.get(id).is_some() || self.teams.get(id).is_some()
    }

    /// The ids of all people and teams.
    pub fn owner_ids(&self) -> impl Iterator<Item = &str> {
        self.people.names().chain(self.teams.names()).map(Name::as_str)
    }
}

impl Shape for Fingerprint {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        let text = reader.text(node, what)?;
        if text.len() == 12 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Some(Self(text.to_owned()));
        }
        let message = format!("{what} is no fingerprint");
        let finding = reader.error(qc_document::codes::INVALID_VALUE, node.span, message);
        reader
            .push(finding.help("copy the 12 letters and digits that the finding names, in quotes"));
        None
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "pattern": "^[0-9a-f]{12}$" })
    }
}
