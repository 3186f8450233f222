//! The management API, `/api/v1`. One table of routes drives the router, the authorisation and the OpenAPI document:
//! a route without an action cannot be written, and a handler reaches the server's parts only through a [`Permit`].

mod access;
mod approvals;
mod audit;
mod bulks;
mod call;
mod captures;
mod connections;
mod contracts;
mod cut;
mod dead_letters;
mod deployments;
mod dispatch;
mod drift;
mod events;
mod failures;
mod grants;
mod kept;
mod ledger;
mod limits;
mod lines;
mod policies;
mod rehearsals;
mod releases;
mod reply;
mod route;
mod runs;
mod schedules;
mod secrets;
mod server;
mod subjects;
mod tasks;
mod tokens;
mod triggers;
mod vault;
pub mod wire;

pub(crate) use dispatch::router;
pub(crate) use route::{Answer, Place, Route};
pub(crate) use tokens::record_of;

use http::Method;
use qc_access::Action;

use call::{Call, Permit};
use cut::{Cut, LOOKS, Listed};
use reply::Reply;

/// The action of a request to the management API, by its method and path; None: there is no such operation.
pub fn action_of(method: &Method, path: &str) -> Option<Action> {
    let path = path.split('?').next().unwrap_or_default();
    let fits = |pattern: &str| {
        let mut parts = path.split('/');
        pattern
            .split('/')
            .all(|part| parts.next().is_some_and(|given| part.starts_with('{') || part == given))
            && parts.next().is_none()
    };
    // A path that is written out goes before one with parameters.
    let there = ROUTES.iter().filter(|route| route.method == *method && fits(route.path));
    there.min_by_key(|route| route.path.matches('{').count()).map(|route| route.action)
}

/// A field of a request that cannot be used.
fn unusable(what: &str, error: &dyn std::fmt::Display) -> crate::Problem {
    let detail = format!("`{what}`: {error}");
    crate::Problem::new(422, crate::codes::BAD_BODY, "Unusable body", detail)
}

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
    drift::list::ROUTE,
    drift::shapes::ROUTE,
    drift::canaries::ROUTE,
    drift::show::ROUTE,
    drift::resume::ROUTE,
    failures::list::ROUTE,
    failures::show::ROUTE,
    failures::acknowledge::ROUTE,
    failures::resolve::ROUTE,
    failures::mute::ROUTE,
    failures::reopen::ROUTE,
    bulks::list::ROUTE,
    bulks::plan::ROUTE,
    bulks::show::ROUTE,
    bulks::start::ROUTE,
    bulks::abort::ROUTE,
    limits::list::ROUTE,
    limits::near::ROUTE,
    limits::outbound::ROUTE,
    limits::traffic::ROUTE,
    lines::list::ROUTE,
    lines::resume::ROUTE,
    lines::skip::ROUTE,
    lines::discard::ROUTE,
    triggers::list::ROUTE,
    triggers::pause::ROUTE,
    triggers::resume::ROUTE,
    triggers::discard::ROUTE,
    tasks::list::ROUTE,
    tasks::show::ROUTE,
    tasks::claim::ROUTE,
    tasks::decide::ROUTE,
    tasks::act::ROUTE,
    kept::values::ROUTE,
    kept::set::ROUTE,
    kept::remove::ROUTE,
    kept::links::ROUTE,
    kept::link::ROUTE,
    kept::unlink::ROUTE,
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
    rehearsals::play::ROUTE,
    rehearsals::record::ROUTE,
    deployments::list::ROUTE,
    deployments::gate::ROUTE,
    deployments::deploy::ROUTE,
    deployments::override_gate::ROUTE,
    deployments::rollback::ROUTE,
    deployments::history::ROUTE,
    contracts::usage::ROUTE,
    contracts::end::ROUTE,
    contracts::matrix::ROUTE,
    contracts::publish::ROUTE,
    tokens::list::ROUTE,
    tokens::create::ROUTE,
    tokens::revoke::ROUTE,
    tokens::rotate::ROUTE,
    access::review::REVIEW,
    access::review::RADIUS,
    access::review::REASSIGN,
    grants::list::ROUTE,
    grants::request::ROUTE,
    grants::decide::APPROVE,
    grants::decide::REFUSE,
    grants::revoke::ROUTE,
    approvals::list::ROUTE,
    approvals::give::ROUTE,
    approvals::withdraw::ROUTE,
    captures::list::ROUTE,
    captures::request::ROUTE,
    captures::decide::APPROVE,
    captures::decide::REFUSE,
    captures::read::ROUTE,
    captures::end::ROUTE,
    policies::show::ROUTE,
    policies::apply::ROUTE,
    access::clients::LIST,
    access::clients::CREATE,
    access::clients::ROTATE,
    access::clients::REVOKE,
    access::keys::LIST,
    access::keys::ROTATE,
    access::people::LIST,
    access::people::REVOKE,
    access::people::SEAL,
    audit::entries::ROUTE,
    audit::checkpoint::ROUTE,
    audit::consistency::ROUTE,
    connections::list::ROUTE,
    connections::show::ROUTE,
    connections::link::ROUTE,
    connections::test::ROUTE,
    connections::rotate::ROUTE,
    connections::revoke::ROUTE,
    connections::drill::BEGIN,
    connections::drill::SHOW,
    secrets::list::ROUTE,
    secrets::set::ROUTE,
    secrets::rotate::ROUTE,
    secrets::remove::ROUTE,
    subjects::export::ROUTE,
    subjects::erase::ROUTE,
    secrets::drop::MAKE,
    secrets::drop::LIST,
    secrets::drop::REVOKE,
    vault::due::ROUTE,
    vault::show::ROUTE,
    vault::rewrap::ROUTE,
    vault::rotate::ROUTE,
    vault::drill::ROUTE,
    server::show::ROUTE,
    server::happenings::ROUTE,
    server::openapi::ROUTE,
    server::metrics::ROUTE,
];
