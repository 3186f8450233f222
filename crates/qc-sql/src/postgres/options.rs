use std::time::Duration;

/// How a store is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresOptions {
    /// Connections that write: one for each batch at the same time.
    pub writers: usize,
    /// Connections that read: one for each question at the same time.
    pub readers: usize,
    /// How long connecting, TLS and signing in may take.
    pub connect_time: Duration,
    /// How long a statement may take before the server cuts it off.
    pub statement_time: Duration,
    /// How long a statement may wait for a row that another transaction holds.
    pub lock_time: Duration,
    /// PEM certificates of private authorities to trust beside the system's.
    pub authorities: Option<Vec<u8>>,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            writers: 2,
            readers: 4,
            connect_time: Duration::from_secs(5),
            statement_time: Duration::from_secs(10),
            lock_time: Duration::from_secs(5),
            authorities: None,
        }
    }
}
