//! Connections: taken in bounded number, with TLS or without, each with a time limit for its head, and ended gracefully.

mod guarded;
mod tls;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
};

use crate::Service;
use guarded::{Guarded, linger};

pub use tls::{TlsError, TlsFiles, TlsKeys};

/// How many connections may wait in the kernel's queue.
const BACKLOG: i32 = 4_096;
/// The longest head of a request, in bytes.
const HEAD_BYTES: usize = 64 * 1024;
/// The most header fields of a request.
const HEAD_FIELDS: usize = 100;
/// The most requests at once on one HTTP/2 connection.
const STREAMS: u32 = 256;
/// How long to pause when the system has no file descriptors left.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);

/// Opens a listening socket.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the connections of the process before it to be forgotten.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Serves connections until `stop` becomes true; then no more are taken, and those that are open get `grace` to finish
/// the requests that are in flight.
pub async fn serve(
    listener: TcpListener,
    service: Service,
    tls: Option<Arc<TlsKeys>>,
    mut stop: watch::Receiver<bool>,
    grace: Duration,
) {
    let settings = service.state().settings.clone();
    let slots = Arc::new(Semaphore::new(settings.connections));
    let graceful = GracefulShutdown::new();
    let builder = Arc::new(builder(settings.head_timeout));
    loop {
        let slot = tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            slot = Arc::clone(&slots).acquire_owned() => slot,
        };
        let Ok(slot) = slot else { break };
        let (stream, peer) = tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(EXHAUSTED_PAUSE).await;
                    continue;
                }
            },
        };
        let connection = Connection {
            service: service.clone(),
            tls: tls.clone(),
            builder: Arc::clone(&builder),
            handshake: settings.handshake_timeout,
            peer,
        };
        let watcher = graceful.watcher();
        tokio::spawn(async move {
            connection.run(stream, watcher).await;
            drop(slot);
        });
    }
    drop(listener);
    if tokio::time::timeout(grace, graceful.shutdown()).await.is_err() {
        tracing::warn!("connections were still open when the time to drain was over");
    }
}

/// Waits for the wish to stop; a sender that is gone wishes it, too.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

/// `pipeline_flush` stays off: with it, an answer is not written while unread bytes of the request are in the buffer,
/// and it is lost when the connection is then closed.
fn builder(head_timeout: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEAD_FIELDS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(HEAD_BYTES).unwrap_or(u32::MAX))
        .keep_alive_interval(Some(head_timeout))
        .keep_alive_timeout(head_timeout);
    builder
}

struct Connection {
    service: Service,
    tls: Option<Arc<TlsKeys>>,
    builder: Arc<Builder<TokioExecutor>>,
    handshake: Duration,
    peer: SocketAddr,
}

impl Connection {
    async fn run(self, stream: TcpStream, watcher: hyper_util::server::graceful::Watcher) {
        let _open = self.service.state().metrics.connection();
        // Answers are small and written whole: waiting to fill a packet only costs time.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        match &self.tls {
            None => self.serve(stream, watcher).await,
            Some(keys) => {
                let shaking = keys.acceptor().accept(stream);
                match tokio::time::timeout(self.handshake, shaking).await {
                    Ok(Ok(stream)) => self.serve(stream, watcher).await,
                    Ok(Err(error)) => tracing::debug!(peer = %self.peer, %error, "TLS handshake"),
                    Err(_) => tracing::debug!(peer = %self.peer, "TLS handshake took too long"),
                }
            }
        }
    }

    async fn serve<S>(&self, stream: S, watcher: hyper_util::server::graceful::Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (service, peer) = (self.service.clone(), self.peer);
        let answer = service_fn(move |request: Request<Incoming>| {
            let service = service.clone();
            async move { Ok::<_, std::convert::Infallible>(service.answer(request, peer).await) }
        });
        let (stream, back) = Guarded::new(stream, self.service.state().settings.head_timeout);
        let connection = self.builder.serve_connection(TokioIo::new(stream), answer);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(peer = %self.peer, %error, "a connection ended badly");
        }
        if let Ok(stream) = back.await {
            linger(stream).await;
        }
    }
}
