//! Work on many runs: a plan says which, and a job does it, throttled, over the ends of processes.
//!
//! A plan is a document that holds the very runs that it found, so that what fails later is not
//! among them. A started one is driven by the node that owns the plan's bucket, page by page; its
//! cursor is part of the document and moves by compare-and-set. Between a deed and the cursor's
//! move a process may end: then the next one does the same runs again, and every deed is done
//! under the key `<bulk>:<run>`, by which it is known to be done. See ADR 15.

mod act;
mod error;
mod filter;
mod plan;
mod record;
mod steer;
mod work;

pub use error::BulkError;
pub use filter::{BulkFilter, Deed};
pub use plan::BulkRequest;
pub use record::{Bulk, BulkId, BulkState, Progress, RATE_MAX, Refused as BulkRefused};
