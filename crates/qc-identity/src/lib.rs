//! How services and people prove who they are.
//!
//! Here: clients that get access tokens of five minutes ([`Authority`]), the keys that sign them ([`KeyRing`]), and who
//! holds one; people who sign in at an identity provider ([`People`]) and act by a session ([`Sessions`]), the command
//! line that waits for one (RFC 8628), and the sealed account for when nobody can sign in.
//!
//! Deliberately not here: HTTP that comes in (`qc-server` reads requests and writes answers), API tokens and what a
//! principal may do (`qc-access`), and tokens that others issue to us (`qc-connect`).

mod assertion;
mod authority;
mod claims;
mod clients;
pub mod codes;
mod error;
mod expiring;
mod form;
mod ground;
mod jws;
mod key_ring;
mod keys;
mod oauth_error;
mod people;
mod place;
mod revocations;
mod text;
mod throttle;
mod verify;

pub use authority::{Authority, TOKEN_LIFETIME};
pub use clients::{CLIENT_LIFETIME, Client, NewClient, OVERLAP_MAX, StoredSecret};
pub use error::IdentityError;
pub use form::Form;
pub use ground::Ground;
pub use key_ring::KeyRing;
pub use keys::{KeyState, PUBLISHED_BEFORE, PublicKey, SIGNS_FOR, SigningKeys};
pub use oauth_error::OauthError;
pub use people::{
    Aim, Arrived, ClientSecret, DeviceAsks, DeviceStart, OidcSettings, People, Polled, Provider,
    Redirect, Session, Sessions,
};
pub use place::Place;
pub use throttle::Throttle;
