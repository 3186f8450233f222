//! The keeper of connections: what the pure part decides is done here. One file, one deed.

mod ask;
mod consented;
mod deeds;
mod ends;
mod failure;
mod flight;
mod health;
mod incident;
mod keep;
mod news;
mod persist;
mod refresh;
mod shelf;
mod stored;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use qc_model::{Caller, Clock, Entropy, EnvironmentName};
use qc_store::{Committer, Store};
use qc_vault::{Secret, Vault};

use flight::Flights;
use news::Bell;
use shelf::Shelf;

pub use consented::{Consented, Departure, Returned};
pub use deeds::LinkMade;
pub use health::{Health, ProbeTurn};
pub use keep::Need;
pub use news::Seen;
pub use refresh::Why;

/// What connections need.
pub struct ConnectionsParts {
    /// The store, for reading.
    pub store: Arc<dyn Store>,
    /// Group commit over the store.
    pub committer: Committer,
    /// Who seals tokens.
    pub vault: Arc<Vault>,
    /// Who calls token endpoints.
    pub caller: Arc<dyn Caller>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness; the operating system's.
    pub entropy: Arc<dyn Entropy>,
    /// The environments in which broader grants than were asked for take a waiver.
    pub production: Vec<EnvironmentName>,
    /// How this node is called.
    pub node: String,
    /// How requests name the platform.
    pub user_agent: String,
}

/// All connections, as this node sees them. Nodes that share a store share their connections: one of them asks for new
/// tokens, all use them.
pub struct Connections {
    parts: ConnectionsParts,
    shelf: Shelf,
    flights: Flights,
    bell: Bell,
}

/// A token that may be used.
#[derive(Debug, Clone)]
pub struct Access {
    /// The access token.
    pub token: Secret,
    /// Which set of tokens it is of.
    pub generation: u64,
    /// Whether it is of the set before.
    pub previous: bool,
    /// The scopes that were granted; empty when the provider does not say.
    pub granted: Arc<[String]>,
}

impl Connections {
    /// From its parts. Nothing is read yet.
    pub fn new(parts: ConnectionsParts) -> Arc<Self> {
        let (shelf, flights) = (Shelf::default(), Flights::default());
        Arc::new(Self { parts, shelf, flights, bell: Bell::default() })
    }
}
