//! A provider over HTTP/1.1, able to break a connection and to leave a caller hanging.

mod run;
mod wire;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::control;
use crate::exchange::{SimAnswer, SimRequest, SimResponse};
use crate::provider::Provider;

pub use run::{ServeSpec, load_folder, run, start};
use wire::{Breaker, Wire};

/// Most connections at once; further ones wait.
const CONNECTION_LIMIT: usize = 10_000;
/// Largest request body.
const BODY_LIMIT: usize = 16 << 20;
/// How long a caller is left hanging before the connection is broken.
const HANG_LIMIT: Duration = Duration::from_secs(600);

/// A provider that is being served. Dropping this leaves it running; [`Serving::stop`] ends it.
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    provider: Arc<Provider>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("name", &self.name()).finish_non_exhaustive()
    }
}

impl Serving {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:…`, for base URLs.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The provider.
    pub fn provider(&self) -> &Arc<Provider> {
        &self.provider
    }

    /// Stops listening and breaks all connections.
    pub async fn stop(self) {
        // Nobody listening any more is as good as stopped.
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

/// Serves a provider on a listener, with its control endpoints under `/_sim/`.
pub fn serve(provider: Arc<Provider>, listener: TcpListener) -> io::Result<Serving> {
    let address = listener.local_addr()?;
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(accept(Arc::clone(&provider), listener, stopped));
    Ok(Serving { address, stop, task, provider })
}

async fn accept(
    provider: Arc<Provider>,
    listener: TcpListener,
    mut stopped: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(CONNECTION_LIMIT));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => return,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, most likely: give connections time to end.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let provider = Arc::clone(&provider);
        let mut stopped = stopped.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = converse(provider, stream) => {}
                _ = stopped.changed() => {}
            }
            drop(place);
        });
    }
}

/// Speaks HTTP on one connection until it ends.
async fn converse(provider: Arc<Provider>, stream: TcpStream) {
    // Without it, small answers wait for acknowledgements; failing to set it costs time only.
    let _ = stream.set_nodelay(true);
    let breaker = Breaker::default();
    let wire = Wire::new(stream, breaker.clone());
    let service = service_fn(move |request| {
        let (provider, breaker) = (Arc::clone(&provider), breaker.clone());
        async move { answer(&provider, request, &breaker).await }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(None).keep_alive(true);
    // An error here is a broken connection: by the caller, or by a fault.
    let _ = http.serve_connection(TokioIo::new(wire), service).await;
}

/// The connection is to be broken.
#[derive(Debug)]
struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the simulated provider broke the connection")
    }
}

impl std::error::Error for Broken {}

impl From<Infallible> for Broken {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

async fn answer(
    provider: &Provider,
    request: Request<Incoming>,
    breaker: &Breaker,
) -> Result<Response<Full<Bytes>>, Broken> {
    let (head, body) = request.into_parts();
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        return Ok(respond(SimResponse::empty(StatusCode::PAYLOAD_TOO_LARGE)));
    };
    let body = body.to_bytes();
    if target.starts_with(control::PREFIX) {
        return Ok(respond(provider.control(&head.method, &target, &body)));
    }
    let request = SimRequest {
        method: head.method,
        target,
        headers: head.headers,
        body,
        // It serves without TLS.
        certified: false,
    };
    match provider.handle(request) {
        SimAnswer::Respond(response) => {
            if !response.delay.is_zero() {
                tokio::time::sleep(response.delay).await;
            }
            Ok(respond(response))
        }
        SimAnswer::Drop => {
            breaker.trip();
            Err(Broken)
        }
        SimAnswer::Hang => {
            tokio::time::sleep(HANG_LIMIT).await;
            breaker.trip();
            Err(Broken)
        }
    }
}

fn respond(answer: SimResponse) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response
}
