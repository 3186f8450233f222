//! From files to a model.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use qc_document::{Node, ParseLimits, Source, parse};
use qc_model::{Finding, Severity};

use super::reading::Reading;
use super::{OpenApi, is_mapping, read_openapi, read_swagger};
use crate::codes;
use crate::documents::{At, Documents};
use crate::files::Files;
use crate::model::{Operation, Version};
use crate::overlay;

impl OpenApi {
    /// Loads a description. `None` when it cannot be read at all; findings below [`Severity::Error`] are for information.
    pub fn load(files: &dyn Files, entry: &str) -> (Option<Self>, Vec<Finding>) {
        Self::load_with_overlays(files, entry, &[])
    }

    /// Loads a description after applying overlays (OpenAPI Overlay 1.0 or 1.1), in this order, to its entry file.
    pub fn load_with_overlays(
        files: &dyn Files,
        entry: &str,
        overlays: &[&str],
    ) -> (Option<Self>, Vec<Finding>) {
        let mut findings = Vec::new();
        let mut documents = match Documents::open(files, entry) {
            Ok(documents) => documents,
            Err(finding) => return (None, vec![*finding]),
        };
        apply_overlays(files, overlays, &mut documents, &mut findings);
        Self::of(documents, files, findings)
    }

    /// From an entry that is parsed already.
    pub(crate) fn of(
        mut documents: Documents,
        files: &dyn Files,
        mut findings: Vec<Finding>,
    ) -> (Option<Self>, Vec<Finding>) {
        let Some(version) = version(&documents, &mut findings) else {
            return (None, findings);
        };
        documents.gather(files, &mut findings);
        let api = model(documents, version, &mut findings);
        (Some(api), findings)
    }

    /// Loads a description that is one JSON value, such as one made by [`OpenApi::keep_only`]. Errors make it `Err`.
    pub fn from_text(name: &str, text: &str) -> Result<Self, Vec<Finding>> {
        let files = BTreeMap::from([(name.to_owned(), text.to_owned())]);
        let (api, findings) = Self::load(&files, name);
        let failed = findings.iter().any(|finding| finding.severity == Severity::Error);
        match api {
            Some(api) if !failed => Ok(api),
            _ => Err(findings),
        }
    }
}

fn apply_overlays(
    files: &dyn Files,
    overlays: &[&str],
    documents: &mut Documents,
    findings: &mut Vec<Finding>,
) {
    if overlays.is_empty() {
        return;
    }
    let mut root = documents.root().clone();
    let mut overlaid = BTreeMap::new();
    for path in overlays {
        let Some(text) = files.text(path) else {
            let message = format!("there is no file `{path}`");
            findings.push(Finding::error(codes::NO_FILE, message));
            continue;
        };
        match parse(Source::new(*path, text), &ParseLimits::default()) {
            Ok(document) => overlay::apply(&document, &mut root, &mut overlaid, findings),
            Err(finding) => findings.push(*finding),
        }
    }
    documents.replace_root(root, overlaid);
}

fn version(documents: &Documents, findings: &mut Vec<Finding>) -> Option<Version> {
    let root = documents.root();
    let written = ["openapi", "swagger"].into_iter().find_map(|key| root.entry(key));
    let Some((key, value)) = written else {
        let message = "this is no OpenAPI description: it has neither `openapi` nor `swagger`";
        let place = documents.place(&At { file: 0, pointer: String::new() });
        findings.push(Finding::error(codes::VERSION, message).at(place));
        return None;
    };
    // `swagger: 2.0` without quotes is a number, and common.
    let text = match value.as_f64() {
        Some(number) => format!("{number:.1}"),
        None => value.as_str().unwrap_or_default().to_owned(),
    };
    let version = match (&*key.name, text.split('.').take(2).collect::<Vec<_>>().join(".").as_str())
    {
        ("swagger", "2.0") => Version::V2,
        ("openapi", "3.0") => Version::V3_0,
        ("openapi", "3.1" | "3.2") => Version::V3_1,
        _ => {
            let message = format!("version `{text}` of OpenAPI is not known");
            let place = documents.source(0).place(value.span);
            let help = "known are 2.0, 3.0, 3.1 and 3.2";
            findings.push(Finding::error(codes::VERSION, message).at(place).help(help));
            return None;
        }
    };
    Some(version)
}

fn model(documents: Documents, version: Version, findings: &mut Vec<Finding>) -> OpenApi {
    let root_at = At { file: 0, pointer: String::new() };
    let root = documents.root();
    let info = root.get("info");
    let text = |key: &str| {
        let value = info.and_then(|info| info.get(key));
        Arc::from(value.and_then(Node::as_str).unwrap_or_default())
    };
    let (title, api_version) = (text("title"), text("version"));
    let mut reading = Reading { documents: &documents, findings };
    if !root.get("paths").is_none_or(is_mapping) {
        reading.malformed(&root_at.child("paths"), "`paths` must be an object");
    }
    let (operations, webhooks, servers, security_schemes) = match version {
        Version::V2 => (
            read_swagger::operations(&mut reading),
            Vec::new(),
            read_swagger::servers(root),
            read_swagger::schemes(&mut reading),
        ),
        Version::V3_0 | Version::V3_1 => (
            read_openapi::operations(&mut reading),
            read_openapi::webhooks(&mut reading),
            read_openapi::servers(root),
            read_openapi::schemes(&mut reading),
        ),
    };
    let by_id = index(&documents, &operations, findings);
    OpenApi {
        title,
        api_version,
        version,
        by_id,
        operations,
        webhooks,
        security_schemes,
        servers,
        compiled: Mutex::default(),
        named: Mutex::default(),
        documents,
    }
}

fn index(
    documents: &Documents,
    operations: &[Operation],
    findings: &mut Vec<Finding>,
) -> HashMap<Arc<str>, usize> {
    let place = |operation: &Operation| documents.place(&operation.at());
    let mut by_id: HashMap<Arc<str>, usize> = HashMap::new();
    let mut derived = 0_usize;
    for (at, operation) in operations.iter().enumerate() {
        derived += usize::from(operation.derived_id);
        if let Some(earlier) = by_id.get(&operation.id) {
            let message = format!("the operation id `{}` is used twice", operation.id);
            let first = place(&operations[*earlier]);
            findings.push(
                Finding::error(codes::DUPLICATE_OPERATION, message)
                    .at(place(operation))
                    .label(first, "first here")
                    .help("give one of them another `operationId`, by an overlay if the file is not yours"),
            );
            continue;
        }
        by_id.insert(Arc::clone(&operation.id), at);
    }
    let first = operations.iter().find(|operation| operation.derived_id);
    if let Some(first) = first {
        let message = format!(
            "{derived} operations have no `operationId` and got one derived from method and path, such as `{}`",
            first.id
        );
        findings.push(Finding::note(codes::DERIVED_ID, message).at(place(first)));
    }
    by_id
}
