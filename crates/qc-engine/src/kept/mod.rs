//! What an integration keeps between runs: state (values by key) and cross-reference tables (which
//! id in one system is which in another). Both are documents of the store, so that every node sees
//! the same and nothing is lost with one.
//!
//! What is to be written is decided here by pure functions; a run's write is committed with the
//! entry of its journal that says so (`drive/keep`), an operator's with its audit row (`tend`).

mod crossref;
mod echo;
mod fault;
mod listen;
mod perform;
mod place;
mod prune;
mod state;
mod stored;
mod tend;

use std::{collections::BTreeMap, time::Duration};

use qc_contract::Schema;
use qc_store::DocumentOp;
use serde_json::Value;

pub(crate) use echo::{ECHO_KIND, mark};
pub use echo::{ECHO_WINDOW_MAX, Echo, EchoRule};
pub(crate) use fault::contended;
pub(crate) use perform::{Asked, perform};
pub use place::KeptScope;
pub(crate) use place::{LINK_KIND, STATE_KIND};
pub use prune::KeptPruning;
pub use tend::{LinkCounts, LinkView, StateView};

/// The longest value, in bytes of its JSON.
pub const VALUE_BYTES_MAX: usize = 64 << 10;
/// The longest key and the longest id, in bytes.
pub const KEY_BYTES_MAX: usize = 512;

/// What a release declares that it keeps.
#[derive(Debug, Default)]
pub struct Kept {
    /// Its states, by name.
    pub states: BTreeMap<String, StateRule>,
    /// Its cross-reference tables, by name.
    pub tables: BTreeMap<String, TableRule>,
    /// Which changes of other systems are its own.
    pub echo: Echo,
}

/// A state: values by key.
#[derive(Debug, Default)]
pub struct StateRule {
    /// What every value must fit.
    pub schema: Option<Schema>,
    /// How long a value is there after it was written; for ever when absent.
    pub ttl: Option<Duration>,
}

/// A cross-reference table: an id of one system stands for at most one of the other.
#[derive(Debug)]
pub struct TableRule {
    /// The two systems.
    pub systems: [String; 2],
}

/// What was decided: the answer, and what is to be written for it to be true.
#[derive(Debug, PartialEq)]
pub(crate) struct Decided {
    pub(crate) answer: Value,
    pub(crate) documents: Vec<DocumentOp>,
}
