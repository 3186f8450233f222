//! The world of a scenario: simulators, secrets, store, and the platform's parts around them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use qc_connect::{
    call::{ConnectionTokens, Outbound},
    connector::{AuthProfile, Connector, LoginPlace, TextOrSecret},
};
use qc_contract::OpenApi;
use qc_document::{Document, ParseLimits, Source};
use qc_engine::{Deployment, Engine, EngineParts, EngineSettings, ReleaseSource, TokenRoots};
use qc_model::{Clock, EnvironmentName, Finding, Name, Seeded, Timestamp};
use qc_simulator::{Credentials, Provider, Setup, SimulatedCaller, SimulatorSpec};
use qc_store::{
    CommitLimits, Committer, Store, StoreError, blobs::MemoryBlobs, memory::MemoryStore,
};
use qc_vault::{Secret, SecretRef, Secrets};
use serde_json::{Map, Value};

use super::{
    Scenario,
    clock::{VirtualClock, seed_of},
};
use crate::{
    Project, codes,
    compile::{self, Compiled, used_connectors},
    project::{CONNECTORS, FilesIn, IntegrationFolder, Loaded, parse_file},
};

/// The largest body that is streamed in a scenario: as much as a simulator takes.
const BLOB_LIMIT: u64 = 16 << 20;
/// What time it is when a scenario does not say: a Monday morning in the past.
const USUAL_TIME: &str = "2026-01-05T09:00:00Z";

/// What stays when the platform ends and starts again.
pub(super) struct World {
    pub(super) clock: Arc<VirtualClock>,
    entropy: Arc<Seeded>,
    pub(super) store: Arc<MemoryStore>,
    blobs: Arc<MemoryBlobs>,
    pub(super) deployment: Arc<Deployment>,
    /// Those whose workflows it runs, and whose workflows those run.
    others: Vec<Arc<Deployment>>,
    /// By the name of the connector.
    pub(super) providers: BTreeMap<Name, Arc<Provider>>,
    caller: SimulatedCaller,
    secrets: Arc<Secrets>,
}

impl World {
    pub(super) fn build(
        project: &Project,
        folder: &IntegrationFolder,
        compiled: &Compiled,
        file: &Loaded<Scenario>,
    ) -> Result<Self, Vec<Finding>> {
        let scenario = &file.value;
        let at = scenario.given.as_ref().and_then(|given| given.at);
        let at = at.unwrap_or_else(|| USUAL_TIME.parse().unwrap_or(Timestamp::from_millis(0)));
        let clock = Arc::new(VirtualClock::new(at));
        let deployment = deployment(compiled, file)?;
        let others = others(project, folder, &deployment)?;
        let secrets = Arc::new(Secrets::none());
        let mut world = Self {
            clock: Arc::clone(&clock),
            entropy: Arc::new(Seeded::new(seed_of(&file.source.path))),
            store: Arc::new(MemoryStore::with_clock(clock)),
            blobs: Arc::default(),
            others: others.iter().map(|(_, deployment)| Arc::clone(deployment)).collect(),
            deployment: Arc::new(deployment),
            providers: BTreeMap::new(),
            caller: SimulatedCaller::new(),
            secrets,
        };
        let mut findings = Vec::new();
        for deployment in world.all() {
            deployment.release.secrets.values().for_each(|reference| world.know(reference));
        }
        let folders = others.iter().map(|(folder, _)| *folder).chain([folder]);
        let used: BTreeSet<Name> =
            folders.flat_map(|folder| used_connectors(project, folder).into_keys()).collect();
        for name in used {
            let Some(connector) = project.connectors().get(name.as_str()) else { continue };
            for reference in connector.secrets() {
                world.know(reference);
            }
            match world.provider(project, folder, connector, file) {
                Ok(provider) => drop(world.providers.insert(name, provider)),
                Err(found) => findings.extend(found),
            }
        }
        if findings.is_empty() { Ok(world) } else { Err(findings) }
    }

    /// Everything that is deployed.
    fn all(&self) -> impl Iterator<Item = &Arc<Deployment>> {
        self.others.iter().chain([&self.deployment])
    }

    fn know(&self, reference: &SecretRef) {
        let environment = self.deployment.environment.as_str();
        self.secrets.set(environment, reference.name(), &secret_value(reference));
    }

    /// Makes the simulator of a connector and puts it where the connector looks for the real system.
    fn provider(
        &mut self,
        project: &Project,
        folder: &IntegrationFolder,
        connector: &Connector,
        file: &Loaded<Scenario>,
    ) -> Result<Arc<Provider>, Vec<Finding>> {
        let clock: Arc<dyn Clock> = self.clock.clone();
        let seed = seed_of(&format!("{}/{}", file.source.path, connector.name()));
        let place = (&*self.deployment, &clock, seed);
        let (url, provider) = simulated(project, folder, connector, &[&file.value], place)?;
        self.caller = self.caller.clone().with(&url, Arc::clone(&provider));
        Ok(provider)
    }

    /// The platform, as it starts. Must be called in the runtime in which it lives.
    pub(super) fn start(&self) -> Engine {
        let store: Arc<dyn Store> = self.store.clone();
        let (committer, commit_loop) = Committer::new(Arc::clone(&store), CommitLimits::default());
        tokio::spawn(commit_loop);
        let caller = Arc::new(self.caller.clone());
        let token_roots = TokenRoots::default();
        token_roots.set(self.deployment.environment.clone(), TOKEN_ROOT);
        let engine = Engine::new(EngineParts {
            committer,
            store,
            outbound: Outbound::new(caller, self.clock.clone(), Arc::clone(&self.secrets))
                .with_connections(ConnectionTokens::Given(Secret::new(CONNECTION_TOKEN)))
                .with_blobs(self.blobs.clone(), BLOB_LIMIT),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            releases: Arc::new(Releases(self.all().cloned().collect())),
            settings: EngineSettings {
                node: "acceptance".to_owned(),
                token_roots,
                ..EngineSettings::default()
            },
        });
        engine.set_deployments(self.all().map(|deployment| (**deployment).clone()).collect());
        let running = engine.clone();
        tokio::spawn(async move { running.run().await });
        engine
    }
}

/// The releases of the world.
struct Releases(Vec<Arc<Deployment>>);

#[async_trait]
impl ReleaseSource for Releases {
    async fn deployment(
        &self,
        environment: &EnvironmentName,
        hash: &str,
    ) -> Result<Option<Arc<Deployment>>, StoreError> {
        let wanted =
            |one: &&Arc<Deployment>| one.environment == *environment && one.release.hash == hash;
        Ok(self.0.iter().find(wanted).cloned())
    }
}

/// The integrations whose workflows an integration runs, and those whose workflows these run, without itself.
pub(super) fn others<'p>(
    project: &'p Project,
    folder: &'p IntegrationFolder,
    deployment: &Deployment,
) -> Result<Vec<(&'p IntegrationFolder, Arc<Deployment>)>, Vec<Finding>> {
    let mut found: Vec<(&IntegrationFolder, Arc<Deployment>)> = Vec::new();
    let mut next = vec![folder];
    while let Some(above) = next.pop() {
        for site in above.program.iter().flat_map(|program| program.children()) {
            let runs = |one: &&IntegrationFolder| {
                one.program.as_ref().is_some_and(|program| {
                    program.namespace() == site.workflow.namespace
                        && program.name() == site.workflow.name
                        && site.workflow.version.as_deref().is_none_or(|v| program.version() == v)
                })
            };
            let Some(below) = project.integrations().values().find(runs) else { continue };
            let known = |one: &IntegrationFolder| one.folder == below.folder;
            if known(folder) || found.iter().any(|(one, _)| known(one)) {
                continue;
            }
            let bundle = compile::build(project, below.name())?;
            let compiled = compile::release(&bundle.effective())?;
            let there =
                compiled.deployment(&deployment.environment).map_err(|found| vec![*found])?;
            let vars = Arc::clone(&deployment.vars);
            found.push((below, Arc::new(Deployment { vars, ..there })));
            next.push(below);
        }
    }
    Ok(found)
}

fn deployment(compiled: &Compiled, file: &Loaded<Scenario>) -> Result<Deployment, Vec<Finding>> {
    let scenario = &file.value;
    let environment = match &scenario.environment {
        Some(environment) => environment.value.clone(),
        None => compiled.environments().next().cloned().ok_or_else(|| {
            vec![Finding::error(codes::SCENARIO_BROKEN, "the project has no environment")]
        })?,
    };
    let mut deployment = compiled.deployment(&environment).map_err(|finding| vec![*finding])?;
    let given = scenario.given.iter().flat_map(|given| given.vars.iter());
    let mut vars = (*deployment.vars).clone();
    vars.extend(given.map(|(name, value)| (name.value.clone(), value.value.clone())));
    deployment.vars = Arc::new(vars);
    Ok(deployment)
}

/// The token of all connections in all scenarios.
pub(super) const CONNECTION_TOKEN: &str = "acceptance-connection";
/// From which tokens are made that go out in place of values: the same in every run of a scenario.
const TOKEN_ROOT: [u8; 32] = [1; 32];

/// The value that a secret has in all scenarios. The simulators accept exactly these.
pub(super) fn secret_value(reference: &SecretRef) -> String {
    format!("acceptance-{}", reference.name().replace('/', "-"))
}

fn credentials(auth: &AuthProfile, vars: &BTreeMap<String, Value>) -> Credentials {
    let text = |value: &TextOrSecret| match value {
        TextOrSecret::Secret(reference) => secret_value(reference),
        TextOrSecret::Text(setting) => setting.resolve(vars).unwrap_or_default(),
    };
    let none = Credentials::none();
    match auth {
        AuthProfile::None => none,
        // What stands before the key is part of what is sent.
        AuthProfile::HeaderKey { prefix, value, .. } => {
            none.api_key(format!("{prefix}{}", secret_value(value)))
        }
        AuthProfile::QueryKey { value, .. } => none.api_key(secret_value(value)),
        AuthProfile::Basic { username, password } => {
            none.login(text(username), secret_value(password))
        }
        AuthProfile::Bearer { token } => none.bearer(secret_value(token)),
        AuthProfile::ClientCredentials(client) => {
            none.client(text(&client.client_id), secret_value(&client.client_secret))
        }
        AuthProfile::Connection(_) => none.bearer(CONNECTION_TOKEN),
        // As a key of the document's own, or as a bearer token.
        AuthProfile::Login(login) => match &login.place {
            LoginPlace::Header { .. } => {
                none.api_key(login.place.filled(CONNECTION_TOKEN)).bearer(CONNECTION_TOKEN)
            }
            LoginPlace::Cookie { template, .. } => {
                none.api_key(template.replace("{token}", CONNECTION_TOKEN))
            }
        },
    }
}

/// A connector's simulator, and where the connector looks for the real system.
pub(super) fn simulated(
    project: &Project,
    folder: &IntegrationFolder,
    connector: &Connector,
    scenarios: &[&Scenario],
    (deployment, clock, seed): (&Deployment, &Arc<dyn Clock>, u64),
) -> Result<(String, Arc<Provider>), Vec<Finding>> {
    let url = connector
        .base_url(&deployment.environment, &deployment.vars)
        .map_err(|failure| vec![Finding::error(codes::SCENARIO_BROKEN, failure.detail.clone())])?;
    let (api, spec) = simulator(project, folder, connector, scenarios)?;
    let setup = Setup {
        name: connector.name().to_string(),
        clock: Arc::clone(clock),
        seed,
        credentials: credentials(connector.auth(), &deployment.vars),
        ledger: None,
    };
    Ok((url, Arc::new(Provider::new(api, spec, setup)?)))
}

/// The document and file of a connector's simulator, with what scenarios give it.
fn simulator(
    project: &Project,
    folder: &IntegrationFolder,
    connector: &Connector,
    scenarios: &[&Scenario],
) -> Result<(OpenApi, SimulatorSpec), Vec<Finding>> {
    let name = connector.name();
    let inside = format!("{CONNECTORS}/{name}");
    let mut findings = Vec::new();
    let files = project.files();
    let settings = parse_file(files, &format!("{inside}/connector.yaml"), &mut findings);
    let named = |key: &str| settings.as_ref().and_then(|file| file.root.get(key)?.as_str());
    let here = FilesIn { files, folder: &inside };
    let overlays: Vec<&str> = named("overlay").into_iter().collect();
    let (api, found) =
        OpenApi::load_with_overlays(&here, named("openapi").unwrap_or("openapi.yaml"), &overlays);
    findings.extend(found);
    let path = format!("{inside}/simulator.yaml");
    let mut values = match parse_file(files, &path, &mut findings) {
        Some(file) => match file.root.to_value() {
            Value::Object(values) => values,
            _ => Map::new(),
        },
        None => Map::new(),
    };
    give(folder, project, name, scenarios, &mut values);
    let text = Value::Object(values).to_string();
    let spec = match qc_document::parse_json(Source::new(path, text), &ParseLimits::default()) {
        Ok(document) => read_spec(&document, &mut findings),
        Err(finding) => {
            findings.push(*finding);
            SimulatorSpec::default()
        }
    };
    findings.retain(|finding| finding.severity == qc_model::Severity::Error);
    match api {
        Some(api) if findings.is_empty() => Ok((api, spec)),
        _ => Err(findings),
    }
}

fn read_spec(document: &Document, findings: &mut Vec<Finding>) -> SimulatorSpec {
    let (spec, found) = SimulatorSpec::read(document);
    findings.extend(found);
    spec
}

/// Collections that scenarios give replace those of the simulator's file; what several give is together.
fn give(
    folder: &IntegrationFolder,
    project: &Project,
    connector: &Name,
    scenarios: &[&Scenario],
    values: &mut Map<String, Value>,
) {
    let Some(definition) = &folder.definition else { return };
    let mut given: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    let states = scenarios.iter().filter_map(|scenario| scenario.given.as_ref());
    for (system, collections) in states.flat_map(|given| given.state.iter()) {
        let declared = definition.value.systems.entry(system.as_str());
        let reached = declared.and_then(|(name, system)| project.connector_of(&name.value, system));
        if reached != Some(connector) {
            continue;
        }
        for (path, items) in collections.iter() {
            let known = given.entry(&path.value).or_default();
            let new: Vec<&Value> = items.iter().filter(|item| !known.contains(item)).collect();
            known.extend(new.into_iter().cloned());
        }
    }
    if given.is_empty() {
        return;
    }
    let state = values.entry("state").or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(state) = state {
        let given = given.into_iter().map(|(path, items)| (path.to_owned(), Value::Array(items)));
        state.extend(given);
    }
}
