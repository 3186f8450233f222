//! The only place where implementations meet traits.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    digest,
    rand::{SecureRandom, SystemRandom},
};
use bytes::Bytes;
use qc_access::Access;
use qc_capture::{CaptureParts, Captures};
use qc_connect::call::{ConnectionTokens, HttpCaller, HttpSettings, Outbound, Quotas};
use qc_connection::{Connections, ConnectionsParts};
use qc_contract::pact::Pact;
use qc_engine::{AdmissionLimits, Deployment, Engine, EngineParts, EngineSettings};
use qc_identity::{ClientSecret, OidcSettings, Provider};
use qc_model::{Caller, Clock, Entropy, EnvironmentName, Finding, Name, Timestamp};
use qc_project::{Project, ProjectFiles, consumers::Offered};
use qc_release::{Bundle, Effective};
use qc_server::{
    Catalogue, Craft, MeteredStore, PolicyEgress, ServerParts, ServerSettings, State, TokenKeeper,
};
use qc_sql::{
    postgres::{Dsn, PostgresOptions, PostgresStore, ServerReport},
    sqlite::{SqliteOptions, SqliteStore},
};
use qc_store::{
    CommitLimits, Committer, Document, DocumentOp, Expect, SpillStore, Store,
    blobs::{Blobs, FolderBlobs, MemoryBlobs},
    memory::MemoryStore,
};
use qc_vault::{
    FileRing, KeyPlace, KeyRing, KvKeeper, KvParts, Secret, Secrets, TransitRing, VariableRing,
    Vault, VaultParts,
};
use qc_version::{
    expectation::Cell,
    gate::{Circumstances, Judgement},
};
use tokio::task::JoinHandle;

use crate::{
    cli::{Exit, Trouble},
    codes,
    config::{Config, DATABASE, KvSecrets, SecretPlace, StoreKind},
    disk,
    node_name::node_name,
};

/// The wall clock.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one Clock that looks at the wall")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The operating system's randomness, taken in blocks: a system call for every eight bytes would cost more than the use.
#[derive(Default)]
pub(crate) struct OsEntropy(Mutex<Pool>);

#[derive(Default)]
struct Pool {
    bytes: Vec<u8>,
}

/// How long a refresh of a connection may still take when the process ends.
const SETTLE: std::time::Duration = std::time::Duration::from_secs(20);

/// How many bytes are taken at once.
const BLOCK: usize = 1_024;

impl Entropy for OsEntropy {
    fn next_u64(&self) -> u64 {
        let mut pool = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.bytes.len() < 8 {
            pool.bytes.resize(BLOCK, 0);
            SystemRandom::new().fill(&mut pool.bytes).expect("the operating system has randomness");
        }
        let rest = pool.bytes.len() - 8;
        let mut word = [0; 8];
        word.copy_from_slice(&pool.bytes[rest..]);
        pool.bytes.truncate(rest);
        u64::from_le_bytes(word)
    }
}

/// How files become releases and releases become what runs.
pub(crate) const CRAFT: Craft = Craft { bundle, compile, judge, matrix };

fn bundle(files: BTreeMap<String, Bytes>, integration: &Name) -> Result<Bundle, Vec<Finding>> {
    let project = Project::load(ProjectFiles::new(files));
    qc_project::compile::build(&project, integration.as_str())
}

fn compile(release: &Effective, environment: &EnvironmentName) -> Result<Deployment, Vec<Finding>> {
    let compiled = qc_project::compile::release(release)?;
    compiled.deployment(environment).map_err(|finding| vec![*finding])
}

fn judge(
    old: &Effective,
    new: &Effective,
    circumstances: Circumstances<'_>,
) -> Result<Judgement, Vec<Finding>> {
    let integration = new.manifest().integration.as_str();
    let judged = qc_project::gate::judge(&project(old), &project(new), integration, circumstances)?;
    judged.ok_or_else(|| {
        let message = format!("the release that runs has no integration `{integration}`");
        vec![Finding::error(qc_release::codes::DAMAGED, message)]
    })
}

/// The project that a release's files are.
fn project(release: &Effective) -> Project {
    let files = release.files().iter().map(|(path, bytes)| (path.clone(), bytes.clone()));
    Project::load(ProjectFiles::new(files))
}

fn matrix(
    release: &Effective,
    circumstances: Circumstances<'_>,
) -> Result<Vec<Cell>, Vec<Finding>> {
    let (project, integration) = (project(release), release.manifest().integration.as_str());
    let Circumstances { now, usage, expectations, .. } = circumstances;
    let offered = Offered::new(&project, integration, now, usage).map_err(|it| vec![*it])?;
    let (own, _) = offered.own();
    // Who publishes says it newer than the release knows it.
    let is_published = |pact: &Pact| expectations.iter().any(|it| it.consumer == pact.consumer);
    let known = own.values().filter(|pact| !is_published(pact));
    offered.matrix(&known.chain(expectations).collect::<Vec<_>>())
}

/// What opens doors elsewhere: where secrets are found, and who holds the key of the vault.
pub(crate) struct Credentials {
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) ring: Option<Arc<dyn KeyRing>>,
    pub(crate) kv: Option<KvKeeper>,
    /// Where people sign in.
    pub(crate) oidc: Option<OidcSettings>,
    /// What is called in place of the systems outside.
    pub(crate) stand_in: Option<StandIn>,
}

/// What is called in place of the systems outside, and with which token of all connections.
pub(crate) struct StandIn {
    pub(crate) caller: Arc<dyn Caller>,
    pub(crate) connection: Secret,
}

impl Credentials {
    /// As the settings say.
    pub(crate) fn of(
        config: &Config,
        variables: &BTreeMap<String, String>,
    ) -> Result<Self, Trouble> {
        let secrets = Arc::new(secrets(config, variables));
        let kv = kv_keeper(config, &secrets)?;
        let oidc = oidc(config, variables)?;
        let ring = key_ring(config, variables)?;
        Ok(Self { secrets, ring, kv, oidc, stand_in: None })
    }

    /// These secrets, without a vault.
    pub(crate) fn only(secrets: Secrets) -> Self {
        let secrets = Arc::new(secrets);
        Self { secrets, ring: None, kv: None, oidc: None, stand_in: None }
    }
}

/// Everything that runs in this process.
pub(crate) struct Platform {
    pub(crate) engine: Engine,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) committer: Committer,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) state: Arc<State>,
    commit_loop: JoinHandle<()>,
}

impl Platform {
    /// Wires everything. Nothing runs yet but the commit loop.
    pub(crate) async fn wire(config: &Config, credentials: Credentials) -> Result<Self, Trouble> {
        let Credentials { secrets, ring, oidc, stand_in, kv: _ } = credentials;
        let (store, blobs) = open_all(config).await?;
        let metered = MeteredStore::new(store);
        let commits = metered.numbers();
        let metered: Arc<dyn Store> = Arc::new(metered);
        // Large bodies are taken out before a commit and put back when they are read.
        let store: Arc<dyn Store> =
            Arc::new(SpillStore::new(Arc::clone(&metered), Arc::clone(&blobs)));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy::default());
        let (committer, commit_loop) =
            Committer::new(Arc::clone(&metered), CommitLimits::default());
        let committer = committer.with_blobs(Arc::clone(&blobs), metered);
        let commit_loop = tokio::spawn(commit_loop);
        let (caller, given) = outside(config, stand_in)?;
        let vault = Arc::new(Vault::new(VaultParts {
            store: Arc::clone(&store),
            committer: committer.clone(),
            ring,
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            secrets: &secrets,
        }));
        // Before anything is looked up.
        vault.refresh().await.map_err(|error| store_trouble(&error))?;
        let node = node_name(&config.node, &*entropy);
        let connections = Connections::new(ConnectionsParts {
            production: config.production.clone(),
            store: Arc::clone(&store),
            committer: committer.clone(),
            vault: Arc::clone(&vault),
            caller: Arc::clone(&caller),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            node: node.clone(),
            user_agent: concat!("quickconnect/", env!("CARGO_PKG_VERSION")).to_owned(),
        });
        let access = Arc::new(Access::new(config.local_access, config.production.clone()));
        let quotas = Quotas::shared(Arc::clone(&store), committer.clone(), Arc::clone(&entropy));
        let captures = captures(&store, &committer, &vault, (&clock, &entropy));
        let outbound = Outbound::new(Arc::clone(&caller), Arc::clone(&clock), Arc::clone(&secrets))
            .with_quotas(quotas)
            .with_captures(Arc::clone(&captures))
            .with_egress(Arc::new(PolicyEgress::new(Arc::clone(&access))))
            .with_blobs(Arc::clone(&blobs), config.blob_limit as u64)
            .with_connections(tokens_of(&connections, given));
        let keeper = TokenKeeper::new(&store, &committer, &vault, &clock, &entropy);
        let token_roots = keeper.roots.clone();
        let catalogue = Catalogue::with_tokens(CRAFT, keeper);
        let ledger_key = ledger_key(&*store, &committer, &*clock, &*entropy).await?;
        let engine = Engine::new(EngineParts {
            committer: committer.clone(),
            store: Arc::clone(&store),
            outbound,
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            releases: Arc::<Catalogue>::clone(&catalogue),
            settings: EngineSettings { node, ledger_key, token_roots, ..engine_settings(config) },
        });
        let state = State::new(ServerParts {
            engine: engine.clone(),
            store: Arc::clone(&store),
            committer: committer.clone(),
            catalogue: Arc::clone(&catalogue),
            secrets,
            vault: Arc::clone(&vault),
            connections: Arc::clone(&connections),
            captures,
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            access,
            commits,
            place: config.public_url.as_deref().map(qc_identity::Place::new),
            provider: oidc.map(|oidc| provider(oidc, &caller, &clock)),
            settings: server_settings(config),
        });
        state.load_policies().await.map_err(|error| store_trouble(&error))?;
        Ok(Self {
            engine,
            store,
            blobs,
            committer,
            catalogue,
            clock,
            entropy,
            vault,
            connections,
            state,
            commit_loop,
        })
    }

    /// Lets the last commits reach the disk. All other users of the committer must have ended.
    pub(crate) async fn close(self) {
        let Self { engine, store, blobs, committer, catalogue, clock, entropy, .. } = self;
        let (vault, state, commit_loop) = (self.vault, self.state, self.commit_loop);
        // Tokens that a provider has given already are stored first.
        self.connections.settle(SETTLE).await;
        let connections = self.connections;
        drop((engine, blobs, committer, catalogue, vault, connections, state, clock, entropy));
        // Users that still hold a committer, such as a connection cut off, cannot keep the process alive.
        if tokio::time::timeout(std::time::Duration::from_secs(5), commit_loop).await.is_err() {
            tracing::warn!(
                "something still holds the committer; what it hands over now is not stored"
            );
        }
        drop(store);
    }
}

/// How the systems outside are reached, and the token of all connections when they are simulated.
fn outside(
    config: &Config,
    stand_in: Option<StandIn>,
) -> Result<(Arc<dyn Caller>, Option<Secret>), Trouble> {
    Ok(match stand_in {
        Some(it) => (it.caller, Some(it.connection)),
        None => (Arc::new(http_caller(config)?), None),
    })
}

fn tokens_of(connections: &Arc<Connections>, given: Option<Secret>) -> ConnectionTokens {
    match given {
        Some(token) => ConnectionTokens::Given(token),
        None => ConnectionTokens::Kept(Arc::clone(connections)),
    }
}

/// Debug captures over the same store and vault.
fn captures(
    store: &Arc<dyn Store>,
    committer: &Committer,
    vault: &Arc<Vault>,
    (clock, entropy): (&Arc<dyn Clock>, &Arc<dyn Entropy>),
) -> Arc<Captures> {
    Arc::new(Captures::new(CaptureParts {
        store: Arc::clone(store),
        committer: committer.clone(),
        vault: Arc::clone(vault),
        clock: Arc::clone(clock),
        entropy: Arc::clone(entropy),
    }))
}

fn engine_settings(config: &Config) -> EngineSettings {
    let disk = disk::gauge(&config.store);
    EngineSettings {
        lease_ttl: config.lease_ttl,
        runs_max: config.runs_max,
        calls: config.calls,
        admission: AdmissionLimits { disk, ..config.admission.clone() },
        ..EngineSettings::default()
    }
}

fn server_settings(config: &Config) -> ServerSettings {
    ServerSettings {
        operations: config.api_operations,
        connections: config.connections,
        head_timeout: config.head_timeout,
        body_timeout: config.body_timeout,
        operation_timeout: config.operation_timeout,
        api_body_limit: config.api_body_limit,
        trusted_proxies: config.trusted_proxies.clone(),
        orphans_end_after: config.orphans_end_after,
        operator: config.operator.clone(),
        limits: config.limits.clone(),
        ..ServerSettings::default()
    }
}

/// Does what keeps a thread busy where nobody waits for it.
pub(crate) async fn blocking<T: Send + 'static>(
    deed: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Trouble> {
    // The error would repeat what a panic said.
    tokio::task::spawn_blocking(deed).await.map_err(|_| {
        let message = "the work on the data broke off; the report of the crash says where";
        Trouble::new(Exit::Internal, Finding::error(codes::CRASHED, message))
    })
}

/// Opens the store.
pub(crate) async fn open_store(config: &Config) -> Result<Arc<dyn Store>, Trouble> {
    match &config.store {
        StoreKind::Memory => Ok(Arc::new(MemoryStore::new())),
        StoreKind::Sqlite(file) => open_file(config, file),
        StoreKind::Postgres(dsn) => Ok(Arc::new(open_server(config, dsn).await?)),
    }
}

/// Opens the store and the place of large bodies that belongs to it.
async fn open_all(config: &Config) -> Result<(Arc<dyn Store>, Arc<dyn Blobs>), Trouble> {
    match &config.store {
        StoreKind::Memory => Ok((Arc::new(MemoryStore::new()), Arc::new(MemoryBlobs::default()))),
        // The store first: whoever holds its lock may open the directory.
        StoreKind::Sqlite(file) => Ok((open_file(config, file)?, open_blobs(file)?)),
        StoreKind::Postgres(dsn) => {
            let store = open_server(config, dsn).await?;
            let blobs = Arc::new(store.blobs());
            Ok((Arc::new(store), blobs))
        }
    }
}

async fn open_server(config: &Config, dsn: &Dsn) -> Result<PostgresStore, Trouble> {
    let opened = PostgresStore::open(dsn, &postgres_options(config)?).await;
    opened.map_err(|error| postgres_trouble(&error))
}

fn open_file(config: &Config, file: &Path) -> Result<Arc<dyn Store>, Trouble> {
    let folder = &config.data_dir;
    // A path that somebody named may be wrong; the data directory is ours to make.
    if file.starts_with(folder) {
        fs::create_dir_all(folder).map_err(|error| {
            let message = format!("the data directory {}: {error}", folder.display());
            Trouble::usage(
                codes::DATA_DIRECTORY,
                message,
                "set `data_dir` to a directory that can be written",
            )
        })?;
    }
    let store = SqliteStore::open(file, SqliteOptions::default())
        .map_err(|error| Trouble::new(Exit::Conflict, error.finding()))?;
    Ok(Arc::new(store))
}

fn open_blobs(file: &Path) -> Result<Arc<dyn Blobs>, Trouble> {
    let folder = blobs(file);
    let opened = FolderBlobs::open(&folder).map_err(|error| {
        let message = format!("the directory of large bodies {}: {error}", folder.display());
        let help = "the server must be able to write beside its database";
        Trouble::usage(codes::DATA_DIRECTORY, message, help)
    })?;
    Ok(Arc::new(opened))
}

/// The directory of large bodies beside a database's file.
pub(crate) fn blobs(file: &Path) -> std::path::PathBuf {
    if file.ends_with(DATABASE) {
        return file.with_file_name("blobs");
    }
    // Each of several databases in one directory has its own.
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".blobs");
    file.with_file_name(name)
}

/// What the PostgreSQL server says of itself; changes nothing there.
pub(crate) async fn look_at_server(config: &Config, dsn: &Dsn) -> Result<ServerReport, Trouble> {
    let looked = PostgresStore::look(dsn, &postgres_options(config)?).await;
    looked.map_err(|error| postgres_trouble(&error))
}

pub(crate) fn postgres_options(config: &Config) -> Result<PostgresOptions, Trouble> {
    Ok(PostgresOptions { authorities: authorities(config)?, ..PostgresOptions::default() })
}

fn postgres_trouble(error: &qc_sql::postgres::OpenError) -> Trouble {
    use qc_sql::postgres::OpenError as E;
    let exit = if matches!(error, E::Unreachable(_)) { Exit::Unreachable } else { Exit::Conflict };
    Trouble::new(exit, error.finding())
}

/// Private authorities, for calls to other systems and to the database.
fn authorities(config: &Config) -> Result<Option<Vec<u8>>, Trouble> {
    let read = |path: &std::path::PathBuf| fs::read(path).map_err(|e| Trouble::file(path, &e));
    config.ca_bundle.as_ref().map(read).transpose()
}

/// The client for calls to other systems.
pub(crate) fn http_caller(config: &Config) -> Result<HttpCaller, Trouble> {
    let settings = HttpSettings {
        proxy: config.outbound_proxy.clone(),
        authorities: authorities(config)?,
        private: config.egress_private.clone(),
        ..HttpSettings::default()
    };
    HttpCaller::new(&settings).map_err(|finding| Trouble::new(Exit::Usage, *finding))
}

/// Makes connections to brokers.
pub(crate) fn broker_client(config: &Config) -> Result<qc_broker::amqp::Client, Trouble> {
    let authorities = match &config.ca_bundle {
        Some(path) => Some(fs::read(path).map_err(|error| Trouble::file(path, &error))?),
        None => None,
    };
    let name = format!("quickconnect {}", config.node);
    qc_broker::amqp::Client::new(authorities.as_deref(), &name)
        .map_err(|finding| Trouble::new(Exit::Usage, *finding))
}

/// Where secrets are found: files, then the process environment.
fn secrets(config: &Config, variables: &BTreeMap<String, String>) -> Secrets {
    let secrets = Secrets::none().with_variables(variables.clone());
    match &config.secrets_dir {
        Some(folder) => secrets.with_directory(folder),
        None => secrets,
    }
}

/// Who reads secrets from a KV engine, where the settings name one.
fn kv_keeper(config: &Config, secrets: &Secrets) -> Result<Option<KvKeeper>, Trouble> {
    let Some(KvSecrets { place, login, refresh, stale }) = config.kv.clone() else {
        return Ok(None);
    };
    let (caller, clock) = (Arc::new(http_caller(config)?), Arc::new(SystemClock));
    let parts = KvParts { place, login, refresh, stale, caller, clock, secrets };
    Ok(Some(KvKeeper::new(parts)))
}

/// Who wraps the vault's data keys. A key that is given and cannot be used refuses the start, as it would never get
/// better by itself; one that cannot be reached now does not.
fn key_ring(
    config: &Config,
    variables: &BTreeMap<String, String>,
) -> Result<Option<Arc<dyn KeyRing>>, Trouble> {
    let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy::default());
    let Some(place) = &config.vault_key else { return Ok(None) };
    let ring: Arc<dyn KeyRing> = match place {
        KeyPlace::File(path) => Arc::new(FileRing::new(path, entropy)),
        KeyPlace::Variable(name) => {
            let text = variables.get(name).map_or("", String::as_str);
            let ring = VariableRing::new(name, text, entropy).map_err(|error| {
                let help = format!("set the variable {name}, which `vault_key` names");
                Trouble::usage(error.code(), error.to_string(), help)
            })?;
            Arc::new(ring)
        }
        KeyPlace::Transit(key) => {
            let login = config.vault_login.clone().expect("settings say it beside such a key");
            let caller = Arc::new(http_caller(config)?);
            Arc::new(TransitRing::new(key.clone(), login, caller, Arc::new(SystemClock)))
        }
    };
    Ok(Some(ring))
}

/// The identity provider, reached as every other system is.
fn provider(
    settings: OidcSettings,
    caller: &Arc<dyn Caller>,
    clock: &Arc<dyn Clock>,
) -> Arc<Provider> {
    Arc::new(Provider::new(settings, Arc::clone(caller), Arc::clone(clock)))
}

/// Where people sign in, with our secret there. A variable that is empty refuses the start, as it would never get better
/// by itself; a file is read when it is used.
fn oidc(
    config: &Config,
    variables: &BTreeMap<String, String>,
) -> Result<Option<OidcSettings>, Trouble> {
    let Some(oidc) = config.oidc.clone() else { return Ok(None) };
    let client_secret = match oidc.client_secret {
        None => None,
        Some(SecretPlace::File(path)) => Some(ClientSecret::File(path)),
        Some(SecretPlace::Variable(name)) => {
            let text = variables.get(&name).map(|text| text.trim()).filter(|text| !text.is_empty());
            let text = text.ok_or_else(|| {
                let message = format!("the variable {name} has no secret");
                let help = format!("set the variable {name}, which `oidc_client_secret` names");
                Trouble::usage(codes::BAD_SETTING, message, help)
            })?;
            Some(ClientSecret::Value(Secret::new(text)))
        }
    };
    Ok(Some(OidcSettings {
        issuer: oidc.issuer,
        client_id: oidc.client_id,
        client_secret,
        scopes: oidc.scopes,
        groups_claim: oidc.groups_claim,
        person_claim: oidc.person_claim,
        roles: oidc.roles,
    }))
}

/// The key under which payloads are hashed for the ledger; made once and kept with the data, so that equal payloads
/// are recognised over restarts and outsiders cannot guess payloads from hashes.
async fn ledger_key(
    store: &dyn Store,
    committer: &Committer,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<[u8; 32], Trouble> {
    const KIND: &str = "platform";
    const NAME: &str = "ledger-key";
    let read = async || -> Result<Option<Document>, Trouble> {
        store.document(KIND, NAME).await.map_err(|error| store_trouble(&error))
    };
    if read().await?.is_none() {
        let fresh: Vec<u8> = (0..4).flat_map(|_| entropy.next_u64().to_le_bytes()).collect();
        let now = clock.now();
        let put = DocumentOp::Put {
            kind: KIND.to_owned(),
            name: NAME.to_owned(),
            expect: Expect::Absent,
            body: Bytes::from(fresh),
            at: now,
        };
        let id = qc_model::TxnId::new(now, entropy);
        let change =
            qc_store::Change { id, documents: vec![put], ledger: Vec::new(), signals: Vec::new() };
        // When another node was faster, its key counts: read again below.
        committer.change(change).await.map_err(|error| store_trouble(&error))?;
    }
    let stored = read().await?.map(|document| document.body).unwrap_or_default();
    // Hashed to its length, whatever was stored.
    let digest = digest::digest(&digest::SHA256, &stored);
    Ok(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
}

/// The store does not do what it should.
pub(crate) fn store_trouble(error: &qc_store::StoreError) -> Trouble {
    use qc_store::StoreError as E;
    let (exit, code) = match error {
        E::Full(_) => (Exit::Conflict, codes::DISK),
        E::Unavailable(_) | E::Unknown(_) => (Exit::Unreachable, codes::DATA_DIRECTORY),
        E::Corrupt(_) | E::Refused(_) => (Exit::Internal, codes::DATA_DIRECTORY),
    };
    Trouble::new(exit, Finding::error(code, error.to_string()).help("`qc doctor` looks further"))
}
