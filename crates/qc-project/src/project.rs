//! A project: its files, read.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use qc_connect::{call::Connectors, connector::Connector};
use qc_contract::{Files, OpenApi, Schema};
use qc_document::{Document, Node, ParseLimits, Reader, Source, Span, parse};
use qc_model::{Finding, Name, Place, Severity};
use qc_workflow::{Compensation, Compensations, Program, Workflow, compile_compensated};

use crate::{
    ProjectFiles, acceptance::Scenario, codes, compile::Bound, files::file_place,
    integration::Integration, organisation::Organisation, shape::Shape, versions::VersionsFile,
};

/// The file that makes a folder a project.
pub const PROJECT_FILE: &str = "quickconnect.yaml";
pub(crate) const CONNECTORS: &str = "connectors";
pub(crate) const INTEGRATIONS: &str = "integrations";

/// A project's files, read. Whatever is wrong with them is among the findings; the rest is there.
pub struct Project {
    files: ProjectFiles,
    organisation: Option<Loaded<Organisation>>,
    connectors: Connectors,
    /// Names of all connector folders, also of those that could not be loaded.
    connector_folders: BTreeSet<String>,
    integrations: BTreeMap<String, IntegrationFolder>,
    findings: Vec<Finding>,
}

/// A file, read.
#[derive(Debug, Clone)]
pub struct Loaded<T> {
    /// What it says.
    pub value: T,
    /// Its text.
    pub source: Source,
    pub(crate) root: Node,
}

/// The folder of an integration, read.
pub struct IntegrationFolder {
    /// Its path, `integrations/<name>`.
    pub folder: String,
    /// `integration.yaml`.
    pub definition: Option<Loaded<Integration>>,
    /// `workflow.yaml`, as far as it can be read.
    pub workflow: Option<Loaded<Workflow>>,
    /// The compiled workflow, when nothing is wrong with it.
    pub program: Option<Arc<Program>>,
    /// `acceptance/*.yaml`.
    pub scenarios: Vec<Loaded<Scenario>>,
    /// `contracts/*.versions.yaml`, by the path in this folder.
    pub(crate) versions: BTreeMap<String, Loaded<VersionsFile>>,
    /// Documents of `call: openapi`, by the address that the workflow writes.
    pub(crate) documents: BTreeMap<String, OpenApi>,
}

impl<T> Loaded<T> {
    /// A place in the file.
    pub fn place(&self, span: Span) -> Place {
        self.source.place(span)
    }
}

/// The files of a project (or of a folder of it) as other crates take them.
pub(crate) struct FilesIn<'a> {
    pub(crate) files: &'a ProjectFiles,
    /// Empty, or a path without a slash at its end.
    pub(crate) folder: &'a str,
}

impl Files for FilesIn<'_> {
    fn text(&self, path: &str) -> Option<Arc<str>> {
        let text = if self.folder.is_empty() {
            self.files.text(path)
        } else {
            self.files.text(&format!("{}/{path}", self.folder))
        };
        text.map(Arc::from)
    }
}

impl Project {
    /// Reads all files of a project.
    pub fn load(files: ProjectFiles) -> Self {
        let mut findings = Vec::new();
        let organisation = load_organisation(&files, &mut findings);
        let (connectors, connector_folders) = load_connectors(&files, &mut findings);
        let names: Vec<String> =
            files.folders(INTEGRATIONS).into_iter().map(str::to_owned).collect();
        let integrations = names
            .into_iter()
            .map(|name| {
                let folder = IntegrationFolder::load(&files, &connectors, &name, &mut findings);
                (name, folder)
            })
            .collect();
        Self { files, organisation, connectors, connector_folders, integrations, findings }
    }

    /// What is wrong with single files, found while reading them.
    pub fn load_findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Whether reading found no error.
    pub fn is_sound(&self) -> bool {
        !self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// The files.
    pub fn files(&self) -> &ProjectFiles {
        &self.files
    }

    /// `quickconnect.yaml`.
    pub fn organisation(&self) -> Option<&Loaded<Organisation>> {
        self.organisation.as_ref()
    }

    /// The connectors that could be loaded.
    pub fn connectors(&self) -> &Connectors {
        &self.connectors
    }

    /// Whether there is a folder for this connector, loadable or not.
    pub(crate) fn has_connector_folder(&self, name: &str) -> bool {
        self.connector_folders.contains(name)
    }

    /// The names of all connector folders.
    pub fn connector_names(&self) -> impl Iterator<Item = &str> {
        self.connector_folders.iter().map(String::as_str)
    }

    /// The integrations by the names of their folders.
    pub fn integrations(&self) -> &BTreeMap<String, IntegrationFolder> {
        &self.integrations
    }

    /// One integration.
    pub fn integration(&self, name: &str) -> Result<&IntegrationFolder, Box<Finding>> {
        self.integrations.get(name).ok_or_else(|| {
            let names = self.integrations.keys().map(String::as_str);
            let mut finding = Finding::error(
                codes::UNKNOWN_INTEGRATION,
                format!("there is no integration `{name}`"),
            );
            if let Some(known) = qc_document::closest(name, names) {
                finding = finding.help(format!("did you mean `{known}`?"));
            }
            Box::new(finding)
        })
    }

    /// The connector that a system is reached by: the one it names, or the one of its own name.
    pub(crate) fn connector_of<'a>(
        &self,
        name: &'a Name,
        system: &'a crate::integration::System,
    ) -> Option<&'a Name> {
        match &system.connector {
            Some(connector) => Some(&connector.value),
            None => self.has_connector_folder(name.as_str()).then_some(name),
        }
    }
}

/// Parses a file and reads it as `T`.
pub(crate) fn load_file<T: Shape>(
    files: &ProjectFiles,
    path: &str,
    what: &str,
    findings: &mut Vec<Finding>,
) -> Option<Loaded<T>> {
    let document = parse_file(files, path, findings)?;
    let reader = Reader::new(&document.source);
    let value = T::read(&document.root, what, &reader);
    findings.extend(reader.finish());
    Some(Loaded { value: value?, source: document.source, root: document.root })
}

/// Parses a file; None, with a finding, when it is not well-formed; None without one when it is not there.
pub(crate) fn parse_file(
    files: &ProjectFiles,
    path: &str,
    findings: &mut Vec<Finding>,
) -> Option<Document> {
    let source = match files.source(path)? {
        Ok(source) => source,
        Err(finding) => {
            findings.push(finding);
            return None;
        }
    };
    match parse(source, &ParseLimits::default()) {
        Ok(document) => Some(document),
        Err(finding) => {
            findings.push(*finding);
            None
        }
    }
}

fn load_organisation(
    files: &ProjectFiles,
    findings: &mut Vec<Finding>,
) -> Option<Loaded<Organisation>> {
    if !files.has(PROJECT_FILE) {
        let finding =
            Finding::error(codes::NO_PROJECT, format!("there is no `{PROJECT_FILE}` here"));
        findings.push(finding.help("go to the project's folder, or begin one with `qc init`"));
        return None;
    }
    load_file(files, PROJECT_FILE, "the organisation", findings)
}

fn load_connectors(
    files: &ProjectFiles,
    findings: &mut Vec<Finding>,
) -> (Connectors, BTreeSet<String>) {
    let all = FilesIn { files, folder: "" };
    let mut connectors: Vec<Connector> = Vec::new();
    let mut folders = BTreeSet::new();
    for name in files.folders(CONNECTORS) {
        folders.insert(name.to_owned());
        let folder = format!("{CONNECTORS}/{name}");
        let (connector, mut found) = Connector::load(&all, &folder);
        for finding in &mut found {
            finding.place.get_or_insert_with(|| file_place(&folder));
        }
        findings.extend(found);
        connectors.extend(connector);
    }
    (Connectors::new(connectors, []), folders)
}

impl IntegrationFolder {
    fn load(
        files: &ProjectFiles,
        connectors: &Connectors,
        name: &str,
        findings: &mut Vec<Finding>,
    ) -> Self {
        let folder = format!("{INTEGRATIONS}/{name}");
        let definition: Option<Loaded<Integration>> =
            load_required(files, &format!("{folder}/integration.yaml"), findings);
        let workflow = load_workflow(files, &format!("{folder}/workflow.yaml"), findings);
        let scenarios: Vec<Loaded<Scenario>> = files
            .under(&folder)
            .filter(|(path, _)| is_scenario(&folder, path))
            .filter_map(|(path, _)| load_file(files, path, "the scenario", findings))
            .collect();
        let mut versions = BTreeMap::new();
        for (path, _) in files.under(&folder) {
            let inside = &path[folder.len() + 1..];
            if crate::check::is_versions(inside) {
                let file = load_file(files, path, "the file of versions", findings);
                versions.extend(file.map(|file| (inside.to_owned(), file)));
            }
        }
        let mut loaded = Self {
            folder,
            definition,
            workflow,
            program: None,
            scenarios,
            versions,
            documents: BTreeMap::new(),
        };
        loaded.compile(files, connectors, findings);
        loaded
    }

    fn compile(
        &mut self,
        files: &ProjectFiles,
        connectors: &Connectors,
        findings: &mut Vec<Finding>,
    ) {
        let Some(workflow) = &self.workflow else { return };
        let documents = RefCell::new(BTreeMap::new());
        let bound = Bound {
            files,
            folder: &self.folder,
            connectors,
            documents: &documents,
            rules: BTreeMap::new(),
            unavailable: BTreeMap::new(),
            kept: self
                .definition
                .as_ref()
                .map(|definition| crate::compile::kept_names(&definition.value))
                .unwrap_or_default(),
            promised: self.promised(files),
        };
        // Once to learn what is called from where, and once more under the rules of the integration, which speak
        // of tasks and are relative to what the connectors say.
        let undo = self.definition.as_ref().map(compensations);
        let compile =
            |bound: &Bound<'_>| compile_compensated(&workflow.value, bound, undo.as_ref());
        let (first, found) = compile(&bound);
        let (program, found) = match (first, &self.definition) {
            (Some(program), Some(definition)) => {
                let rules = crate::compile::task_policies(&definition.value, &program);
                let has_connector =
                    |name: &str| files.under(&format!("{CONNECTORS}/{name}")).next().is_some();
                let servers = |document: &str| match documents.borrow().get(document) {
                    Some((Some(api), _)) => crate::check::servers_of(api),
                    _ => Vec::new(),
                };
                let unavailable =
                    crate::compile::unavailable(definition, &program, &has_connector, &servers);
                compile(&Bound { rules, unavailable, ..bound })
            }
            (first, _) => (first, found),
        };
        findings.extend(found);
        self.program = program.map(Arc::new);
        for (address, (document, found)) in documents.into_inner() {
            findings.extend(found);
            self.documents.extend(document.map(|api| (address, api)));
        }
    }

    /// The contracts of what is published, by the type of the events. Those that do not load are reported as contracts.
    fn promised(&self, files: &ProjectFiles) -> BTreeMap<String, Vec<Schema>> {
        let files = FilesIn { files, folder: &self.folder };
        let mut promised: BTreeMap<String, Vec<Schema>> = BTreeMap::new();
        let published = self.definition.iter().flat_map(|file| file.value.publishes.iter());
        for (_, publication) in published {
            let contract = publication.contract.as_ref();
            let schema = contract.and_then(|path| Schema::load(&files, &path.path).ok());
            if let Some(schema) = schema {
                promised.entry(publication.kind.value.0.clone()).or_default().push(schema);
            }
        }
        promised
    }

    /// The path of a file of this folder, from the project's root.
    pub fn path(&self, file: &str) -> String {
        format!("{}/{file}", self.folder)
    }

    /// The name of the folder.
    pub fn name(&self) -> &str {
        self.folder.rsplit('/').next().unwrap_or(&self.folder)
    }
}

/// What the integration says about undoing tasks, as the workflow's compiler takes it.
fn compensations(definition: &Loaded<Integration>) -> Compensations<'_> {
    let tasks = definition.value.compensation.iter().map(|(task, spec)| Compensation {
        task: &task.value,
        task_span: task.span,
        call: &spec.call.value,
        call_span: spec.call.span,
        with: spec.with.as_ref().map(|arguments| &arguments.0),
    });
    Compensations { source: &definition.source, tasks: tasks.collect() }
}

/// Whether a path is `<folder>/acceptance/<name>.yaml`.
pub(crate) fn is_scenario(folder: &str, path: &str) -> bool {
    let inside = path.strip_prefix(folder).and_then(|rest| rest.strip_prefix("/acceptance/"));
    inside.and_then(|file| file.strip_suffix(".yaml")).is_some_and(|stem| !stem.contains('/'))
}

fn load_required<T: Shape>(
    files: &ProjectFiles,
    path: &str,
    findings: &mut Vec<Finding>,
) -> Option<Loaded<T>> {
    if !files.has(path) {
        findings.push(missing(path));
    }
    load_file(files, path, "the integration", findings)
}

fn missing(path: &str) -> Finding {
    Finding::error(codes::MISSING_FILE, format!("`{path}` is not there"))
        .at(file_place(path))
        .help("every folder under `integrations` has an `integration.yaml` and a `workflow.yaml`")
}

fn load_workflow(
    files: &ProjectFiles,
    path: &str,
    findings: &mut Vec<Finding>,
) -> Option<Loaded<Workflow>> {
    if !files.has(path) {
        findings.push(missing(path));
    }
    let document = parse_file(files, path, findings)?;
    let (workflow, found) = qc_workflow::load(&document);
    findings.extend(found);
    Some(Loaded { value: workflow?, source: document.source, root: document.root })
}
