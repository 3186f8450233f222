use std::time::Duration;

use http::{HeaderMap, header};
use qc_model::{Code, Failure, Timestamp};
use qc_vault::{Secret, VaultError};

use super::{Connections, failure};
use crate::{
    codes,
    machine::{Lease, Outcome},
    provider::{Grant, GrantKind},
    record::{LastFailure, guest},
    token::{Answer, Asking, Purpose, Tokens, token_request},
};

/// How long nobody else may ask. The request ends [`SKEW`] before, by the clocks of two nodes.
pub(super) const LEASE: Duration = Duration::from_secs(30);
/// How far the clocks of two nodes may be apart, and how long a request may take to end.
const SKEW: Duration = Duration::from_secs(10);
/// How long a request to a token endpoint may take.
pub(super) const CALL: Duration = Duration::from_secs(LEASE.as_secs() - SKEW.as_secs());
/// The largest answer of a token endpoint.
pub(super) const ANSWER_LIMIT: usize = 64 * 1024;

/// What was heard.
pub(super) enum Asked {
    Granted(Box<Tokens>),
    /// None: nothing was sent, as the lease was nearly over.
    Not(Option<(Outcome, LastFailure)>),
}

impl Asked {
    pub(super) fn outcome(self) -> Option<(Outcome, LastFailure)> {
        match self {
            Self::Granted(_) => None,
            Self::Not(outcome) => outcome,
        }
    }
}

impl Connections {
    /// Asks for tokens once.
    pub(super) async fn ask(
        &self,
        grant: &Grant,
        refresh: Option<&Secret>,
        lease: &Lease,
    ) -> Result<Asked, Box<Failure>> {
        let purpose = refresh.map_or(Purpose::Client, Purpose::Refresh);
        let at = self.now();
        let not = |outcome, code, detail: String| {
            Ok(Asked::Not(Some((outcome, LastFailure { at, code, detail }))))
        };
        if self.client_is_refused(grant).await {
            let detail = "the client was refused just now".to_owned();
            return not(Outcome::InvalidClient, codes::CLIENT_REFUSED, detail);
        }
        // The commit may have taken long: the request has to end before the lease does.
        let left = (lease.until - SKEW).since(self.now());
        let timeout = CALL.min(left);
        if timeout.is_zero() {
            return not(Outcome::Away(None), codes::UNAVAILABLE, "the store is slow".to_owned());
        }
        let request = match token_request(grant, purpose, self.asking(timeout, &lease.attempt)) {
            Ok(request) => request,
            Err(error) => {
                let failure = failure::unsendable(&grant.id, &error);
                return not(Outcome::Refused, failure.code.clone(), failure.detail);
            }
        };
        let answer = tokio::time::timeout(timeout, self.exchange(grant, request)).await;
        let said = |outcome, code: Code, detail: &str| not(outcome, code, detail.to_owned());
        match answer {
            Err(_) => said(Outcome::Unknown, codes::UNAVAILABLE, "no answer in time"),
            Ok(Err(error)) if error.sent => {
                said(Outcome::Unknown, codes::UNAVAILABLE, &error.message)
            }
            Ok(Err(error)) => said(Outcome::Away(None), codes::UNAVAILABLE, &error.message),
            Ok(Ok(Answer::Granted(tokens))) => Ok(Asked::Granted(tokens)),
            Ok(Ok(Answer::InvalidGrant)) => {
                said(Outcome::InvalidGrant, codes::CONSENT_NEEDED, "`invalid_grant`")
            }
            Ok(Ok(Answer::InvalidClient)) => {
                said(Outcome::InvalidClient, codes::CLIENT_REFUSED, "`invalid_client`")
            }
            Ok(Ok(Answer::Refused(word))) => {
                not(Outcome::Refused, codes::CLIENT_REFUSED, failure::refused(word))
            }
            Ok(Ok(Answer::Away { pause })) => {
                said(Outcome::Away(pause), codes::UNAVAILABLE, "the token endpoint is away")
            }
            Ok(Ok(Answer::Unreadable)) => {
                said(Outcome::Unknown, codes::UNAVAILABLE, "an answer without a token")
            }
        }
    }

    /// Sends a request and reads the answer.
    pub(super) async fn exchange(
        &self,
        grant: &Grant,
        request: qc_model::OutboundRequest,
    ) -> Result<Answer, qc_model::CallError> {
        let response = self.parts.caller.call(request).await?;
        let status = response.status.as_u16();
        let pause = pause(&response.headers);
        let body = response.body.collect(ANSWER_LIMIT).await?;
        Ok(Answer::read(&grant.dialect, status, pause, &body))
    }

    pub(super) fn asking<'a>(&'a self, timeout: Duration, unique: &'a str) -> Asking<'a> {
        let now: Timestamp = self.now();
        Asking { user_agent: &self.parts.user_agent, timeout, now_secs: now.as_secs(), unique }
    }

    /// Whether tokens could be sealed now.
    pub(super) async fn can_seal(&self, grant: &Grant) -> Result<(), VaultError> {
        let name = grant.id.text();
        let guest = guest(&grant.id.environment, &name);
        self.parts.vault.seal(guest, ("trial", 0), &Secret::new("-"), &Self::actor()).await?;
        Ok(())
    }

    /// Whether this connection's grant needs people to begin.
    pub(super) fn consent_rules(grant: &Grant) -> Option<&crate::provider::ConsentRules> {
        match &grant.kind {
            GrantKind::AuthorizationCode(rules) => Some(rules),
            _ => None,
        }
    }
}

/// `Retry-After` in seconds (RFC 9110, section 10.2.3). Token endpoints state no dates.
fn pause(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(Duration::from_secs(3600)))
}
