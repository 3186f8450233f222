use std::time::Duration;

use crate::{ServerLimit, TrustedProxies};

/// The bounds of the doors. Each is enforced; the binary's configuration fills them.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// The most connections at once; further ones wait in the kernel's queue.
    pub connections: usize,
    /// How long a client may take to send a request's head; also how long an idle connection stays.
    pub head_timeout: Duration,
    /// How long a client may take to send a body.
    pub body_timeout: Duration,
    /// How long a TLS handshake may take.
    pub handshake_timeout: Duration,
    /// How long an operation of the management API may take.
    pub operation_timeout: Duration,
    /// The most operations of the management API at once; further ones are refused.
    pub operations: usize,
    /// The largest body of the management API, in bytes: a release with its documents fits.
    pub api_body_limit: usize,
    /// Which peers may say on whose behalf they speak.
    pub trusted_proxies: TrustedProxies,
    /// A key or client whose owner is gone and that nobody took over ends after this.
    pub orphans_end_after: Duration,
    /// How much comes in: the server's own limits.
    pub limits: Vec<ServerLimit>,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            connections: 10_000,
            head_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(10),
            operation_timeout: Duration::from_secs(60),
            operations: 64,
            api_body_limit: 64 << 20,
            trusted_proxies: TrustedProxies::default(),
            orphans_end_after: Duration::from_secs(30 * 86_400),
            limits: Vec::new(),
        }
    }
}
