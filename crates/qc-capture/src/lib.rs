//! Debug captures: what one integration sends and gets, recorded for a time because a person asked for it and another one
//! agreed, sealed while it is kept, and gone when its time is over.
//!
//! Here: what a capture may do when (`capture`, pure), what is kept of a message and what is masked in it (`message`,
//! `mask`, pure), and the `Captures` of a node over the store and the vault.
//!
//! Deliberately not here: who may ask, agree and look (the policies), and where messages pass by (the outbound stack and
//! the engine). Nothing here writes what was recorded anywhere but into sealed documents.

mod capture;
mod captures;
pub mod codes;
mod mask;
mod message;
mod tap;
mod upkeep;

pub use capture::{
    CAPTURE_KIND, Capture, CaptureError, CaptureRequest, KEPT_LONGEST, LONGEST, MOST, Stage, Window,
};
pub use captures::{CaptureParts, Captures, Entry, ReadError};
pub use message::{BODY_MAX, Content, Message, Recorded, content};
pub use tap::{ENTRY_KIND, Passing, Tap};

#[cfg(test)]
mod tests;
