//! Releases: immutable, found by their hash.

pub(super) mod files;
pub(super) mod list;
pub(super) mod show;
pub(super) mod store;

use qc_access::{Action, Resource};
use qc_release::{ReleaseError, ReleaseRecord};

use super::{Call, Permit, wire::Release};
use crate::{CompileError, Problem, State, codes};

fn shown(record: &ReleaseRecord) -> Release {
    let manifest = &record.manifest;
    Release {
        release: record.hash.clone(),
        integration: manifest.integration.to_string(),
        version: manifest.version.clone(),
        connectors: manifest.connectors.iter().map(|(n, v)| (n.to_string(), v.clone())).collect(),
        files: manifest.files.len(),
        built_from: record.built_from.clone(),
        built_at: record.built_at.to_string(),
        built_by: record.built_by.id.clone(),
    }
}

/// The release that the path names, when the caller may do the action to it.
async fn named(call: &Call) -> Result<(ReleaseRecord, Permit<'_>), Problem> {
    let hash: String = call.path("release")?;
    // Looked at before the decision, as its integration is what is decided on.
    let record = find(&call.state, &hash).await?;
    let units = units_of(&call.state, &record);
    let name = Some(record.manifest.integration.as_str());
    let permit = call.may_on(Resource { environment: None, name, units: &units }).await?;
    Ok((record, permit))
}

/// Whose a release is: its integration's units where that is deployed, before that those of whoever stored it.
fn units_of(state: &State, record: &ReleaseRecord) -> Vec<String> {
    let integration = &record.manifest.integration;
    let deployments = state.engine.deployments();
    if deployments.iter().any(|deployment| deployment.release.integration == *integration) {
        let directory = state.catalogue.directory();
        return directory.of_thing(Action::ReleasesRead, None, Some(integration.as_str()));
    }
    record.units.clone()
}

/// The release that a hash, or the beginning of one, means.
pub(super) async fn find(state: &State, hash: &str) -> Result<ReleaseRecord, Problem> {
    let store = &*state.store;
    if let Some(record) = qc_release::record(store, hash).await? {
        return Ok(record);
    }
    let mut found =
        if hash.len() < 6 { Vec::new() } else { qc_release::releases(store, hash).await? };
    match found.len() {
        0 => Err(ReleaseError::NoRelease(hash.chars().take(80).collect()).into()),
        1 => Ok(found.remove(0)),
        count => Err(ReleaseError::Ambiguous { short: hash.to_owned(), count }.into()),
    }
}

impl From<ReleaseError> for Problem {
    fn from(error: ReleaseError) -> Self {
        let detail = format!("{error}; {}", error.help());
        let status = match &error {
            ReleaseError::NoRelease(_) | ReleaseError::NotDeployed { .. } => 404,
            ReleaseError::Ambiguous { .. }
            | ReleaseError::NothingBefore { .. }
            | ReleaseError::Concurrent { .. } => 409,
            ReleaseError::Damaged { .. } => 500,
            ReleaseError::Store(store) => return Self::from(store.clone()),
        };
        let code = error.code().unwrap_or(codes::INTERNAL);
        Self::new(status, code, "Release or deployment", detail)
    }
}

impl From<CompileError> for Problem {
    fn from(error: CompileError) -> Self {
        match error {
            CompileError::Release(error) => error.into(),
            CompileError::Internal(reason) => {
                tracing::error!(%reason, "compiling a release failed");
                Self::new(500, codes::INTERNAL, "Internal error", "compiling the release failed")
            }
            CompileError::Findings(findings) => {
                let detail = format!("the release has {} problems; see `findings`", findings.len());
                let mut problem =
                    Self::new(422, codes::RELEASE_UNFIT, "Release does not do", detail);
                problem.findings = findings;
                problem
            }
        }
    }
}
