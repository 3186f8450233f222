//! What an integration keeps for itself between runs: state and cross-reference tables. Calls of
//! two reserved names go there, and to no connector.

use serde::{Deserialize, Serialize};

/// The reserved name of calls that read and write state.
pub const STATE: &str = "state";
/// The reserved name of calls that read and write cross-reference tables.
pub const CROSSREF: &str = "crossref";

/// Names that a system of a table cannot have: they have another meaning in arguments and answers.
pub const NOT_A_SYSTEM: [&str; 6] = ["table", "found", "id", "new", "removed", "revision"];

/// What is done with what an integration keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeptDeed {
    /// Reads a value.
    Get,
    /// Writes a value.
    Put,
    /// Removes a value.
    Delete,
    /// Looks for the id in the other system.
    Find,
    /// Says that two ids mean the same.
    Link,
    /// Says that they do not any more.
    Unlink,
}

impl KeptDeed {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Get, Self::Put, Self::Delete, Self::Find, Self::Link, Self::Unlink];

    /// The reserved name before the dot.
    pub fn connector(self) -> &'static str {
        match self {
            Self::Get | Self::Put | Self::Delete => STATE,
            Self::Find | Self::Link | Self::Unlink => CROSSREF,
        }
    }

    /// The word after the dot.
    pub fn operation(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Put => "put",
            Self::Delete => "delete",
            Self::Find => "find",
            Self::Link => "link",
            Self::Unlink => "unlink",
        }
    }

    /// The deed of `call: <connector>.<operation>`.
    pub fn parse(connector: &str, operation: &str) -> Option<Self> {
        let is = |deed: &Self| deed.connector() == connector && deed.operation() == operation;
        Self::ALL.into_iter().find(is)
    }

    /// Whether it changes anything.
    pub fn writes(self) -> bool {
        !matches!(self, Self::Get | Self::Find)
    }

    /// The argument that names the state or the table.
    pub fn place_argument(self) -> &'static str {
        if self.connector() == STATE { "in" } else { "table" }
    }
}

/// What an integration declares that it keeps, as far as a workflow is checked against it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeptNames {
    /// Its states.
    pub states: Vec<String>,
    /// Its cross-reference tables, each with the two systems whose ids it holds.
    pub tables: Vec<(String, [String; 2])>,
}

impl KeptNames {
    /// The systems of a table.
    pub fn systems(&self, table: &str) -> Option<&[String; 2]> {
        self.tables.iter().find(|(name, _)| name == table).map(|(_, systems)| systems)
    }
}

/// Whether calls of this name go to what the integration keeps.
pub fn is_kept(connector: &str) -> bool {
    connector == STATE || connector == CROSSREF
}
