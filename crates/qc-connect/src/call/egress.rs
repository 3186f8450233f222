//! Whether a call may go out at all: asked here, where nothing gets around it, whatever it was that had the call made.

use qc_model::{Class, EnvironmentName, Failure, Name, TenantName};
use url::Url;

use super::{Outbound, job::Job};
use crate::codes;

/// Decides whether calls may go out: the policies of a server.
pub trait Egress: Send + Sync {
    /// Err: in words, why not.
    fn may(&self, call: &Departure<'_>) -> Result<(), String>;
}

/// A request that is about to go out.
#[derive(Debug, Clone, Copy)]
pub struct Departure<'a> {
    /// Where the run is at home.
    pub environment: &'a EnvironmentName,
    /// Whose data it is about.
    pub tenant: &'a TenantName,
    /// Whose run.
    pub integration: &'a Name,
    /// The connector's name, or the host that is called without one.
    pub system: &'a str,
}

impl Outbound {
    /// Asks, before a credential is fetched and before a redirect is followed.
    pub(super) fn depart(&self, job: &Job<'_>, url: &str) -> Result<(), Box<Failure>> {
        let Some(egress) = &self.egress else { return Ok(()) };
        let system = system_of(job, url);
        let call = Departure {
            environment: &job.scope.name,
            tenant: &job.scope.tenant,
            integration: &job.effect.integration,
            system: &system,
        };
        egress.may(&call).map_err(|reason| {
            let detail = format!("`{}` may not call `{system}`: {reason}", call.integration);
            let title = "A policy of the server forbids the call";
            Box::new(Failure::new(Class::Policy, codes::FORBIDDEN_CALL, title, detail))
        })
    }
}

/// The connector, or the host that is called without one.
pub(super) fn system_of(job: &Job<'_>, url: &str) -> String {
    if job.connector.is_some() { job.label.clone() } else { host(url) }
}

/// The host of an address; empty when it has none, which is sent nowhere.
fn host(address: &str) -> String {
    let url = Url::parse(address).ok();
    url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}
