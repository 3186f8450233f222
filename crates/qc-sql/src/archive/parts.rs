//! What an archive holds: the same tables in both databases, in the words of neither.

/// What a column's values are, and how each database keeps them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A number.
    Int,
    /// A text.
    Text,
    /// A text that repeats: SQLite keeps its number.
    Word,
    /// 16 bytes: PostgreSQL keeps a UUID.
    Id,
    /// The id of a run: SQLite keeps its small number.
    Run,
    /// Bytes.
    Bytes,
    /// A word of a fixed list, which SQLite keeps as a number.
    Listed(List),
}

/// The fixed lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum List {
    Status,
    Cause,
    Dead,
    Ledger,
}

/// A column of a part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) optional: bool,
}

/// Rows of one kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [Column],
}

const fn must(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, optional: false }
}

const fn may(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, optional: true }
}

use Kind::{Bytes, Id, Int, Listed, Run, Text, Word};

/// Numbers of the whole database, by name: [`EPOCH`], [`LEDGER_FLOOR`], [`SIGNAL_FLOOR`].
pub(crate) const FACTS: &str = "fact";
/// The newest epoch of any lease.
pub(crate) const EPOCH: &str = "lease_epoch";
/// At or above the place of every ledger row that was ever there and is not any more.
pub(crate) const LEDGER_FLOOR: &str = "ledger_floor";
/// The same of signals.
pub(crate) const SIGNAL_FLOOR: &str = "signal_floor";
/// Large bodies: a row with hash and size, then the body in chunks.
pub(crate) const BLOBS: &str = "blob";
/// Which runs hold them.
pub(crate) const MARKERS: &str = "blob_marker";

/// The tables, in the order in which they are written: what others refer to comes first. Leases, nodes and budgets are
/// not among them: they speak of processes that are over when somebody reads an archive.
pub(crate) const TABLES: &[Part] = &[
    Part {
        name: "document",
        columns: &[
            must("kind", Text),
            must("name", Text),
            must("revision", Int),
            must("updated_at", Int),
            must("body", Bytes),
        ],
    },
    Part {
        name: "run",
        columns: &[
            must("id", Id),
            must("bucket", Int),
            must("tenant", Word),
            must("environment", Word),
            must("integration", Word),
            must("trigger", Word),
            must("release", Word),
            must("event", Id),
            may("subject", Text),
            may("origin", Id),
            may("replay_of", Id),
            must("accepted_at", Int),
            must("status", Listed(List::Status)),
            must("cause", Listed(List::Cause)),
            may("wake_at", Int),
            may("summary", Text),
            must("updated_at", Int),
            may("ended_at", Int),
            must("version", Int),
            must("last_txn", Id),
            may("trace", Text),
            must("claims", Int),
            must("low", Int),
        ],
    },
    Part {
        name: "event",
        columns: &[must("run", Run), must("received_at", Int), must("body", Bytes)],
    },
    // The entries of a run lie together, in their order.
    Part { name: "journal", columns: &[must("run", Run), must("at", Int), must("body", Bytes)] },
    Part {
        name: "idempotency",
        columns: &[
            must("scope", Word),
            must("key", Text),
            must("body_hash", Bytes),
            must("run", Id),
            must("expires_at", Int),
        ],
    },
    Part {
        name: "dead",
        columns: &[
            must("run", Id),
            must("tenant", Word),
            must("environment", Word),
            must("integration", Word),
            must("at", Int),
            must("state", Listed(List::Dead)),
            must("fingerprint", Text),
            must("code", Text),
            must("summary", Text),
        ],
    },
    Part {
        name: "ledger",
        columns: &[
            must("seq", Int),
            must("at", Int),
            must("kind", Listed(List::Ledger)),
            must("tenant", Word),
            may("environment", Word),
            may("integration", Word),
            may("run", Id),
            may("event", Id),
            must("actor", Text),
            must("subject", Text),
            must("outcome", Word),
            may("code", Word),
            must("facts", Bytes),
            may("writer", Int),
            may("no", Int),
        ],
    },
    Part { name: "audit_writer", columns: &[must("writer", Int), must("last", Int)] },
    Part {
        name: "signal",
        columns: &[
            must("seq", Int),
            must("scope", Word),
            must("kind", Text),
            must("id", Text),
            must("at", Int),
            must("expires_at", Int),
            must("body", Bytes),
        ],
    },
    Part {
        name: "wait",
        columns: &[
            must("run", Id),
            must("id", Text),
            must("bucket", Int),
            must("scope", Word),
            must("kind", Text),
            must("site", Text),
            must("key", Text),
        ],
    },
    // In the order of the places in line.
    Part { name: "turn", columns: &[must("scope", Word), must("key", Text), must("run", Run)] },
    Part { name: "run_key", columns: &[must("value", Text), must("name", Text), must("run", Run)] },
    Part {
        name: "tally",
        columns: &[
            must("tenant", Word),
            must("environment", Word),
            must("integration", Word),
            must("accepted", Int),
            must("replays", Int),
            must("completed", Int),
            must("faulted", Int),
            must("cancelled", Int),
            must("reopened_completed", Int),
            must("reopened_faulted", Int),
            must("reopened_cancelled", Int),
            must("pruned_completed", Int),
            must("pruned_faulted", Int),
            must("pruned_cancelled", Int),
            must("dead_made", Int),
            must("dead_settled", Int),
        ],
    },
];

/// Every part of an archive, in its order.
pub(crate) const PARTS: [&[Part]; 3] = [
    &[Part { name: FACTS, columns: &[must("name", Text), must("value", Int)] }],
    TABLES,
    &[
        Part { name: BLOBS, columns: &[must("hash", Bytes), must("size", Int)] },
        Part { name: MARKERS, columns: &[must("hash", Bytes), must("run", Id)] },
    ],
];

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Part> {
    PARTS.into_iter().flatten()
}

/// The part with this name.
pub(crate) fn find(name: &str) -> Option<&'static Part> {
    all().find(|part| part.name == name)
}
