//! Which release runs where.

use qc_model::{Actor, EnvironmentName, Name, Timestamp};
use qc_store::{ChangeOutcome, Document, DocumentOp, Expect, PAGE_MAX, Store, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Office, ReleaseError, ReleaseRecord, keep, office::audit};

const DEPLOYMENT: &str = "deployment";
const PAST: &str = "deployment-past";
/// Earlier releases to which one can go back, newest last.
const BACK_LIMIT: usize = 50;

/// What runs of one integration in one environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentRecord {
    /// The version of this form.
    pub format: u32,
    /// Where.
    pub environment: EnvironmentName,
    /// What.
    pub integration: Name,
    /// The release's hash.
    pub release: String,
    /// The integration's version in it.
    pub version: String,
    /// The releases before, to go back to; the newest last.
    pub before: Vec<String>,
    /// Counts the changes, from 1.
    pub change: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Actor,
}

/// One change of a deployment in the past.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// The version of this form.
    pub format: u32,
    /// Counts the changes of the deployment, from 1.
    pub change: u64,
    /// `deployed` or `rolled_back`.
    pub how: String,
    /// The release's hash.
    pub release: String,
    /// The integration's version in it.
    pub version: String,
    /// The release before.
    pub previous: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Actor,
}

fn name(environment: &EnvironmentName, integration: &Name) -> String {
    format!("{environment}/{integration}")
}

/// The release that an abbreviated hash (at least six characters) means.
async fn find(store: &dyn Store, hash: &str) -> Result<ReleaseRecord, ReleaseError> {
    if let Some(record) = keep::record(store, hash).await? {
        return Ok(record);
    }
    let none = || ReleaseError::NoRelease(hash.to_owned());
    if hash.len() < 6 {
        return Err(none());
    }
    let mut found = keep::releases(store, hash).await?;
    match found.len() {
        0 => Err(none()),
        1 => Ok(found.remove(0)),
        count => Err(ReleaseError::Ambiguous { short: hash.to_owned(), count }),
    }
}

/// Deploys a release, by its hash or the beginning of it. Deploying what runs already changes nothing. `gate`: what was
/// judged of it, for the audit.
pub async fn deploy(
    office: Office<'_>,
    environment: &EnvironmentName,
    hash: &str,
    actor: &Actor,
    gate: &Value,
) -> Result<DeploymentRecord, ReleaseError> {
    let release = find(office.store, hash).await?;
    let integration = &release.manifest.integration;
    let now = read(office.store, environment, integration).await?;
    let (mut before, change, revision) = match now {
        Some((record, _)) if record.release == release.hash => return Ok(record),
        Some((record, revision)) => {
            let mut before = record.before;
            before.push(record.release);
            (before, record.change + 1, Some(revision))
        }
        None => (Vec::new(), 1, None),
    };
    if before.len() > BACK_LIMIT {
        before.drain(..before.len() - BACK_LIMIT);
    }
    let record = DeploymentRecord {
        format: 1,
        environment: environment.clone(),
        integration: integration.clone(),
        version: release.manifest.version,
        release: release.hash,
        before,
        change,
        at: office.now(),
        by: actor.clone(),
    };
    let previous = record.before.last().cloned();
    write(office, record, (revision, previous), "deployed", gate).await
}

/// Goes back to the release before the present one. Doing it again goes back further.
pub async fn rollback(
    office: Office<'_>,
    environment: &EnvironmentName,
    integration: &Name,
    actor: &Actor,
) -> Result<DeploymentRecord, ReleaseError> {
    let Some((mut record, revision)) = read(office.store, environment, integration).await? else {
        let (environment, integration) = (environment.clone(), integration.clone());
        return Err(ReleaseError::NotDeployed { environment, integration });
    };
    let Some(earlier) = record.before.pop() else {
        let (environment, integration) = (environment.clone(), integration.clone());
        return Err(ReleaseError::NothingBefore { environment, integration });
    };
    let Some(release) = keep::record(office.store, &earlier).await? else {
        return Err(ReleaseError::NoRelease(earlier));
    };
    let previous = std::mem::replace(&mut record.release, release.hash);
    record.version = release.manifest.version;
    record.change += 1;
    record.at = office.now();
    record.by = actor.clone();
    write(office, record, (Some(revision), Some(previous)), "rolled_back", &Value::Null).await
}

async fn write(
    office: Office<'_>,
    record: DeploymentRecord,
    (revision, previous): (Option<u64>, Option<String>),
    how: &str,
    gate: &Value,
) -> Result<DeploymentRecord, ReleaseError> {
    let DeploymentRecord { environment, integration, .. } = &record;
    let name = name(environment, integration);
    let mut facts = json!({
        "release": record.release,
        "version": record.version,
        "previous": previous,
        "change": record.change,
    });
    if !gate.is_null() {
        facts["gate"] = gate.clone();
    }
    let subject = format!("deployment:{name}");
    let row = audit(record.at, &record.by, Some(environment), integration, (subject, how), &facts);
    let past = Past {
        format: 1,
        change: record.change,
        how: how.to_owned(),
        release: record.release.clone(),
        version: record.version.clone(),
        previous,
        at: record.at,
        by: record.by.clone(),
    };
    let body =
        |value: Result<Vec<u8>, serde_json::Error>| value.expect("a record is plain data").into();
    let documents = vec![
        DocumentOp::Put {
            kind: DEPLOYMENT.to_owned(),
            name: name.clone(),
            expect: revision.map_or(Expect::Absent, Expect::Revision),
            body: body(serde_json::to_vec(&record)),
            at: record.at,
        },
        DocumentOp::Put {
            kind: PAST.to_owned(),
            // Sorts by number.
            name: format!("{name}/{:012}", record.change),
            expect: Expect::Absent,
            body: body(serde_json::to_vec(&past)),
            at: record.at,
        },
    ];
    match office.change(documents, row).await? {
        ChangeOutcome::Changed => Ok(record),
        ChangeOutcome::Conflict { .. } => Err(ReleaseError::Concurrent {
            environment: record.environment,
            integration: record.integration,
        }),
    }
}

async fn read(
    store: &dyn Store,
    environment: &EnvironmentName,
    integration: &Name,
) -> Result<Option<(DeploymentRecord, u64)>, ReleaseError> {
    let Some(document) = store.document(DEPLOYMENT, &name(environment, integration)).await? else {
        return Ok(None);
    };
    Ok(Some((parse(&document)?, document.revision)))
}

fn parse<T: serde::de::DeserializeOwned>(document: &Document) -> Result<T, ReleaseError> {
    serde_json::from_slice(&document.body).map_err(|error| {
        StoreError::Corrupt(format!("the {} `{}`: {error}", document.kind, document.name)).into()
    })
}

/// What runs of an integration in an environment.
pub async fn current(
    store: &dyn Store,
    environment: &EnvironmentName,
    integration: &Name,
) -> Result<Option<DeploymentRecord>, ReleaseError> {
    Ok(read(store, environment, integration).await?.map(|(record, _)| record))
}

/// Everything that is deployed, by environment and integration; only in one environment when it is given.
pub async fn deployments(
    store: &dyn Store,
    environment: Option<&EnvironmentName>,
) -> Result<Vec<DeploymentRecord>, ReleaseError> {
    let prefix = environment.map(|environment| format!("{environment}/")).unwrap_or_default();
    let mut records = Vec::new();
    let mut after = Some(prefix.clone()).filter(|prefix| !prefix.is_empty());
    loop {
        let page = store.documents(DEPLOYMENT, after.as_deref(), PAGE_MAX).await?;
        let Some(last) = page.last() else { return Ok(records) };
        after = Some(last.name.clone());
        for document in &page {
            if !document.name.starts_with(&prefix) {
                return Ok(records);
            }
            records.push(parse(document)?);
        }
    }
}

/// Whether a release was ever deployed in an environment.
pub async fn was_deployed(
    store: &dyn Store,
    environment: &EnvironmentName,
    release: &ReleaseRecord,
) -> Result<bool, ReleaseError> {
    let integration = &release.manifest.integration;
    let Some(now) = current(store, environment, integration).await? else { return Ok(false) };
    if now.release == release.hash || now.before.contains(&release.hash) {
        return Ok(true);
    }
    let mut after = 0;
    loop {
        let past = history(store, environment, integration, after).await?;
        let Some(last) = past.last() else { return Ok(false) };
        after = last.change;
        if past.iter().any(|change| change.release == release.hash) {
            return Ok(true);
        }
    }
}

/// The changes of a deployment, oldest first, after the change number `after`; at most one page.
pub async fn history(
    store: &dyn Store,
    environment: &EnvironmentName,
    integration: &Name,
    after: u64,
) -> Result<Vec<Past>, ReleaseError> {
    let prefix = format!("{}/", name(environment, integration));
    let page = store.documents(PAST, Some(&format!("{prefix}{after:012}")), PAGE_MAX).await?;
    page.iter().filter(|document| document.name.starts_with(&prefix)).map(parse).collect()
}
