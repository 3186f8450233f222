//! Going live and back: immutable, content-addressed releases, and which of them runs where.
//!
//! Here: [`Bundle`] (the files of an integration under one hash), keeping and reading bundles ([`save`], [`load`],
//! and [`load_effective`] for what runs), and deployments ([`deploy`], [`rollback`], [`current`], [`history`]): every change with its audit row in the same
//! transaction.
//!
//! Not here: the meaning of the files (`qc-project` builds bundles and compiles them), running them (`qc-engine`), and
//! gates, flags, canary and shadow, which come with the issues about them.

mod blob;
mod bundle;
pub mod codes;
mod deployment;
mod error;
mod keep;
mod manifest;
mod office;

pub use bundle::{Bundle, BundleError, Draft, Effective};
pub use deployment::{
    DeploymentRecord, Past, current, deploy, deployments, history, rollback, was_deployed,
};
pub use error::ReleaseError;
pub use keep::{Built, ReleaseRecord, load, load_effective, record, releases, save};
pub use manifest::{Derived, FileEntry, Manifest};
pub use office::{Office, revision};
