//! Simulated providers behind the outbound seam: no sockets, no waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use qc_model::{Body, CallError, CallErrorKind, Caller, OutboundRequest, OutboundResponse};

use crate::exchange::{SimAnswer, SimRequest};
use crate::provider::Provider;

/// Largest request body that is taken.
const BODY_LIMIT: usize = 16 << 20;

/// Sends requests to simulated providers by their base URLs. Time does not pass here, unless it is
/// to: a slow answer comes at once unless it is slower than the request's timeout, and a hanging
/// provider is a timeout at once.
#[derive(Debug, Clone, Default)]
pub struct SimulatedCaller {
    places: Vec<(String, Arc<Provider>)>,
    delayed: Arc<AtomicU64>,
    waits: bool,
}

impl SimulatedCaller {
    /// A caller that reaches nobody yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a provider at a base URL, such as `https://tracker.example/api`.
    #[must_use]
    pub fn with(mut self, base_url: &str, provider: Arc<Provider>) -> Self {
        self.places.push((base_url.trim_end_matches('/').to_owned(), provider));
        // The longest base URL that fits is the one that is meant.
        self.places.sort_by_key(|(base, _)| std::cmp::Reverse(base.len()));
        self
    }

    /// Answers take the time that they take.
    #[must_use]
    pub fn in_real_time(mut self) -> Self {
        self.waits = true;
        self
    }

    /// How long all answers so far would have taken.
    pub fn delayed(&self) -> Duration {
        Duration::from_micros(self.delayed.load(Ordering::Relaxed))
    }

    fn find<'u>(&self, url: &'u str) -> Option<(&Provider, &'u str)> {
        self.places.iter().find_map(|(base, provider)| {
            let rest = url.strip_prefix(base.as_str())?;
            (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((&**provider, rest))
        })
    }
}

#[async_trait]
impl Caller for SimulatedCaller {
    async fn call(&self, request: OutboundRequest) -> Result<OutboundResponse, CallError> {
        let url = request.url.split('#').next().unwrap_or_default();
        let Some((provider, rest)) = self.find(url) else {
            let place: String =
                url.split('?').next().unwrap_or_default().chars().take(200).collect();
            return Err(CallError {
                kind: CallErrorKind::Resolve,
                sent: false,
                message: format!("no simulated provider is at `{place}`"),
            });
        };
        let target = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
        let body = request.body.collect(BODY_LIMIT).await?;
        let (method, headers) = (request.method, request.headers);
        let certified = request.identity.is_some();
        let sim = SimRequest { method, target, headers, body, certified };
        match provider.handle(sim) {
            SimAnswer::Respond(answer) if answer.delay >= request.timeout => {
                self.take(request.timeout).await;
                Err(timeout())
            }
            SimAnswer::Respond(answer) => {
                self.take(answer.delay).await;
                Ok(OutboundResponse {
                    status: answer.status,
                    headers: answer.headers,
                    body: Body::Bytes(answer.body),
                })
            }
            SimAnswer::Hang => {
                self.take(request.timeout).await;
                Err(timeout())
            }
            SimAnswer::Drop => Err(CallError {
                kind: CallErrorKind::Reset,
                sent: true,
                message: "the connection was reset before an answer came".to_owned(),
            }),
        }
    }
}

impl SimulatedCaller {
    async fn take(&self, delay: Duration) {
        if self.waits && !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let micros = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        self.delayed.fetch_add(micros, Ordering::Relaxed);
    }
}

fn timeout() -> CallError {
    CallError {
        kind: CallErrorKind::Timeout,
        sent: true,
        message: "no answer came in time".to_owned(),
    }
}
