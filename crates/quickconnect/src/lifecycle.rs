//! A server's life: start, serve, drain, end.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use qc_model::Finding;
use qc_server::{Service, TlsKeys, bind, serve};
use qc_vault::Secrets;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use crate::{
    allocator, bootstrap,
    cli::{Exit, Output, Trouble},
    codes,
    config::Config,
    signals::Signals,
    traces::Traces,
    wiring::{self, Platform},
};

/// How often what is past its time is removed.
const PRUNE_EVERY: Duration = Duration::from_secs(60);
/// How many rows one removal takes at most: it shares the disk with the commits.
const PRUNE_ROWS: usize = 2_000;

/// A server that serves.
pub(crate) struct Running {
    pub(crate) platform: Platform,
    pub(crate) url: String,
    pub(crate) tls: Option<Arc<TlsKeys>>,
    /// Where the first token was written, when one was made.
    pub(crate) context_file: Option<PathBuf>,
    stop: watch::Sender<bool>,
    doors: JoinHandle<()>,
    engine: JoinHandle<()>,
    chores: JoinSet<()>,
    traces: Option<Traces>,
    drain: Duration,
}

impl Running {
    /// Starts a server: store, first token, deployments, doors, engine; ready at the end. Whoever starts one listens to
    /// signals already. One that comes meanwhile is not lost: what was begun, such as the first token, is finished first.
    pub(crate) async fn start(
        _listening: &Signals,
        config: &Config,
        secrets: Arc<Secrets>,
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
        let listener = listen(config.listen)?;
        let address = listener.local_addr().unwrap_or(config.listen);
        let url = url_of(address, tls.is_some());
        let platform = Platform::wire(config, secrets).await?;
        // Before anything can happen, so that nothing is missed.
        let traces = export_traces(config, &platform)?;
        let made =
            bootstrap::first_token(&platform, &url, context.as_deref(), &config.data_dir).await?;
        if let Some(made) = &made {
            let file = made.file.display();
            output.say(&format!("a first administrator's token was written to {file}"));
            if context.as_ref() != Some(&made.file) {
                output.say(&format!("the usual context file belongs to another server; use: export QC_CONTEXT={file}"));
            }
        }
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
        let (stop, stopped) = watch::channel(false);
        let service = Service::new(&platform.state);
        let doors =
            tokio::spawn(serve(listener, service, tls.clone(), stopped, config.drain_timeout));
        let running = platform.engine.clone();
        let engine = tokio::spawn(async move { running.run().await });
        let mut chores = JoinSet::new();
        chores.spawn(allocator::wake_to_give_back());
        chores.spawn(prune(
            Arc::clone(&platform.store),
            Arc::clone(&platform.clock),
            config.retention,
        ));
        if let Some(keys) = &tls {
            chores.spawn(Arc::clone(keys).watch());
        }
        platform.state.set_ready(true);
        tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "serving");
        let drain = config.drain_timeout;
        let context_file = made.map(|made| made.file);
        Ok(Self { platform, url, tls, context_file, stop, doors, engine, chores, traces, drain })
    }

    /// Ends gracefully: nothing new is taken, what is in flight settles and is journaled, then the store is closed.
    pub(crate) async fn end(self) {
        let Self { platform, stop, doors, engine, mut chores, traces, drain, .. } = self;
        platform.state.set_ready(false);
        tracing::info!("draining");
        // Waited for: a chore that still held the store would keep it from being closed.
        chores.shutdown().await;
        let closing = async {
            stop.send_replace(true);
            // A door that panicked is closed, too.
            drop(doors.await);
        };
        tokio::join!(closing, platform.engine.drain(drain));
        drop(tokio::time::timeout(drain, engine).await);
        let flushing = async {
            if let Some(traces) = traces {
                traces.end().await;
            }
        };
        tokio::join!(platform.close(), flushing);
        tracing::info!("ended");
    }
}

/// Begins to export traces, when there is somebody to take them.
fn export_traces(config: &Config, platform: &Platform) -> Result<Option<Traces>, Trouble> {
    let Some(endpoint) = &config.otlp_endpoint else { return Ok(None) };
    // Connections of its own: a collector that hangs takes none from the calls of runs.
    let caller = Arc::new(wiring::http_caller(config)?);
    let (listener, clock) = (platform.engine.subscribe(), Arc::clone(&platform.clock));
    Traces::begin(listener, caller, clock, endpoint, &config.node)
        .map(Some)
        .map_err(|finding| Trouble::new(Exit::Usage, *finding))
}

fn listen(address: SocketAddr) -> Result<TcpListener, Trouble> {
    bind(address).map_err(|error| {
        let message = format!("cannot listen on {address}: {error}");
        let help = "another program may have the address; set `listen` to another one";
        Trouble::new(Exit::Conflict, Finding::error(codes::LISTEN, message).help(help))
    })
}

/// The address for clients on this machine.
pub(crate) fn url_of(address: SocketAddr, tls: bool) -> String {
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

async fn prune(
    store: Arc<dyn qc_store::Store>,
    clock: Arc<dyn qc_model::Clock>,
    retention: Duration,
) {
    loop {
        tokio::time::sleep(PRUNE_EVERY).await;
        let now = clock.now();
        match store.prune(now, now - retention, PRUNE_ROWS).await {
            Ok(0) => {}
            Ok(rows) => tracing::debug!(rows, "removed what was past its time"),
            Err(error) => tracing::warn!(%error, "what is past its time cannot be removed now"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_is_one_that_a_client_here_can_use() {
        assert_eq!(url_of("0.0.0.0:7070".parse().unwrap(), false), "http://127.0.0.1:7070");
        assert_eq!(url_of("[::]:443".parse().unwrap(), true), "https://[::1]:443");
        assert_eq!(url_of("10.0.0.1:80".parse().unwrap(), false), "http://10.0.0.1:80");
    }
}
