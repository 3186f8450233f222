//! From a bundle to what the engine runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use qc_connect::call::Connectors;
use qc_contract::OpenApi;
use qc_engine::{Deployment, Release};
use qc_model::{EnvironmentName, Finding, Severity};
use qc_release::Effective;
use qc_workflow::SiteTarget;
use serde_json::Value;

use super::{
    build::used_connectors,
    data::data_rules,
    kept::kept,
    limits::{class, limits},
    narrowing::narrowing,
    people::people,
    policies::quiet_hours,
    publications::publications,
    search_keys::search_keys,
    standing::standing,
    triggers::{ordering, triggers},
};
use crate::{Project, ProjectFiles, codes, organisation::Organisation, project::IntegrationFolder};

/// A release, compiled, with what is needed to deploy it in any environment.
pub struct Compiled {
    /// What runs.
    pub release: Arc<Release>,
    organisation: Organisation,
}

/// Compiles a release. Only what stands in the way of running is a finding here: it was checked when it was built.
pub fn release(bundle: &Effective) -> Result<Compiled, Vec<Finding>> {
    let files = bundle.files().iter().map(|(path, bytes)| (path.clone(), bytes.clone()));
    let project = Project::load(ProjectFiles::new(files));
    let folder = project
        .integration(bundle.manifest().integration.as_str())
        .map_err(|finding| vec![*finding])?;
    let mut findings: Vec<Finding> = project.load_findings().to_vec();
    let triggers = triggers(&project, folder, &mut findings);
    let publications = publications(folder, &mut findings);
    let kept = kept(&project, folder, &mut findings);
    let ordering = ordering(folder, &mut findings);
    let search_keys = search_keys(folder, &mut findings);
    let bus = standing(&project, folder, &mut findings);
    let connectors = connectors(&project, folder, &mut findings);
    findings.retain(|finding| finding.severity == Severity::Error);
    let (Some(program), Some(definition), Some(organisation)) =
        (&folder.program, &folder.definition, project.organisation())
    else {
        return Err(findings);
    };
    if !findings.is_empty() {
        return Err(findings);
    }
    let integration = &definition.value;
    let system_owners = integration.systems.iter().map(|(name, system)| {
        let connector = project.connector_of(&name.value, system).unwrap_or(&name.value);
        (connector.to_string(), system.owner.to_string())
    });
    let secrets = integration.secrets.iter();
    let secrets = secrets.map(|(name, reference)| (name.value.clone(), reference.value.clone()));
    let release = Release {
        hash: bundle.hash().to_owned(),
        integration: bundle.manifest().integration.clone(),
        version: bundle.manifest().version.clone(),
        program: Arc::clone(program),
        connectors: Arc::new(connectors),
        triggers,
        publications,
        secrets: Arc::new(secrets.collect()),
        kept,
        ordering,
        search_keys,
        owner: integration.owners.as_ref().map(|owners| owners.on_call().to_string()),
        data: data_rules(&project, folder, definition, &organisation.value),
        people: people(&project, folder, definition, &organisation.value),
        system_owners: system_owners.collect(),
        bus,
        limits: limits(definition),
        class: class(integration.class.as_ref().map(|class| class.value).unwrap_or_default()),
        quiet: quiet_hours(integration, program),
        deadline: integration.nfr.as_ref().and_then(|nfr| nfr.latency.as_ref()?.deadline),
    };
    Ok(Compiled { release: Arc::new(release), organisation: organisation.value.clone() })
}

/// Only what the integration calls: a document of eleven megabytes does not stay in memory for three operations.
fn connectors(
    project: &Project,
    folder: &IntegrationFolder,
    findings: &mut Vec<Finding>,
) -> Connectors {
    let mut kept = Vec::new();
    for (name, operations) in used_connectors(project, folder) {
        let Some(connector) = project.connectors().get(name.as_str()) else { continue };
        let (connector, found) = connector.keep(operations.iter().map(String::as_str));
        findings.extend(found);
        kept.push(connector);
    }
    let documents = documents(folder, findings);
    let calls = folder.program.iter().flat_map(|program| program.calls());
    let endpoints = calls.filter_map(|site| match &site.target {
        SiteTarget::Http { endpoint, .. } => Some(endpoint.as_str()),
        _ => None,
    });
    Connectors::new(kept, documents)
        .with_endpoints(endpoints)
        .with_bindings(narrowing(project, folder, findings))
}

/// The documents of `call: openapi`, with only what is called of them.
fn documents(folder: &IntegrationFolder, findings: &mut Vec<Finding>) -> Vec<(String, OpenApi)> {
    let mut kept = Vec::new();
    for (address, api) in &folder.documents {
        let calls = folder.program.iter().flat_map(|program| program.calls());
        let used: Vec<&str> = calls
            .filter_map(|site| match &site.target {
                SiteTarget::OpenApi { document, operation } if document == address => {
                    Some(operation.as_str())
                }
                _ => None,
            })
            .collect();
        let files = BTreeMap::from([("openapi.json".to_owned(), api.keep_only(&used).to_string())]);
        let (api, found) = OpenApi::load(&files, "openapi.json");
        findings.extend(found);
        kept.extend(api.map(|api| (address.clone(), api)));
    }
    kept
}

impl Compiled {
    /// The release in an environment.
    pub fn deployment(&self, environment: &EnvironmentName) -> Result<Deployment, Box<Finding>> {
        let vars = vars(&self.organisation, environment)?;
        Ok(Deployment {
            environment: environment.clone(),
            vars: Arc::new(vars),
            canaries: self
                .organisation
                .environments
                .get(environment)
                .is_none_or(|environment| environment.canaries),
            release: Arc::clone(&self.release),
        })
    }

    /// The environments that the release knows.
    pub fn environments(&self) -> impl Iterator<Item = &EnvironmentName> {
        self.organisation.environments.names()
    }
}

/// The values of all variables in an environment.
pub(crate) fn vars(
    organisation: &Organisation,
    environment: &EnvironmentName,
) -> Result<BTreeMap<String, Value>, Box<Finding>> {
    let Some(there) = organisation.environments.get(environment.as_str()) else {
        let message = format!("the release knows no environment `{environment}`");
        let names = organisation.environments.names().map(qc_model::Name::as_str);
        let finding = Finding::error(codes::VARIABLE, message);
        return Err(Box::new(match qc_document::closest(environment.as_str(), names) {
            Some(known) => finding.help(format!("did you mean `{known}`?")),
            None => finding.help(
                "declare it in `environments` of quickconnect.yaml and build the release again",
            ),
        }));
    };
    let mut vars = BTreeMap::new();
    for (name, variable) in organisation.vars.iter() {
        let value = there.vars.get(name.value.as_str()).or(variable.default.as_ref());
        vars.extend(value.map(|value| (name.value.clone(), value.value.clone())));
    }
    Ok(vars)
}
