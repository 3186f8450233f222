use std::time::Duration;

use qc_contract::{OpenApi, Operation};
use qc_model::{Class, Failure, Reach};
use qc_workflow::{CallRequest, CallTarget, OutputShape};
use serde_json::Value;
use url::Url;

use super::{
    Connectors, EffectContext, EnvironmentScope, Outbound,
    credentials::Proof,
    exchange::{Deadline, Prepared},
    prepare::{PlainRequest, built, unsendable},
};
use crate::{
    codes,
    connector::{Connector, Repairs},
};

/// One attempt, with everything that its layers look at.
pub(super) struct Job<'a> {
    pub(super) release: &'a Connectors,
    /// The task that calls.
    pub(super) task: &'a str,
    /// The connector's name, the document's address, or nothing.
    pub(super) label: String,
    pub(super) api: Option<&'a OpenApi>,
    pub(super) operation: Option<&'a Operation>,
    pub(super) connector: Option<&'a Connector>,
    pub(super) scope: &'a EnvironmentScope,
    pub(super) effect: &'a EffectContext,
    pub(super) proof: Proof<'a>,
    pub(super) deadline: Deadline,
    pub(super) redirect: bool,
    pub(super) shape: OutputShape,
    /// It is many calls in one: what a good answer says of each is judged call by call.
    pub(super) many: bool,
}

/// What a job sends.
#[derive(Clone, Copy)]
pub(super) enum Sending<'a> {
    /// An operation with its arguments.
    Operation(&'a Value),
    /// A plain request.
    Plain(PlainRequest<'a>),
}

impl Outbound {
    /// What a call means in this release and environment.
    pub(super) fn job<'a>(
        &self,
        release: &'a Connectors,
        scope: &'a EnvironmentScope,
        call: &'a CallRequest,
        effect: &'a EffectContext,
    ) -> Result<(Job<'a>, Sending<'a>), Box<Failure>> {
        let deadline = Deadline::after(self.clock.now(), Duration::from_millis(call.timeout_ms));
        let mut job = Job {
            release,
            task: &call.task,
            label: String::new(),
            api: None,
            operation: None,
            connector: None,
            scope,
            effect,
            proof: Proof::None,
            deadline,
            redirect: false,
            shape: call.target.output(),
            many: false,
        };
        let inline = |authentication: &'a Option<qc_workflow::Authentication>| {
            authentication.as_ref().map_or(Proof::None, |one| Proof::Inline(one, call.secrets))
        };
        let sending = match &call.target {
            CallTarget::Connector { connector, operation, arguments, .. } => {
                let found = release.get(connector).ok_or_else(|| unknown(connector, operation))?;
                job.label.clone_from(connector);
                job.connector = Some(found.as_ref());
                job.deadline.connect = found.connect_timeout();
                job.api = Some(found.api());
                job.operation =
                    Some(found.operation(operation).ok_or_else(|| unknown(connector, operation))?);
                job.proof = Proof::Connector(found, job.operation);
                Sending::Operation(arguments)
            }
            CallTarget::OpenApi {
                document,
                operation,
                arguments,
                authentication,
                redirect,
                ..
            } => {
                let api = release.document(document).ok_or_else(|| unknown(document, operation))?;
                job.label.clone_from(document);
                job.api = Some(api.as_ref());
                job.operation =
                    Some(api.operation(operation).ok_or_else(|| unknown(document, operation))?);
                job.proof = inline(authentication);
                job.redirect = *redirect;
                Sending::Operation(arguments)
            }
            // The engine does this itself; what comes here all the same is sent nowhere.
            CallTarget::Kept { deed, place, .. } => {
                return Err(unknown(deed.connector(), place));
            }
            // The engine asks people itself; what comes here all the same is sent nowhere.
            CallTarget::Human { ask, .. } => {
                return Err(unknown(qc_workflow::HUMAN, ask.as_str()));
            }
            CallTarget::Http {
                method,
                endpoint,
                headers,
                query,
                body,
                authentication,
                redirect,
                ..
            } => {
                job.proof = inline(authentication);
                job.redirect = *redirect;
                let body = body.as_ref();
                Sending::Plain(PlainRequest { method, endpoint, headers, query, body })
            }
        };
        Ok((job, sending))
    }

    pub(super) fn prepare(
        &self,
        job: &Job<'_>,
        call: &CallRequest,
        sending: Sending<'_>,
    ) -> Result<Prepared, Box<Failure>> {
        match sending {
            Sending::Plain(plain) => self.prepare_plain(job, call, plain),
            Sending::Operation(arguments) => built(job, call, self.filled(job, call, arguments)?),
        }
    }
}

impl Job<'_> {
    /// What is put right in the answers of its operation.
    pub(super) fn repairs(&self) -> Option<&Repairs> {
        self.connector?.repairs(&self.operation?.id)
    }

    /// What a URL of this job may reach: where its release sends requests, anywhere; elsewhere, where links, redirects and
    /// computed addresses lead, the internet.
    pub(super) fn reach(&self, url: &str) -> Reach {
        let Ok(url) = Url::parse(url) else { return Reach::Public };
        let base = base(self).ok().and_then(|base| Url::parse(&base).ok());
        let own = base.is_some_and(|base| base.origin() == url.origin());
        if own || self.release.names(&url) { Reach::Anywhere } else { Reach::Public }
    }
}

/// The base address of a job's operation, without a slash at its end.
pub(super) fn base(job: &Job<'_>) -> Result<String, Box<Failure>> {
    if let Some(connector) = job.connector {
        return connector.base_url(&job.scope.name, &job.scope.vars);
    }
    let servers = job.operation.map(|operation| operation.servers.as_slice()).unwrap_or_default();
    let servers = if servers.is_empty() {
        job.api.map(OpenApi::servers).unwrap_or_default()
    } else {
        servers
    };
    let address =
        servers.first().map_or_else(|| "/".to_owned(), |server| server.address(&|_| None));
    // A relative address is relative to where the document came from.
    let absolute = Url::parse(&address).or_else(|_| Url::parse(&job.label)?.join(&address));
    let mut url = absolute
        .map_err(|_| unsendable(&format!("the document `{}` names no server", job.label)))?
        .to_string();
    while url.ends_with('/') {
        url.pop();
    }
    Ok(url)
}

fn unknown(target: &str, operation: &str) -> Box<Failure> {
    let detail = format!("the release holds no `{target}` with an operation `{operation}`");
    Box::new(Failure::new(
        Class::Permanent,
        codes::UNKNOWN_TARGET,
        "The called operation is not part of the release",
        detail,
    ))
}
