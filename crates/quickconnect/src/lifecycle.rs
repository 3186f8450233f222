//! A server's life: start, serve, drain, end.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use qc_audit::Sealer;
use qc_model::Finding;
use qc_server::{Door, Service, TlsKeys, bind, serve};
use qc_store::blobs::{Asked, Blobs, Swept};
use qc_vault::{KvKeeper, Vault};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use crate::{
    allocator, audit, bootstrap,
    brokers::{self, Brokers},
    cli::{Exit, Output, Trouble},
    codes,
    config::{ApiDoor, Config},
    context::Addresses,
    retention,
    signals::Signals,
    traces::Traces,
    wiring::{self, Credentials, Platform},
};

/// When large bodies are looked through for the first time.
const SWEEP_FIRST: Duration = Duration::from_secs(60);
/// How often large bodies that no run holds are removed: every one of them is looked at.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);
/// How soon a secret that is looked for is read from the KV engine.
const KV_EVERY: Duration = Duration::from_secs(1);
/// How often an engine that is away is asked.
const KV_AWAY: Duration = Duration::from_secs(5);
/// How soon a node sees what another one changed in the vault.
const VAULT_EVERY: Duration = Duration::from_secs(1);
/// The pause between two steps of a rotation: others commit meanwhile.
const VAULT_STEP: Duration = Duration::from_millis(100);
/// How often signing keys and what belongs to identities are looked at.
const IDENTITIES_EVERY: Duration = Duration::from_secs(60);
/// A run that is younger need not be in the store yet.
const YOUNG: Duration = Duration::from_secs(3600);

/// A server that serves.
pub(crate) struct Running {
    pub(crate) platform: Platform,
    pub(crate) url: String,
    pub(crate) tls: Option<Arc<TlsKeys>>,
    /// Where the first token was written, when one was made.
    pub(crate) context_file: Option<PathBuf>,
    stop: watch::Sender<bool>,
    doors: JoinSet<()>,
    engine: JoinHandle<()>,
    sealer: Arc<Sealer>,
    chores: JoinSet<()>,
    brokers: Brokers,
    traces: Option<Traces>,
    drain: Duration,
}

impl Running {
    /// Starts a server: store, first token, deployments, doors, engine; ready at the end. Whoever starts one listens to
    /// signals already. One that comes meanwhile is not lost: what was begun, such as the first token, is finished first.
    pub(crate) async fn start(
        _listening: &Signals,
        config: &Config,
        credentials: Credentials,
        context: Option<PathBuf>,
        output: Output,
    ) -> Result<Self, Trouble> {
        let tls = match &config.tls {
            Some(files) => Some(TlsKeys::load(files.clone()).map_err(|error| {
                Trouble::usage(
                    codes::TLS,
                    error.to_string(),
                    "check `tls_certificate` and `tls_key`",
                )
            })?),
            None => None,
        };
        // The address first: a second server on the same address must not touch the store.
        let listener = listen(config.listen, "listen")?;
        let address = listener.local_addr().unwrap_or(config.listen);
        let api = match config.api {
            ApiDoor::At(address) => Some(listen(address, "api_listen")?),
            ApiDoor::Shared | ApiDoor::Off => None,
        };
        let api_address = api.as_ref().and_then(|api| api.local_addr().ok());
        let at = addresses(config, address, api_address);
        let client = wiring::broker_client(config)?;
        let secrets = Arc::clone(&credentials.secrets);
        let mut credentials = credentials;
        let kv = credentials.kv.take();
        let platform = Platform::wire(config, credentials).await?;
        // Before anything can happen, so that nothing is missed.
        let traces = export_traces(config, &platform)?;
        let made =
            bootstrap::first_token(&platform, &at, context.as_deref(), &config.data_dir).await?;
        if let Some(made) = &made {
            let file = made.file.display();
            output.say(&format!("a first administrator's token was written to {file}"));
            if context.as_ref() != Some(&made.file) {
                output.say(&format!("the usual context file belongs to another server; use: export QC_CONTEXT={file}"));
            }
        }
        let sealer = Arc::new(audit::sealer(config, &platform)?);
        let findings = platform.catalogue.reload(&platform.engine).await.map_err(|error| {
            Trouble::new(
                Exit::Internal,
                error
                    .finding()
                    .unwrap_or_else(|| Finding::error(codes::DATA_DIRECTORY, error.to_string())),
            )
        })?;
        for finding in &findings {
            tracing::error!(code = %finding.code, "{finding}");
        }
        if let Some(kv) = &kv {
            // Before anything looks for them; an engine that is away keeps nobody from starting.
            read_kv(kv, &platform.state).await;
        }
        let (stop, stopped) = watch::channel(false);
        let doors = open_doors(config, &platform, listener, api, tls.as_ref(), &stopped);
        let running = platform.engine.clone();
        let engine = tokio::spawn(async move { running.run().await });
        let mut chores = begin_chores(config, &platform, tls.as_ref(), &sealer)?;
        if let Some(kv) = kv {
            chores.spawn(keep_kv(kv, Arc::clone(&platform.state)));
        }
        let brokers = Brokers::start(brokers::Parts {
            engine: platform.engine.clone(),
            state: Arc::clone(&platform.state),
            client,
            secrets,
            clock: Arc::clone(&platform.clock),
        });
        platform.state.set_ready(true);
        let node = platform.engine.node();
        tracing::info!(%address, %node, version = env!("CARGO_PKG_VERSION"), "serving");
        let drain = config.drain_timeout;
        let context_file = made.map(|made| made.file);
        Ok(Self {
            platform,
            url: at.url,
            tls,
            context_file,
            stop,
            doors,
            engine,
            sealer,
            chores,
            brokers,
            traces,
            drain,
        })
    }

    /// Ends gracefully: nothing new is taken, what is in flight settles and is journaled, then the store is closed.
    pub(crate) async fn end(self) {
        let Self { platform, stop, mut doors, engine, sealer, .. } = self;
        let Self { mut chores, brokers, traces, drain, .. } = self;
        platform.state.set_ready(false);
        tracing::info!("draining");
        // Waited for: a chore that still held the store would keep it from being closed.
        chores.shutdown().await;
        // Before the engine drains: it would take nothing of what they still have in hand.
        brokers.end().await;
        let closing = async {
            stop.send_replace(true);
            // A door that panicked is closed, too.
            while doors.join_next().await.is_some() {}
        };
        tokio::join!(closing, platform.engine.drain(drain));
        drop(tokio::time::timeout(drain, engine).await);
        platform.state.settle_refusals().await;
        platform.state.settle_uses().await;
        platform.state.settle_contracts().await;
        platform.state.settle_traffic().await;
        audit::finish(&sealer).await;
        drop(sealer);
        let flushing = async {
            if let Some(traces) = traces {
                traces.end().await;
            }
        };
        tokio::join!(platform.close(), flushing);
        tracing::info!("ended");
    }
}

/// Begins what this node does by itself beside the engine.
fn begin_chores(
    config: &Config,
    platform: &Platform,
    tls: Option<&Arc<TlsKeys>>,
    sealer: &Arc<Sealer>,
) -> Result<JoinSet<()>, Trouble> {
    let caller = Arc::new(wiring::http_caller(config)?);
    let mut chores = JoinSet::new();
    chores.spawn(allocator::wake_to_give_back());
    chores.spawn(Arc::clone(&platform.catalogue).follow(platform.engine.clone()));
    chores.spawn(retention::keep(retention::Parts::of(platform), config.retention));
    chores.spawn(sweep_of(platform));
    chores.spawn(Arc::clone(&platform.state).keep_refusals());
    chores.spawn(Arc::clone(&platform.state).keep_uses());
    chores.spawn(Arc::clone(&platform.state).keep_contracts());
    chores.spawn(Arc::clone(&platform.state).keep_traffic());
    chores.spawn(Arc::clone(&platform.state).keep_owners());
    chores.spawn(Arc::clone(&platform.state).keep_policies());
    chores.spawn(keep_vault(Arc::clone(&platform.vault)));
    chores.spawn(Arc::clone(&platform.state).keep_connections());
    chores.spawn(Arc::clone(&platform.state).follow_connections());
    let engine = platform.engine.clone();
    chores.spawn(async move { engine.keep_canaries().await });
    chores.spawn(Arc::clone(&platform.state).keep_captures());
    chores.spawn(keep_identities(Arc::clone(&platform.state)));
    let (engine, checkpoints) = (platform.engine.clone(), config.checkpoints.clone());
    chores.spawn(audit::keep(engine, Arc::clone(sealer), checkpoints, caller));
    if let Some(keys) = tls {
        chores.spawn(Arc::clone(keys).watch());
    }
    Ok(chores)
}

/// Serves at the address of events and, when it has one, at the management API's own.
fn open_doors(
    config: &Config,
    platform: &Platform,
    events: TcpListener,
    api: Option<TcpListener>,
    tls: Option<&Arc<TlsKeys>>,
    stopped: &watch::Receiver<bool>,
) -> JoinSet<()> {
    let events_door = if config.api == ApiDoor::Shared { Door::All } else { Door::Events };
    let mut doors = JoinSet::new();
    let served = [(Some(events), events_door), (api, Door::Management)];
    for (listener, door) in served.into_iter().filter_map(|(l, door)| Some((l?, door))) {
        let service = Service::new(&platform.state, door);
        doors.spawn(serve(listener, service, tls.cloned(), stopped.clone(), config.drain_timeout));
    }
    doors
}

/// Begins to export traces, when there is somebody to take them.
fn export_traces(config: &Config, platform: &Platform) -> Result<Option<Traces>, Trouble> {
    let Some(endpoint) = &config.otlp_endpoint else { return Ok(None) };
    // Connections of its own: a collector that hangs takes none from the calls of runs.
    let caller = Arc::new(wiring::http_caller(config)?);
    let (listener, clock) = (platform.engine.subscribe(), Arc::clone(&platform.clock));
    Traces::begin(listener, caller, clock, endpoint, platform.engine.node())
        .map(Some)
        .map_err(|finding| Trouble::new(Exit::Usage, *finding))
}

fn listen(address: SocketAddr, setting: &str) -> Result<TcpListener, Trouble> {
    bind(address).map_err(|error| {
        let message = format!("cannot listen on {address}: {error}");
        let help = format!("another program may have the address; set `{setting}` to another one");
        Trouble::new(Exit::Conflict, Finding::error(codes::LISTEN, message).help(help))
    })
}

/// The addresses for clients on this machine, of a server that takes events at `events` and, when it has a door of its
/// own for the management API, serves that at `api`, or where the settings say.
pub(crate) fn addresses(config: &Config, events: SocketAddr, api: Option<SocketAddr>) -> Addresses {
    let tls = config.tls.is_some();
    let events = url_of(events, tls);
    match (config.api, api) {
        (ApiDoor::At(_), Some(api)) | (ApiDoor::At(api), None) => {
            Addresses { url: url_of(api, tls), events_url: Some(events) }
        }
        (ApiDoor::Shared | ApiDoor::Off, _) => Addresses { url: events, events_url: None },
    }
}

/// The address for clients on this machine.
fn url_of(address: SocketAddr, tls: bool) -> String {
    let scheme = if tls { "https" } else { "http" };
    let mut address = address;
    if address.ip().is_unspecified() {
        let loopback = match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        };
        address.set_ip(loopback);
    }
    format!("{scheme}://{address}")
}

/// Sees what other nodes changed in the vault, and does what is due there, step by step.
async fn keep_vault(vault: Arc<Vault>) {
    let mut pause = VAULT_EVERY;
    // Said once, not every second.
    let mut well = true;
    loop {
        tokio::time::sleep(pause).await;
        let done = match vault.refresh().await {
            Ok(()) => vault.tend().await,
            Err(error) => Err(error.into()),
        };
        let done = done.and_then(|more| match vault.trouble() {
            Some(trouble) => Err(trouble.into()),
            None => Ok(more),
        });
        pause = if matches!(done, Ok(true)) { VAULT_STEP } else { VAULT_EVERY };
        match &done {
            Err(error) if well => tracing::warn!(%error, "the vault cannot be kept up now"),
            Ok(_) if !well => tracing::info!("the vault is kept up again"),
            _ => {}
        }
        well = done.is_ok();
    }
}

/// Reads what deployed releases need from the KV engine, and what was looked for there. Says whether it could be asked.
async fn read_kv(kv: &KvKeeper, state: &qc_server::State) -> bool {
    for (environment, references) in state.needed_secrets() {
        kv.want(&environment, &references);
    }
    kv.round().await.is_ok()
}

/// Keeps the secrets of a KV engine up.
async fn keep_kv(kv: KvKeeper, state: Arc<qc_server::State>) {
    let mut well = true;
    loop {
        tokio::time::sleep(if well { KV_EVERY } else { KV_AWAY }).await;
        let done = read_kv(&kv, &state).await;
        match done {
            false if well => {
                tracing::warn!("the KV engine cannot be read now; what is known counts on");
            }
            true if !well => tracing::info!("the KV engine can be read again"),
            _ => {}
        }
        well = done;
    }
}

/// Makes signing keys that are due, and forgets what need not be remembered.
async fn keep_identities(state: Arc<qc_server::State>) {
    loop {
        tokio::time::sleep(IDENTITIES_EVERY).await;
        if let Err(error) = state.tend_identities().await {
            tracing::warn!(%error, "signing keys and sessions cannot be kept up now");
        }
    }
}

fn sweep_of(platform: &Platform) -> impl Future<Output = ()> + Send + 'static {
    sweep(Arc::clone(&platform.store), Arc::clone(&platform.blobs), Arc::clone(&platform.clock))
}

async fn sweep(
    store: Arc<dyn qc_store::Store>,
    blobs: Arc<dyn Blobs>,
    clock: Arc<dyn qc_model::Clock>,
) {
    let exists = |run| {
        let store = Arc::clone(&store);
        let asked: Asked<'_> = Box::pin(async move { Ok(store.run(run).await?.is_some()) });
        asked
    };
    // The first one soon: a process that ended may have left something.
    let mut pause = SWEEP_FIRST;
    loop {
        tokio::time::sleep(pause).await;
        pause = SWEEP_EVERY;
        match blobs.sweep(clock.now() - YOUNG, &exists).await {
            Ok(swept) if swept == Swept::default() => {}
            Ok(swept) => tracing::info!(
                blobs = swept.blobs,
                bytes = swept.bytes,
                "removed large bodies that no run holds"
            ),
            Err(error) => tracing::warn!(%error, "large bodies cannot be looked through now"),
        }
    }
}

#[cfg(test)]
mod tests {
    use qc_model::{RunId, Timestamp};
    use qc_store::{blobs::MemoryBlobs, memory::MemoryStore};

    use super::*;

    struct Still;

    impl qc_model::Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(1_795_358_400_000)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn large_bodies_go_when_no_run_of_the_store_holds_them() {
        let blobs = Arc::new(MemoryBlobs::default());
        let young = qc_model::Clock::now(&Still) - Duration::from_secs(3500);
        let young = u128::try_from(young.as_millis()).unwrap() << 80;
        let runs = [RunId::from_bits(1), RunId::from_bits(young)];
        let body = || qc_model::Body::Bytes("a body".into()).into_stream();
        let mut there = Vec::new();
        for run in runs {
            there.push((run, blobs.put(run, body(), 10).await.unwrap().hash));
        }
        let chore =
            tokio::spawn(sweep(Arc::new(MemoryStore::new()), blobs.clone(), Arc::new(Still)));
        tokio::time::sleep(SWEEP_FIRST + Duration::from_secs(1)).await;
        let mut left = Vec::new();
        for (run, hash) in there {
            left.push(blobs.get(run, hash).await.unwrap().is_some());
        }
        assert_eq!(left, [false, true]);
        chore.abort();
    }

    #[test]
    fn the_url_is_one_that_a_client_here_can_use() {
        assert_eq!(url_of("0.0.0.0:7070".parse().unwrap(), false), "http://127.0.0.1:7070");
        assert_eq!(url_of("[::]:443".parse().unwrap(), true), "https://[::1]:443");
        assert_eq!(url_of("10.0.0.1:80".parse().unwrap(), false), "http://10.0.0.1:80");
    }
}
