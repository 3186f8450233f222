//! The user's project: its files read with places, cross-checked, compiled and bundled into releases, tested on
//! simulators.
//!
//! Here: [`ProjectFiles`] and [`Project`] (load), [`organisation`] and [`integration`] (the schemas of
//! `quickconnect.yaml` and `integration.yaml`), [`versions`] (of contracts), `check` (every rule over the files), [`render`] (findings for people
//! and machines), `schema` (JSON Schemas for editors), `compile` (from files to what the engine runs), `acceptance`
//! (scenarios on simulators), [`expected`] (what an integration was seen to need of its systems), [`access`] (policies and their matrix), [`gate`] (whether a release may take another one's place), [`papers`] (changelogs, migration guides and migrations of documents) and `scaffold` (new projects and parts).
//!
//! Not here: the languages of workflow and connector files (`qc-workflow`, `qc-connect`), storage of releases
//! (`qc-release`), running (`qc-engine`), and the command line. Everything works on files in memory;
//! only [`ProjectFiles::read`] touches a disk, and nothing touches a network.

pub mod acceptance;
pub mod access;
pub mod check;
pub mod codes;
pub mod compile;
pub mod consumers;
mod examples;
pub mod expected;
mod files;
pub mod gate;
pub mod integration;
pub mod load;
pub mod organisation;
pub mod papers;
mod project;
pub mod render;
pub mod scaffold;
pub mod schema;
mod shape;
pub mod versions;

pub use files::ProjectFiles;
pub use project::{IntegrationFolder, Loaded, PROJECT_FILE, Project};
pub use shape::{ByteSize, Integer, Jq, Named, ProjectPath, Rate, Spanned, Version};
