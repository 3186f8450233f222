//! Who gets what is scarce: places in memory, and calls in flight. Turns go round by tenant, by integration and lane, and
//! by key, so that one who asks for a hundred times its part waits for itself and for nobody else.

mod backlog;
mod gate;
mod places;
mod robin;
mod usage;

pub(crate) use backlog::Backlog;
pub use gate::GateLimits;
pub(crate) use gate::{Gate, Lane, Permit, Ticket};
pub(crate) use places::Places;
pub(crate) use robin::{Robin, Share};
pub(crate) use usage::Usage;
