//! The files of simulators fit their documents.

use std::sync::Arc;

use qc_connect::connector::Connector;
use qc_contract::OpenApi;
use qc_model::{Clock, Finding, Severity, Timestamp};
use qc_simulator::{Credentials, Provider, Setup, SimulatorSpec};

use crate::{
    Project, codes,
    project::{CONNECTORS, FilesIn, parse_file},
};

pub(super) fn check(project: &Project, out: &mut Vec<Finding>) {
    for connector in project.connectors().iter() {
        let folder = format!("{CONNECTORS}/{}", connector.name());
        let path = format!("{folder}/simulator.yaml");
        let file = parse_file(project.files(), &path, out);
        let (spec, found) = file.as_ref().map(SimulatorSpec::read).unwrap_or_default();
        let readable = found.is_empty();
        out.extend(found);
        if !readable {
            continue;
        }
        out.extend(unsimulated(project, connector, &spec));
        if file.is_some() {
            out.extend(build(project, &folder, connector.name().as_str(), spec));
        }
    }
}

/// Calls that go together need a simulator that takes them apart: its own answer has no entry for each.
fn unsimulated(project: &Project, connector: &Connector, spec: &SimulatorSpec) -> Vec<Finding> {
    let path = format!("{CONNECTORS}/{}/connector.yaml", connector.name());
    let file = parse_file(project.files(), &path, &mut Vec::new());
    let unknown = connector.batches().filter(|(_, rule)| !spec.does_many(&rule.operation));
    let told = unknown.map(|(single, rule)| {
        let (name, many) = (connector.name(), &rule.operation);
        let message = format!(
            "calls of `{name}.{single}` go together in `{many}`, and its simulator does not say what that does; under load their runs are parked there"
        );
        let finding = Finding::warning(codes::UNSIMULATED_BATCH, message).help(format!(
            "declare `batches.{many}` in {CONNECTORS}/{name}/simulator.yaml: what it does for each, and what it answers"
        ));
        let node = file.as_ref().and_then(|file| {
            let place = file.root.at(&format!("/operations/{single}/batch"))?;
            Some(file.source.place(place.span))
        });
        match node {
            Some(place) => finding.at(place),
            None => finding,
        }
    });
    told.collect()
}

/// Making the simulator is the check: it finds what does not fit the document.
fn build(project: &Project, folder: &str, name: &str, spec: SimulatorSpec) -> Vec<Finding> {
    let settings =
        parse_file(project.files(), &format!("{folder}/connector.yaml"), &mut Vec::new());
    let named = |key: &str| settings.as_ref().and_then(|file| file.root.get(key)?.as_str());
    let Some(document) = named("openapi") else { return Vec::new() };
    let overlays: Vec<&str> = named("overlay").into_iter().collect();
    let files = FilesIn { files: project.files(), folder };
    // What is wrong with the document was said when the connector was loaded.
    let (Some(api), _) = OpenApi::load_with_overlays(&files, document, &overlays) else {
        return Vec::new();
    };
    let setup = Setup {
        name: name.to_owned(),
        clock: Arc::new(NoTime),
        seed: 0,
        credentials: Credentials::none(),
        ledger: None,
    };
    let mut findings = Provider::new(api, spec, setup).err().unwrap_or_default();
    findings.retain(|finding| finding.severity == Severity::Error);
    findings
}

struct NoTime;

impl Clock for NoTime {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }
}
