//! The words that every part of QuickConnect shares.
//!
//! Here: typed ids and names, time and randomness as arguments ([`Clock`], [`Entropy`]), the
//! CloudEvents envelope ([`Event`]), the error taxonomy ([`Failure`], and what each code means: [`Meaning`]), diagnosed problems
//! ([`Finding`]), who acts ([`Actor`]), how data name a large body ([`BlobHash`]) and the outbound
//! HTTP seam ([`Caller`]). [`HandClock`] and [`Seeded`] are the time and the randomness of tests and simulations.
//!
//! Deliberately not here: anything that reads a file, opens a socket, looks at the wall clock or
//! knows a storage engine. A word joins this crate when three crates use it, not before.

mod actor;
mod blob;
mod caller;
mod clock;
mod code;
mod event;
mod failure;
mod finding;
mod id;
mod name;
mod seeded;
mod taxonomy;

pub use actor::{Actor, ActorKind, Origin};
pub use blob::{BlobHash, BlobHashError, BlobValue};
pub use caller::{
    Body, BodyStream, CallError, CallErrorKind, Caller, ClientIdentity, OutboundRequest,
    OutboundResponse, Reach,
};
pub use clock::{Clock, Entropy, Timestamp};
pub use code::{Code, page_of};
pub use event::{Event, EventData, EventError};
pub use failure::{Applied, Class, Failure, NextAction, Retry, StandardError};
pub use finding::{Finding, Label, Place, Severity};
pub use id::{EventId, Id, IdError, IdKind, RunId, TxnId};
pub use name::{EnvironmentName, Name, NameError, TenantName};
pub use seeded::{HandClock, Seeded};
pub use taxonomy::{Meaning, Party};
