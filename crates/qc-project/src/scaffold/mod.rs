//! New projects, and new parts of projects.

mod connector;
mod embedded;
mod integration;
mod write;

pub use connector::{NewConnector, new_connector};
pub use integration::new_integration;
pub use write::write;

use crate::ProjectFiles;

/// A project to begin with: complete, with fixtures and passing scenarios.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// A request becomes a ticket, and the ticket's number goes back.
    TicketSync,
    /// A record is kept the same in two systems.
    StateSync,
    /// A channel is told of an event.
    Notify,
}

impl Template {
    /// All templates.
    pub const ALL: [Self; 3] = [Self::TicketSync, Self::StateSync, Self::Notify];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::TicketSync => "ticket-sync",
            Self::StateSync => "state-sync",
            Self::Notify => "notify",
        }
    }

    /// What it does, in a line.
    pub fn description(self) -> &'static str {
        match self {
            Self::TicketSync => {
                "a request comes in as a webhook, becomes a ticket, and learns the ticket's number"
            }
            Self::StateSync => "a record that changes in one system is kept the same in another",
            Self::Notify => "a team's channel is told of an event, once",
        }
    }

    /// The template with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|template| template.name() == name)
    }
}

/// The files of a new project.
pub fn init(template: Template) -> ProjectFiles {
    let files = match template {
        Template::TicketSync => embedded::TICKET_SYNC,
        Template::StateSync => embedded::STATE_SYNC,
        Template::Notify => embedded::NOTIFY,
    };
    ProjectFiles::new(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).into())))
}
