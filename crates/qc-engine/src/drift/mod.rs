//! Drift of others: what answers of third parties were seen to be that their contracts do not say, and runs that wait
//! because of it.
//!
//! What is seen is gathered in memory (`book`) and written rarely: a document for each operation that an integration
//! calls, with shapes and never values (`seen`), and one finding for each way in which a contract is broken
//! (`finding`). `canary` asks operations on a schedule, so that a change is seen
//! before a run meets it. A run whose answer breaks an enforced contract is parked with that answer in its journal; `release` has
//! such runs go on with it, put right, without a second call.

mod book;
mod canary;
mod finding;
mod keep;
mod release;
mod seen;
mod watch;

pub(crate) use book::Book;
pub use canary::{CanaryOutcome, CanaryStanding};
pub(crate) use finding::{Broken, Unfit};
pub use finding::{DriftDifference, DriftFinding, FindingKind};
pub use keep::DriftFilter;
pub(crate) use keep::parked_for;
pub use release::DriftReleased;
pub(crate) use release::{Mending, RUN_KEY};
pub use seen::{DriftSeen, DriftShape};
pub(crate) use watch::Watched;
