//! A small HTTP client that keeps its connection and says plainly when it breaks.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

/// How long any one exchange may take: longer than the longest wait that is asked for.
const PATIENCE: Duration = Duration::from_secs(70);

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn shown(&self) -> String {
        format!("{} {}", self.status, String::from_utf8_lossy(&self.body))
    }
}

/// One connection to the server, made anew when it broke.
pub(crate) struct Line {
    port: u16,
    patience: Duration,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Line {
    pub(crate) fn to(port: u16) -> Self {
        Self { port, patience: PATIENCE, sender: None }
    }

    /// One that gives up sooner, as a load balancer does with a server that does not answer.
    pub(crate) fn impatient(port: u16, patience: Duration) -> Self {
        Self { port, patience, sender: None }
    }

    /// Speaks to another server from now on.
    pub(crate) fn turn_to(&mut self, port: u16) {
        if port != self.port {
            (self.port, self.sender) = (port, None);
        }
    }

    /// Over a stream that is there, such as a secured one; once it breaks it stays broken.
    pub(crate) async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<Self, String> {
        Ok(Self { port: 0, patience: PATIENCE, sender: Some(speak(stream).await?) })
    }

    /// Sends one request; an error is a broken connection or silence, whose outcome the sender cannot know.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&'static str, String)],
        body: Bytes,
    ) -> Result<Reply, String> {
        let patience = self.patience;
        let exchange = self.exchange(method, path, headers, body);
        let result =
            timeout(patience, exchange).await.unwrap_or_else(|_| Err("no answer".to_owned()));
        if result.is_err() {
            self.sender = None;
        }
        result
    }

    async fn exchange(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&'static str, String)],
        body: Bytes,
    ) -> Result<Reply, String> {
        let mut request = Request::builder().method(method).uri(path).header("host", "127.0.0.1");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(Full::new(body)).map_err(|error| error.to_string())?;
        if self.sender.as_ref().is_none_or(SendRequest::is_closed) {
            self.sender = Some(self.connect().await?);
        }
        let Some(sender) = &mut self.sender else { return Err("not connected".to_owned()) };
        sender.ready().await.map_err(|error| error.to_string())?;
        let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
        Ok(Reply { status: head.status.as_u16(), headers: head.headers, body })
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let stream =
            TcpStream::connect(("127.0.0.1", self.port)).await.map_err(|e| e.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        speak(stream).await
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<SendRequest<Full<Bytes>>, String> {
    let (sender, connection) =
        handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    // Its end is seen by whoever sends on it.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}
