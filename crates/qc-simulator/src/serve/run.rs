//! Providers from their folders: load, listen, serve.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use qc_contract::{Files, OpenApi};
use qc_document::{Node, ParseLimits, Source};
use qc_model::{Clock, Finding, Severity};
use tokio::net::TcpListener;

use super::{Serving, serve};
use crate::auth::Credentials;
use crate::codes;
use crate::fault::Fault;
use crate::provider::{Provider, Setup};
use crate::spec::SimulatorSpec;

/// A provider to be served.
#[derive(Debug, Clone)]
pub struct ServeSpec {
    /// Its name.
    pub name: String,
    /// The connector's folder, with `openapi.yaml` (or `.json`) and, if it has one, `simulator.yaml`.
    pub folder: PathBuf,
    /// Where to listen: a loopback address. Port 0 takes any free one.
    pub address: SocketAddr,
    /// The file to which the outside ledger is appended.
    pub ledger: Option<PathBuf>,
    /// What it accepts as proof.
    pub credentials: Credentials,
    /// Faults beside those of its file.
    pub faults: Vec<Fault>,
    /// The seed of all its randomness.
    pub seed: u64,
}

/// The files of a connector's folder.
struct Folder(PathBuf);

impl Files for Folder {
    fn text(&self, path: &str) -> Option<Arc<str>> {
        std::fs::read_to_string(self.0.join(path)).ok().map(Arc::from)
    }
}

/// The document's file and its overlay, as `connector.yaml` names them; without one, by their usual names.
fn document_files(folder: &Path) -> Result<(String, Vec<String>), Vec<Finding>> {
    let there = |name: &str| folder.join(name).is_file();
    if let Ok(text) = std::fs::read_to_string(folder.join("connector.yaml")) {
        let source = Source::new("connector.yaml", text);
        let document = qc_document::parse_yaml(source, &ParseLimits::default())
            .map_err(|finding| vec![*finding])?;
        let named = |key: &str| document.root.get(key).and_then(Node::as_str).map(str::to_owned);
        if let Some(entry) = named("openapi") {
            return Ok((entry, named("overlay").into_iter().collect()));
        }
    }
    let usual =
        ["openapi.yaml", "openapi.yml", "openapi.json"].into_iter().find(|name| there(name));
    let Some(entry) = usual else {
        let message = format!("`{}` has no openapi.yaml and no openapi.json", folder.display());
        return Err(vec![Finding::error(codes::UNREADABLE, message)]);
    };
    let overlay = Some("overlay.yaml").filter(|name| there(name)).map(str::to_owned);
    Ok((entry.to_owned(), overlay.into_iter().collect()))
}

/// Reads a provider's document, with its overlay when it has one, and its `simulator.yaml`.
pub fn load_folder(folder: &Path) -> Result<(OpenApi, SimulatorSpec), Vec<Finding>> {
    let files = Folder(folder.to_owned());
    let (entry, overlays) = document_files(folder)?;
    let overlays: Vec<&str> = overlays.iter().map(String::as_str).collect();
    let (openapi, mut findings) = OpenApi::load_with_overlays(&files, &entry, &overlays);
    let spec = match std::fs::read_to_string(folder.join("simulator.yaml")) {
        Ok(text) => {
            let source = Source::new("simulator.yaml", text);
            match qc_document::parse_yaml(source, &ParseLimits::default()) {
                Ok(document) => {
                    let (spec, problems) = SimulatorSpec::read(&document);
                    findings.extend(problems);
                    spec
                }
                Err(finding) => {
                    findings.push(*finding);
                    SimulatorSpec::default()
                }
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => SimulatorSpec::default(),
        Err(error) => {
            let message = format!("`{}/simulator.yaml`: {error}", folder.display());
            findings.push(Finding::error(codes::UNREADABLE, message));
            SimulatorSpec::default()
        }
    };
    findings.retain(|finding| finding.severity == Severity::Error);
    match openapi {
        Some(openapi) if findings.is_empty() => Ok((openapi, spec)),
        _ => Err(findings),
    }
}

/// Loads and serves providers; returns when all of them listen.
pub async fn start(
    specs: Vec<ServeSpec>,
    clock: Arc<dyn Clock>,
) -> Result<Vec<Serving>, Vec<Finding>> {
    let mut providers = Vec::new();
    let mut findings = Vec::new();
    for spec in specs {
        match provider(&spec, &clock) {
            Ok(provider) => providers.push((spec.address, Arc::new(provider))),
            Err(problems) => findings.extend(problems),
        }
    }
    if !findings.is_empty() {
        return Err(findings);
    }
    let mut servings = Vec::new();
    for (address, provider) in providers {
        let name = provider.name().to_owned();
        let served = match TcpListener::bind(address).await {
            Ok(listener) => serve(provider, listener),
            Err(error) => Err(error),
        };
        match served {
            Ok(serving) => servings.push(serving),
            Err(error) => {
                let message = format!("the simulator `{name}` cannot listen on {address}: {error}");
                findings.push(Finding::error(codes::ADDRESS, message));
            }
        }
    }
    if findings.is_empty() {
        return Ok(servings);
    }
    for serving in servings {
        serving.stop().await;
    }
    Err(findings)
}

/// Serves providers until `ended` is.
pub async fn run(
    specs: Vec<ServeSpec>,
    clock: Arc<dyn Clock>,
    ended: impl Future<Output = ()>,
) -> Result<(), Vec<Finding>> {
    let servings = start(specs, clock).await?;
    ended.await;
    for serving in servings {
        serving.stop().await;
    }
    Ok(())
}

fn provider(spec: &ServeSpec, clock: &Arc<dyn Clock>) -> Result<Provider, Vec<Finding>> {
    if !spec.address.ip().is_loopback() {
        let message = format!(
            "the simulator `{}` would listen on {}, which others can reach",
            spec.name, spec.address
        );
        let finding = Finding::error(codes::ADDRESS, message);
        return Err(vec![finding.help("use 127.0.0.1 or [::1]")]);
    }
    let (openapi, rules) = load_folder(&spec.folder)?;
    let setup = Setup {
        name: spec.name.clone(),
        clock: Arc::clone(clock),
        seed: spec.seed,
        credentials: spec.credentials.clone(),
        ledger: spec.ledger.clone(),
    };
    let provider = Provider::new(openapi, rules, setup)?;
    let mut findings = Vec::new();
    for fault in &spec.faults {
        findings.extend(provider.inject(fault.clone()).err().map(|finding| *finding));
    }
    if findings.is_empty() { Ok(provider) } else { Err(findings) }
}
