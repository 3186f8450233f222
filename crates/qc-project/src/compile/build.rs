//! Bundles: exactly the files that an integration needs, under one hash.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use qc_model::{Finding, Name, Severity};
use qc_release::{Bundle, Draft};
use qc_workflow::SiteTarget;

use crate::{
    Project, ProjectFiles,
    integration::{SignatureRef, TriggerAccess, TriggerForm},
    project::{CONNECTORS, IntegrationFolder, PROJECT_FILE},
};

/// A document larger than this is kept whole and, beside it, with only the operations that are used.
const PRUNE_ABOVE: usize = 128 << 10;
/// What was done to a derived document.
const PRUNED: &str = "keep-used-operations";

/// Builds a release of an integration. The findings are the errors that stand in the way: of the integration itself,
/// of its connectors, and of `quickconnect.yaml`.
pub fn build(project: &Project, integration: &str) -> Result<Bundle, Vec<Finding>> {
    let folder = project.integration(integration).map_err(|finding| vec![*finding])?;
    let connectors = used_connectors(project, folder);
    let mut folders: Vec<String> =
        connectors.keys().map(|name| format!("{CONNECTORS}/{name}")).collect();
    folders.push(folder.folder.clone());
    let belongs = |path: &str| {
        path == PROJECT_FILE
            || folders.iter().any(|folder| {
                path == folder
                    || path.strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/'))
            })
    };
    let mut errors = project.check();
    errors.retain(|finding| {
        let here = finding.place.as_ref().is_none_or(|place| belongs(&place.file));
        // Other integrations are not part of a release: whether one that this one's workflow runs, or its scenarios speak
        // of, is there is known where it is deployed, and until then by `qc check` over the whole project.
        let elsewhere = [crate::codes::UNKNOWN_WORKFLOW, crate::codes::UNKNOWN_INTEGRATION]
            .contains(&finding.code);
        finding.severity == Severity::Error && here && !elsewhere
    });
    if !errors.is_empty() {
        return Err(errors);
    }
    let version = folder.definition.as_ref().and_then(|file| file.value.version.as_ref());
    let name = folder.definition.as_ref().and_then(|file| file.value.name.as_ref());
    let (Some(version), Some(name)) = (version, name) else {
        // Their absence is an error, which was answered above.
        return Err(project.load_findings().to_vec());
    };
    let files: BTreeMap<String, Bytes> = project
        .files()
        .iter()
        .filter(|(path, _)| belongs(path))
        .map(|(path, bytes)| (path.to_owned(), bytes.clone()))
        .collect();
    let mut derived = BTreeMap::new();
    let mut versions = BTreeMap::new();
    for (connector, operations) in &connectors {
        let Some(loaded) = project.connectors().get(connector.as_str()) else { continue };
        versions.insert(connector.clone(), loaded.version().to_owned());
        derived.extend(prune(project, loaded, operations));
    }
    let draft = Draft {
        integration: name.value.clone(),
        version: version.to_string(),
        connectors: versions,
        files,
        derived,
    };
    Bundle::build(draft).map_err(|error| vec![error.finding()])
}

/// The files of a release as they were when it was built: nothing to add, nothing to take away.
pub fn export(bundle: &Bundle) -> ProjectFiles {
    ProjectFiles::new(bundle.originals().iter().map(|(path, bytes)| (path.clone(), bytes.clone())))
}

/// The connectors that an integration uses, with the operations that it calls.
pub(crate) fn used_connectors(
    project: &Project,
    folder: &IntegrationFolder,
) -> BTreeMap<Name, BTreeSet<String>> {
    let mut used: BTreeMap<Name, BTreeSet<String>> = BTreeMap::new();
    if let Some(definition) = &folder.definition {
        for (name, system) in definition.value.systems.iter() {
            if let Some(connector) = project.connector_of(&name.value, system) {
                used.entry(connector.clone()).or_default();
            }
        }
        for (_, trigger) in definition.value.triggers.iter() {
            if let TriggerAccess::Signature { scheme: SignatureRef::Connector(name), .. } =
                &trigger.access.value
            {
                used.entry(name.value.clone()).or_default();
            }
            if let TriggerForm::Poll { poll, .. } = &trigger.form {
                let operations = used.entry(poll.connector.value.clone()).or_default();
                operations.insert(poll.operation.value.clone());
            }
        }
    }
    for site in folder.program.iter().flat_map(|program| program.calls()) {
        if let SiteTarget::Connector { connector, operation } = &site.target
            && let Ok(name) = Name::new(connector)
        {
            used.entry(name).or_default().insert(operation.clone());
        }
    }
    used.retain(|name, _| project.has_connector_folder(name.as_str()));
    used
}

/// A large document with only what is used of it. What connector.yaml speaks of counts as used: it would be
/// wrong about operations that are not there.
fn prune(
    project: &Project,
    connector: &qc_connect::connector::Connector,
    operations: &BTreeSet<String>,
) -> Vec<(String, (String, Bytes))> {
    let folder = format!("{CONNECTORS}/{}", connector.name());
    let mut ignored = Vec::new();
    let Some(file) = crate::project::parse_file(
        project.files(),
        &format!("{folder}/connector.yaml"),
        &mut ignored,
    ) else {
        return Vec::new();
    };
    let named = |key: &str| file.root.get(key).and_then(|node| node.as_str());
    let Some(document) = named("openapi").map(|document| format!("{folder}/{document}")) else {
        return Vec::new();
    };
    // The overlay's changes are a part of the pruned document, and its actions may speak of what is gone.
    let overlay = named("overlay").map(|overlay| format!("{folder}/{overlay}"));
    if project.files().bytes(&document).is_none_or(|bytes| bytes.len() <= PRUNE_ABOVE) {
        return Vec::new();
    }
    let mut wanted: BTreeSet<&str> = operations.iter().map(String::as_str).collect();
    let spoken = file.root.get("operations").and_then(|node| node.as_mapping()).unwrap_or_default();
    for (operation, rules) in spoken {
        wanted.insert(&operation.name);
        wanted.extend(rules.at("/effect/verify/operation").and_then(|node| node.as_str()));
    }
    let wanted: Vec<&str> = wanted.into_iter().collect();
    let pruned = connector.api().keep_only(&wanted).to_string();
    let mut derived = vec![(document, (PRUNED.to_owned(), Bytes::from(pruned)))];
    if let Some(overlay) = overlay {
        let empty = Bytes::from_static(EMPTY_OVERLAY.as_bytes());
        derived.push((overlay, ("applied-to-document".to_owned(), empty)));
    }
    derived
}

const EMPTY_OVERLAY: &str = "overlay: 1.0.0\ninfo: {title: applied when the release was built, version: \"1\"}\nactions: []\n";
