//! The wire under an AMQP connection: TCP, with or without TLS, and a limit for the handshake.

use std::{
    future::Future,
    io::{self, Read, Write},
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use async_rs::{Tokio, traits::Reactor};
use futures_io::{AsyncRead, AsyncWrite};
use futures_util::Stream;
use tokio::{
    io::{AsyncRead as _, AsyncWrite as _, ReadBuf},
    net::TcpStream,
    time::Sleep,
};
use tokio_rustls::client::TlsStream;

/// A connection to a broker, as bytes.
pub(super) struct Line {
    io: Io,
    /// Until when the connection must be open: a broker that accepts and stays silent would be waited for for ever.
    opening: Option<Pin<Box<Sleep>>>,
    opened: Arc<AtomicBool>,
}

enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Line {
    pub(super) fn plain(stream: TcpStream, limit: Duration, opened: Arc<AtomicBool>) -> Self {
        Self::over(Io::Plain(stream), limit, opened)
    }

    pub(super) fn tls(
        stream: TlsStream<TcpStream>,
        limit: Duration,
        opened: Arc<AtomicBool>,
    ) -> Self {
        Self::over(Io::Tls(Box::new(stream)), limit, opened)
    }

    fn over(io: Io, limit: Duration, opened: Arc<AtomicBool>) -> Self {
        Self { io, opening: Some(Box::pin(tokio::time::sleep(limit))), opened }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let Some(limit) = &mut this.opening {
            if this.opened.load(Ordering::Acquire) {
                this.opening = None;
            } else if limit.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        let mut buffer = ReadBuf::new(buffer);
        ready!(match &mut this.io {
            Io::Plain(stream) => Pin::new(stream).poll_read(cx, &mut buffer),
            Io::Tls(stream) => Pin::new(stream).poll_read(cx, &mut buffer),
        })?;
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().io {
            Io::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Io::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().io {
            Io::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Io::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().io {
            Io::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Io::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// Tokio, whose streams are ours. The client library is handed open lines, so it never makes one itself.
#[derive(Debug, Clone)]
pub(super) struct Lines(pub(super) Tokio);

fn not_here() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "connections are made by the caller")
}

impl Reactor for Lines {
    type TcpStream = Line;
    type Sleep = Sleep;

    fn register<H: Read + Write + Send + 'static>(
        &self,
        _: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        Err::<Line, _>(not_here())
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        self.0.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(duration)
    }

    fn tcp_connect_addr(
        &self,
        _: SocketAddr,
    ) -> impl Future<Output = io::Result<Line>> + Send + 'static {
        std::future::ready(Err(not_here()))
    }
}
