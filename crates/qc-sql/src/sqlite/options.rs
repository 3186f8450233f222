use std::time::Duration;

/// How a store is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteOptions {
    /// How many questions are answered at the same time.
    pub readers: usize,
    /// How long a question may take before it is cut off.
    pub read_time: Duration,
    /// The size of the write-ahead log beyond which the writer itself moves the rest of it into the
    /// database and begins it anew, holding up commits for as long as that takes (a few
    /// milliseconds: the checkpoint thread has moved most of it). The file keeps this size, since
    /// writing over it costs less than growing it.
    pub wal_bytes_max: u64,
    /// How long the check of the database at the start may take; what it does not reach is
    /// checked when it is read.
    pub check_time: Duration,
    /// Memory for the pages that the writer uses.
    pub writer_cache_bytes: u64,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            readers: 4,
            read_time: Duration::from_secs(10),
            wal_bytes_max: 32 << 20,
            check_time: Duration::from_secs(2),
            writer_cache_bytes: 64 << 20,
        }
    }
}
