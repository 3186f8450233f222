/// What went wrong in the store, by what its caller can do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no room; nothing was written. Accepting stops until there is.
    #[error("the store is full: {0}")]
    Full(String),
    /// The store cannot be reached or used now; nothing was written. Try again later.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// The write may or may not have happened. Resolve it by reading back: the run's `last_txn`,
    /// the idempotency key, the document's revision.
    #[error("the outcome of the write is unknown: {0}")]
    Unknown(String),
    /// What is stored is damaged. Stop; do not serve it.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// The request itself is outside the store's limits.
    #[error("the store refuses the request: {0}")]
    Refused(String),
}
