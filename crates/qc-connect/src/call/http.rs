use std::{
    error::Error as _,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::TryStreamExt;
use http::header;
use ipnet::IpNet;
use qc_model::{
    Body, CallError, CallErrorKind, Caller, ClientIdentity, Finding, OutboundRequest,
    OutboundResponse, Reach,
};
use reqwest::{Certificate, Client, Identity, Proxy, redirect, retry};

use super::{
    exchange::USER_AGENT,
    reach::{Guard, OutOfReach},
};
use crate::codes;

/// So many clients with connect timeouts of their own are kept; beyond it the one goes that was not used for longest.
const CLIENTS: usize = 32;

/// Settings of the HTTP client.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// How long a connection may take, TLS included, when its request says nothing else.
    pub connect_timeout: Duration,
    /// Idle connections kept for each host.
    pub idle_per_host: usize,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// A proxy for all requests, `http://host:port`. The environment's proxy variables are not looked at.
    pub proxy: Option<String>,
    /// Certificates of private authorities, PEM, trusted beside the system's.
    pub authorities: Option<Vec<u8>>,
    /// Private networks that addresses from data may reach.
    pub private: Vec<IpNet>,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            idle_per_host: 256,
            // Below the minute after which many proxies close: a request that meets a closing connection is ambiguous.
            idle_timeout: Duration::from_secs(50),
            proxy: None,
            authorities: None,
            private: Vec::new(),
        }
    }
}

/// The real way out: one request, once. HTTP/1.1 and HTTP/2 over TLS or plain TCP; no redirects, retries, cookies.
#[derive(Clone)]
pub struct HttpCaller {
    clients: Arc<Clients>,
}

/// One client for each time that a connection may take, for what may be reached, and for each certificate: the client
/// library sets these for a client as a whole, and its pool would hand the connecting of one request to another.
struct Clients {
    settings: HttpSettings,
    guard: Guard,
    usual: Client,
    /// The one that was used last stands last.
    others: Mutex<Vec<(Kind, Client)>>,
}

/// What sets a client apart: the time that a connection may take, what may be reached, and who it is.
type Kind = (Duration, Reach, Option<ClientIdentity>);

impl HttpCaller {
    /// A client with these settings. Connections are made when they are first needed.
    pub fn new(settings: &HttpSettings) -> Result<Self, Box<Finding>> {
        let guard = Guard::new(&settings.private);
        let usual = client(settings, None, None)?;
        let others = Mutex::default();
        let clients = Clients { settings: settings.clone(), guard, usual, others };
        Ok(Self { clients: Arc::new(clients) })
    }
}

#[cfg(test)]
impl HttpCaller {
    pub(super) fn kept_clients(&self) -> usize {
        self.clients.others.lock().unwrap().len()
    }
}

impl Clients {
    fn of(
        &self,
        time: Option<Duration>,
        reach: Reach,
        identity: Option<ClientIdentity>,
    ) -> Result<Client, CallError> {
        let kind = (time.unwrap_or(self.settings.connect_timeout), reach, identity);
        if kind == (self.settings.connect_timeout, Reach::Anywhere, None) {
            return Ok(self.usual.clone());
        }
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let found = others.iter().position(|(known, _)| *known == kind);
        let client = if let Some(at) = found {
            others.remove(at).1
        } else {
            let settings = HttpSettings { connect_timeout: kind.0, ..self.settings.clone() };
            let guard = (reach == Reach::Public).then(|| self.guard.clone());
            client(&settings, guard, kind.2.as_ref())
                .map_err(|finding| refused(&finding.message))?
        };
        if others.len() >= CLIENTS {
            others.remove(0);
        }
        others.push((kind, client.clone()));
        Ok(client)
    }
}

fn client(
    settings: &HttpSettings,
    guard: Option<Guard>,
    identity: Option<&ClientIdentity>,
) -> Result<Client, Box<Finding>> {
    let unusable = |what: &str, error: &dyn fmt::Display| {
        Box::new(Finding::error(codes::CLIENT_SETTINGS, format!("{what}: {error}")))
    };
    let mut builder = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .tcp_nodelay(true)
        .connect_timeout(settings.connect_timeout)
        .pool_max_idle_per_host(settings.idle_per_host)
        .pool_idle_timeout(settings.idle_timeout)
        .user_agent(USER_AGENT);
    if let Some(guard) = guard {
        builder = builder.dns_resolver(Arc::new(guard));
    }
    if let Some(proxy) = &settings.proxy {
        let proxy = Proxy::all(proxy).map_err(|error| unusable("the outbound proxy", &error))?;
        builder = builder.proxy(proxy);
    }
    if let Some(pem) = &settings.authorities {
        let bundle = Certificate::from_pem_bundle(pem)
            .map_err(|error| unusable("the private authorities", &error))?;
        if bundle.is_empty() {
            return Err(unusable("the private authorities", &"no certificate in the file"));
        }
        builder = builder.tls_certs_merge(bundle);
    }
    if let Some(identity) = identity {
        let identity = Identity::from_pem(identity.pem())
            .map_err(|_| unusable("the client certificate", &"it cannot be read"))?;
        builder = builder.identity(identity);
        // Of the library's errors, those about keys are not repeated.
        return builder
            .build()
            .map_err(|_| unusable("the client certificate", &"it and its key do not fit"));
    }
    builder.build().map_err(|error| unusable("the HTTP client", &error))
}

impl fmt::Debug for HttpCaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpCaller")
    }
}

#[async_trait]
impl Caller for HttpCaller {
    async fn call(&self, request: OutboundRequest) -> Result<OutboundResponse, CallError> {
        let url =
            reqwest::Url::parse(&request.url).map_err(|_| refused("the address is no URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused("only http and https are spoken"));
        }
        if request.reach == Reach::Public && !self.clients.guard.lets_url(&url) {
            return Err(out_of_reach());
        }
        let client = self.clients.of(request.connect_timeout, request.reach, request.identity)?;
        let mut outgoing = reqwest::Request::new(request.method, url);
        *outgoing.headers_mut() = request.headers;
        *outgoing.timeout_mut() = Some(request.timeout);
        *outgoing.body_mut() = match request.body {
            Body::Bytes(bytes) if bytes.is_empty() => None,
            Body::Bytes(bytes) => Some(bytes.into()),
            Body::Stream { stream, length } => {
                if let Some(length) = length {
                    // A stream of known length needs no chunks, which some servers refuse.
                    outgoing.headers_mut().insert(header::CONTENT_LENGTH, length.into());
                }
                Some(reqwest::Body::wrap_stream(stream))
            }
        };
        let response = client.execute(outgoing).await.map_err(|error| failed(&error))?;
        let status = response.status();
        let headers = response.headers().clone();
        let length = response.content_length();
        // The head is there, so whatever happens from now on, the request was sent.
        let stream =
            response.bytes_stream().map_err(|error| CallError { sent: true, ..failed(&error) });
        Ok(OutboundResponse {
            status,
            headers,
            body: Body::Stream { length, stream: Box::pin(stream) },
        })
    }
}

fn out_of_reach() -> CallError {
    let message = OutOfReach.to_string();
    CallError { kind: CallErrorKind::OutOfReach, sent: false, message }
}

fn refused(message: &str) -> CallError {
    CallError { kind: CallErrorKind::Refused, sent: false, message: message.to_owned() }
}

/// What a client's error means. `sent` is false only where it is certain that no byte of the request left: no connection
/// was made, or the request never got onto one.
fn failed(error: &reqwest::Error) -> CallError {
    let of = |kind, sent, message: &str| CallError { kind, sent, message: message.to_owned() };
    if error.is_builder() {
        return of(CallErrorKind::Refused, false, "the request is not one that HTTP can carry");
    }
    if error.is_connect() {
        if chain(error).any(<dyn std::error::Error>::is::<OutOfReach>) {
            return out_of_reach();
        }
        if error.is_timeout() {
            return of(CallErrorKind::Timeout, false, "no connection was made in time");
        }
        if error.is_dns() {
            return of(CallErrorKind::Resolve, false, "the host's name has no address");
        }
        if chain(error).any(is_tls) {
            return of(CallErrorKind::Tls, false, "the TLS handshake failed");
        }
        return of(CallErrorKind::Connect, false, "no connection could be made");
    }
    if error.is_timeout() {
        return of(CallErrorKind::Timeout, true, "the time was up before the answer was complete");
    }
    let hyper = chain(error).find_map(|cause| cause.downcast_ref::<hyper::Error>());
    match hyper {
        // The pooled connection was closed before the request was taken from the queue to it.
        Some(hyper) if hyper.is_canceled() => {
            of(CallErrorKind::Connect, false, "the connection was closed before the request left")
        }
        Some(hyper) if hyper.is_parse() || hyper.is_parse_too_large() => {
            of(CallErrorKind::Protocol, true, "what came back is not HTTP")
        }
        _ => of(CallErrorKind::Reset, true, "the connection broke off"),
    }
}

fn is_tls(cause: &(dyn std::error::Error + 'static)) -> bool {
    // An `io::Error` does not name what it wraps as its source; and one can wrap another.
    match cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        Some(wrapped) => is_tls(wrapped),
        None => cause.is::<rustls::Error>(),
    }
}

fn chain<'e>(
    error: &'e reqwest::Error,
) -> impl Iterator<Item = &'e (dyn std::error::Error + 'static)> {
    // A bound, should an error ever be its own cause.
    fn next<'c>(
        cause: &&'c (dyn std::error::Error + 'static),
    ) -> Option<&'c (dyn std::error::Error + 'static)> {
        let cause: &'c (dyn std::error::Error + 'static) = *cause;
        cause.source()
    }
    std::iter::successors(error.source(), next).take(16)
}
