//! Connections: accounts at other systems, each in one environment, with a credential that is refreshed, expires, is
//! revoked, and is consented to again.
//!
//! Here, pure: how tokens are asked for and what answers mean ([`token`], a provider's differences being data), the
//! states of a connection ([`State`]), when a token is renewed ([`schedule`]), and consent ([`consent`]). Around it
//! [`Connections`]: one refresh at a time over all nodes, its intent on disk before the provider is called, its tokens
//! on disk, sealed, before they are used.
//!
//! Deliberately not here: what a connector's file says (qc-connect reads it and resolves a [`Grant`]), HTTP pages, and
//! client credentials without a connection, whose tokens anybody can ask for again.

pub mod codes;
pub mod consent;
mod keeper;
mod machine;
mod provider;
mod record;
pub mod schedule;
pub mod token;

pub use keeper::{
    Access, Connections, ConnectionsParts, Consented, Departure, Health, LinkMade, Need, ProbeTurn,
    Returned, Seen, Why,
};
pub use machine::{Begin, Heard, Lease, Outcome, Reason, State, Trouble};
pub use provider::{
    AnswerPaths, BodyFormat, ClientProof, ConnectionId, ConsentRules, Dialect, Grant, GrantKind,
    PrivateKey, Rotation, SigningAlgorithm, Unit, Waiver,
};
pub use record::{ConnectionShown, LastFailure, Record};
