use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    sync::oneshot,
    time::{Sleep, sleep},
};

/// With what every HTTP/2 connection begins.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long what the client still sends is taken after the last answer.
const LINGER: Duration = Duration::from_secs(2);
/// How much of it is taken.
const LINGER_BYTES: usize = 64 << 20;
/// How much of it is taken at once.
const PIECE: usize = 16 << 10;

/// A client's stream whose beginning is bounded, and which is given back for a proper end.
///
/// The beginning: which version of HTTP a client speaks is read before that version's own time limits count, so a client
/// that sends nothing, or half of HTTP/2's preface, would stay for ever.
///
/// The end: hyper drops the stream, in some cases without shutting it down; [`linger`] takes it from there.
pub(super) struct Guarded<S> {
    /// Here until it is given back.
    stream: Option<S>,
    opening: Option<Opening>,
    back: Option<oneshot::Sender<S>>,
}

struct Opening {
    until: Pin<Box<Sleep>>,
    /// How much of the preface has come.
    matched: usize,
}

impl<S> Guarded<S> {
    /// A stream whose client has so long to say which version of HTTP it speaks; and where the stream is given back.
    pub(super) fn new(stream: S, patience: Duration) -> (Self, oneshot::Receiver<S>) {
        let opening = Opening { until: Box::pin(sleep(patience)), matched: 0 };
        let (back, given) = oneshot::channel();
        (Self { stream: Some(stream), opening: Some(opening), back: Some(back) }, given)
    }

    fn stream(&mut self) -> &mut S {
        self.stream.as_mut().expect("it is given back only by dropping")
    }
}

impl<S> Drop for Guarded<S> {
    fn drop(&mut self) {
        if let (Some(stream), Some(back)) = (self.stream.take(), self.back.take()) {
            // Nobody may be waiting for it: then it ends here.
            drop(back.send(stream));
        }
    }
}

/// Ends a stream so that the client sees the last answer. A client that is refused in the middle of a large body is
/// still sending. A socket closed with unread bytes is reset, and the reset overtakes the answer: the client would see a
/// broken connection in place of the problem. So what comes is read and thrown away for a while, until the client closes.
pub(super) async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    let taking = async {
        if stream.shutdown().await.is_err() {
            return;
        }
        let mut piece = vec![0; PIECE];
        let mut left = LINGER_BYTES;
        while left > 0 {
            match stream.read(&mut piece).await {
                Ok(count @ 1..) => left = left.saturating_sub(count),
                Ok(0) | Err(_) => return,
            }
        }
    };
    // When the time is over, it has been long enough.
    drop(tokio::time::timeout(LINGER, taking).await);
}

impl Opening {
    /// Whether it is known now what the client speaks: the preface is whole, or it is none.
    fn known(&mut self, bytes: &[u8]) -> bool {
        let rest = &PREFACE[self.matched..];
        let common = rest.iter().zip(bytes).take_while(|(expected, come)| expected == come).count();
        self.matched += common;
        self.matched == PREFACE.len() || common < bytes.len()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        match Pin::new(this.stream()).poll_read(context, buffer) {
            Poll::Ready(result) => {
                if let Some(opening) = &mut this.opening
                    && opening.known(&buffer.filled()[before..])
                {
                    this.opening = None;
                }
                Poll::Ready(result)
            }
            Poll::Pending => match &mut this.opening {
                Some(opening) => {
                    ready!(opening.until.as_mut().poll(context));
                    Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "nothing came")))
                }
                None => Poll::Pending,
            },
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.stream()).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.stream()).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.stream()).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.stream()).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_or_half_a_preface_is_given_up() {
        for said in [&b""[..], b"P", b"PRI * HTTP/2.0\r\n"] {
            let (mut client, server) = duplex(64);
            client.write_all(said).await.unwrap();
            let (mut guarded, _back) = Guarded::new(server, PATIENCE);
            let mut heard = vec![0; said.len()];
            guarded.read_exact(&mut heard).await.unwrap();
            let error = guarded.read_u8().await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{said:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_understood_is_left_to_the_protocol() {
        for said in [&b"G"[..], b"PRO", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
            let (mut client, server) = duplex(64);
            client.write_all(said).await.unwrap();
            let (mut guarded, _back) = Guarded::new(server, PATIENCE);
            let mut heard = vec![0; said.len()];
            guarded.read_exact(&mut heard).await.unwrap();
            let more = tokio::time::timeout(10 * PATIENCE, guarded.read_u8()).await;
            assert!(more.is_err(), "{said:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_takes_what_still_comes_but_not_for_ever() {
        let (mut client, server) = duplex(64);
        let (guarded, back) = Guarded::new(server, PATIENCE);
        drop(guarded);
        let since = tokio::time::Instant::now();
        let sending = tokio::spawn(async move {
            client.write_all(&vec![0; 100_000]).await.unwrap();
            let mut rest = Vec::new();
            client.read_to_end(&mut rest).await.unwrap();
        });
        linger(back.await.unwrap()).await;
        sending.await.unwrap();
        assert!(since.elapsed() < LINGER);
        let (_silent, server) = duplex(64);
        let since = tokio::time::Instant::now();
        linger(server).await;
        assert!(since.elapsed() >= LINGER && since.elapsed() < 2 * LINGER);
    }
}
