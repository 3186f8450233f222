use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderMap, Method, StatusCode};
use zeroize::Zeroizing;

/// The outbound HTTP seam: the only way in which the platform reaches other systems. It sends one
/// request once: no retries, no redirects, no cookies.
#[async_trait]
pub trait Caller: Send + Sync {
    /// Sends the request and returns when the response's head is there; its body follows.
    async fn call(&self, request: OutboundRequest) -> Result<OutboundResponse, CallError>;
}

/// One HTTP request to another system.
#[derive(Debug)]
pub struct OutboundRequest {
    /// The method.
    pub method: Method,
    /// Absolute URL, `http` or `https`.
    pub url: String,
    /// Header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
    /// From the first byte sent to the last byte of the response's head and body.
    pub timeout: Duration,
    /// How long making the connection may take of that, TLS included; the caller's own limit when none is given.
    pub connect_timeout: Option<Duration>,
    /// What addresses the host may have.
    pub reach: Reach,
    /// With what certificate the sender proves itself in the TLS handshake; none when nothing is given.
    pub identity: Option<ClientIdentity>,
}

/// A certificate and its key with which the sender of a request proves itself in the TLS handshake (RFC 8446, section
/// 4.4.2). It prints and compares by its name only, and its memory is wiped when the last copy goes.
#[derive(Clone)]
pub struct ClientIdentity {
    name: Arc<str>,
    pem: Arc<Zeroizing<Vec<u8>>>,
}

impl ClientIdentity {
    /// From the certificate, those of its issuers and the key, all PEM. The name tells identities apart: a hash of them.
    pub fn new(name: &str, pem: Zeroizing<Vec<u8>>) -> Self {
        Self { name: name.into(), pem: Arc::new(pem) }
    }

    /// What tells it from others.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Certificates and key, for the one place that makes connections.
    pub fn pem(&self) -> &[u8] {
        &self.pem
    }
}

impl PartialEq for ClientIdentity {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for ClientIdentity {}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientIdentity({})", self.name)
    }
}

/// What addresses a request's host may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Any: whoever configures the platform wrote the address.
    Anywhere,
    /// Those on the internet, and what the settings of the caller open beside them: the address comes from data.
    Public,
}

/// The answer's head, and its body to be read.
#[derive(Debug)]
pub struct OutboundResponse {
    /// The status.
    pub status: StatusCode,
    /// Header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
}

/// A stream of a body's chunks.
pub type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, CallError>> + Send>>;

/// A body: whole in memory, or streamed.
pub enum Body {
    /// Whole.
    Bytes(Bytes),
    /// Streamed, with its length when known.
    Stream {
        /// Length in bytes.
        length: Option<u64>,
        /// The chunks.
        stream: BodyStream,
    },
}

impl Body {
    /// A body without bytes.
    pub const fn empty() -> Self {
        Self::Bytes(Bytes::new())
    }

    /// The chunks, one after the other.
    pub fn into_stream(self) -> BodyStream {
        match self {
            Self::Bytes(bytes) => Box::pin(stream::iter((!bytes.is_empty()).then_some(Ok(bytes)))),
            Self::Stream { stream, .. } => stream,
        }
    }

    /// Reads the whole body, refusing more than `limit` bytes.
    pub async fn collect(self, limit: usize) -> Result<Bytes, CallError> {
        let too_large = || CallError {
            kind: CallErrorKind::TooLarge,
            sent: true,
            message: format!("the body is larger than {limit} bytes"),
        };
        match self {
            Self::Bytes(bytes) if bytes.len() > limit => Err(too_large()),
            Self::Bytes(bytes) => Ok(bytes),
            Self::Stream { mut stream, .. } => {
                let mut whole = BytesMut::new();
                while let Some(chunk) = stream.next().await {
                    let chunk = chunk?;
                    if whole.len() + chunk.len() > limit {
                        return Err(too_large());
                    }
                    whole.extend_from_slice(&chunk);
                }
                Ok(whole.freeze())
            }
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            Self::Stream { length, .. } => write!(f, "Body(stream, {length:?} bytes)"),
        }
    }
}

/// A call that brought no complete answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CallError {
    /// How it failed.
    pub kind: CallErrorKind,
    /// Whether bytes of the request may have reached the other side. False is a proof that they
    /// did not; true means that the outcome is ambiguous.
    pub sent: bool,
    /// What happened, without secrets.
    pub message: String,
}

/// The ways in which a call fails without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallErrorKind {
    /// The host name has no address.
    Resolve,
    /// No connection could be made.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// The time was up.
    Timeout,
    /// The connection broke off.
    Reset,
    /// What came back was not HTTP.
    Protocol,
    /// The answer was larger than allowed.
    TooLarge,
    /// The address is in a private network, and nobody who configures the platform wrote it.
    OutOfReach,
    /// The request itself was unusable (bad URL, refused destination).
    Refused,
}
