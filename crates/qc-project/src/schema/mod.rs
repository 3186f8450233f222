//! The JSON Schema of each kind of file, for editors.
//!
//! Those of `quickconnect.yaml`, `integration.yaml`, of versions and of scenarios are made by the code that reads the files, so that
//! they cannot differ from it; that of workflows comes from `qc-workflow`. Those of `connector.yaml` and
//! `simulator.yaml` are written down, and a test holds them to the readers of those files.

use serde_json::Value;

use crate::project::is_scenario;
use crate::{
    acceptance::Scenario, check::is_versions, integration::Integration, organisation::Organisation,
    shape::file_schema, versions::VersionsFile,
};

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `quickconnect.yaml`.
    Organisation,
    /// `integrations/<name>/integration.yaml`.
    Integration,
    /// `integrations/<name>/workflow.yaml`.
    Workflow,
    /// `integrations/<name>/acceptance/<name>.yaml`.
    Scenario,
    /// `integrations/<name>/contracts/<name>.versions.yaml`.
    Versions,
    /// `connectors/<name>/connector.yaml`.
    Connector,
    /// `connectors/<name>/simulator.yaml`.
    Simulator,
}

impl Kind {
    /// All kinds with the names by which the command line knows them.
    pub const ALL: [(&'static str, Self); 7] = [
        ("organisation", Self::Organisation),
        ("integration", Self::Integration),
        ("workflow", Self::Workflow),
        ("scenario", Self::Scenario),
        ("versions", Self::Versions),
        ("connector", Self::Connector),
        ("simulator", Self::Simulator),
    ];

    /// The kind with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, kind)| kind)
    }

    /// The kind of a file of a project, by its path from the root.
    pub fn of_path(path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.split('/').collect();
        match segments[..] {
            [crate::PROJECT_FILE] => Some(Self::Organisation),
            ["integrations", _, "integration.yaml"] => Some(Self::Integration),
            ["integrations", _, "workflow.yaml"] => Some(Self::Workflow),
            ["integrations", name, "acceptance", _]
                if is_scenario(&format!("integrations/{name}"), path) =>
            {
                Some(Self::Scenario)
            }
            ["integrations", _, "contracts", name] if is_versions(&format!("contracts/{name}")) => {
                Some(Self::Versions)
            }
            ["connectors", _, "connector.yaml"] => Some(Self::Connector),
            ["connectors", _, "simulator.yaml"] => Some(Self::Simulator),
            _ => None,
        }
    }
}

const CONNECTOR: &str = include_str!("connector.json");
const SIMULATOR: &str = include_str!("simulator.json");

/// The JSON Schema (2020-12) of a kind of file.
pub fn schema(kind: Kind) -> Value {
    let of = |name: &str| format!("https://quickconnect.app/schemas/{name}.json");
    match kind {
        Kind::Organisation => file_schema::<Organisation>("quickconnect.yaml", &of("organisation")),
        Kind::Integration => file_schema::<Integration>("integration.yaml", &of("integration")),
        Kind::Scenario => file_schema::<Scenario>("acceptance scenario", &of("scenario")),
        Kind::Versions => file_schema::<VersionsFile>("contract versions", &of("versions")),
        Kind::Workflow => qc_workflow::schema(),
        Kind::Connector => {
            serde_json::from_str(CONNECTOR).expect("the file beside this one is JSON")
        }
        Kind::Simulator => {
            serde_json::from_str(SIMULATOR).expect("the file beside this one is JSON")
        }
    }
}
