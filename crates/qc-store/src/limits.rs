/// Runs are spread over so many virtual buckets.
pub const BUCKETS: u16 = 1024;
/// The longest page of any listing; longer limits are cut to it.
pub const PAGE_MAX: usize = 1000;
/// The heaviest single write that a store takes.
pub const WRITE_BYTES_MAX: usize = 64 << 20;
/// The most journal entries, ledger rows, document changes, signals, waits and claims in a single
/// write, all together.
pub const WRITE_ITEMS_MAX: usize = 10_000;
/// The longest scope, kind, id, site and key of signals, waits and turns, in bytes: stores index
/// them.
pub const TEXT_BYTES_MAX: usize = 1024;
/// The most business keys of a run.
pub const KEYS_MAX: usize = 32;
/// The longest name and the longest value of a business key, in bytes.
pub const KEY_BYTES_MAX: usize = 256;

/// The page size of a filter, where 0 means "not restricted".
pub fn filter_page(limit: usize) -> usize {
    if limit == 0 { PAGE_MAX } else { limit.min(PAGE_MAX) }
}
