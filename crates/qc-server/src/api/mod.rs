//! The management API, `/api/v1`. One table of routes drives the router, the authorisation and the OpenAPI document:
//! a route without an action cannot be written, and a handler reaches the server's parts only through a [`Permit`].

mod call;
mod dead_letters;
mod deployments;
mod dispatch;
mod events;
mod ledger;
mod lines;
mod releases;
mod reply;
mod route;
mod runs;
mod schedules;
mod server;
mod tokens;
pub mod wire;

pub(crate) use dispatch::router;
pub(crate) use route::{Answer, Place, Route};

use call::{Call, Permit};
use reply::Reply;

/// The API's version: the date of its last breaking change.
pub const VERSION: &str = "2026-11-22";

/// Every operation of the API.
pub(crate) const ROUTES: &[Route] = &[
    runs::list::ROUTE,
    runs::show::ROUTE,
    runs::journal::ROUTE,
    runs::replay::ROUTE,
    runs::cancel::ROUTE,
    runs::resolve::ROUTE,
    runs::resume::ROUTE,
    dead_letters::list::ROUTE,
    dead_letters::retry::ROUTE,
    dead_letters::discard::ROUTE,
    lines::list::ROUTE,
    lines::resume::ROUTE,
    events::types::ROUTE,
    events::list::ROUTE,
    schedules::list::ROUTE,
    schedules::pause::PAUSE,
    schedules::pause::RESUME,
    ledger::list::ROUTE,
    ledger::failures::ROUTE,
    ledger::reconciliation::ROUTE,
    releases::list::ROUTE,
    releases::store::ROUTE,
    releases::show::ROUTE,
    releases::files::ROUTE,
    deployments::list::ROUTE,
    deployments::deploy::ROUTE,
    deployments::rollback::ROUTE,
    deployments::history::ROUTE,
    tokens::list::ROUTE,
    tokens::create::ROUTE,
    tokens::revoke::ROUTE,
    server::show::ROUTE,
    server::happenings::ROUTE,
    server::openapi::ROUTE,
    server::metrics::ROUTE,
];
