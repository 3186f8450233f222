//! `quickconnect.yaml`: the organisation. Teams and people (the owner directory), environments with their typed
//! variables, the versioning policy, notice periods and rotation cadences.

mod directory;
mod environment;
mod policy;
mod variable;

pub use directory::{Person, Team};
pub use environment::{Environment, Tenants};
pub use policy::{Events, Notice, Rotation, Versioning};
pub use variable::{Variable, VariableType};

use qc_model::Name;

use crate::shape::{Fields, Named, Record, Spanned};

/// The organisation's file.
#[derive(Debug, Clone)]
pub struct Organisation {
    /// Its name.
    pub organisation: Option<Spanned<String>>,
    /// The people who can own things.
    pub people: Named<Name, Person>,
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
}

impl Record for Organisation {
    const NAME: &'static str = "organisation";
    const DOC: &'static str = "The organisation: who owns things, which environments there are, and the rules for all integrations.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let organisation = f.required("organisation", "The organisation's name.");
        let people = f.several("people", "The people who can own things, by id.");
        let teams = f.several("teams", "The teams that can own things, by id.");
        let vars = f.several("vars", "The variables that environments give values, by name.");
        let environments = f.required("environments", "The environments, by name.");
        let versioning = f.optional("versioning", "How versions live.");
        let notice = f.optional("notice", "How long before a change it is announced.");
        let rotation = f.optional("rotation", "How often credentials are renewed.");
        let events = f.optional("events", "The event bus of each tenant and environment.");
        Some(Self {
            organisation,
            people,
            teams,
            vars,
            environments: environments.unwrap_or_default(),
            versioning,
            notice,
            rotation,
            events,
        })
    }
}

impl Organisation {
    /// Whether a person or a team has this id.
    pub fn knows_owner(&self, id: &str) -> bool {
        self.people.get(id).is_some() || self.teams.get(id).is_some()
    }

    /// The ids of all people and teams.
    pub fn owner_ids(&self) -> impl Iterator<Item = &str> {
        self.people.names().chain(self.teams.names()).map(Name::as_str)
    }
}
