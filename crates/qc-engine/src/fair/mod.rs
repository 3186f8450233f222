//! Who gets what is scarce: places in memory, and calls in flight. Turns go round by tenant, by integration and lane, and
//! by key, so that one who asks for a hundred times its part waits for itself and for nobody else.

mod backlog;
mod gate;
mod places;
mod robin;
mod tempo;
mod usage;

pub(crate) use backlog::Backlog;
pub(crate) use gate::{Asks, Batch, Counted, Gate, Grant, Later, OnceMore, Permit, Ticket};
pub use gate::{GateLimits, Pace, Paces, SystemStanding};
pub(crate) use places::Places;
pub(crate) use robin::{Lane, Robin, Share};
pub(crate) use tempo::{Counts, Told, Why};
pub(crate) use usage::Usage;
