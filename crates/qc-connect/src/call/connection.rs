//! Tokens of connections: what a connector's file says becomes a grant, and the keeper's tokens become credentials.

use std::{collections::BTreeSet, sync::Arc};

use http::header;
use qc_connection::{
    Access, ClientProof, ConnectionId, Connections, ConsentRules, Dialect, Grant, GrantKind, Need,
    PrivateKey,
};
use qc_contract::{Operation, SecurityScheme};
use qc_model::{Class, Failure};
use qc_vault::{Secret, SecretRef, Secrets};

use super::{
    EnvironmentScope, Outbound, answer::Answer, credentials::Credential, exchange::Deadline,
    identity::identity, job::Job,
};
use crate::connector::{Connector, OAuth, OAuthGrant, Params, ProofRule, TextOrSecret};

/// Where the tokens of connections come from.
#[derive(Clone, Default)]
pub enum ConnectionTokens {
    /// Nowhere: calls that need one wait.
    #[default]
    Nowhere,
    /// From the store.
    Kept(Arc<Connections>),
    /// This one for all, as a rehearsal has it whose systems are simulated.
    Given(Secret),
}

impl Connector {
    /// The connection that it uses, when it does.
    pub fn connection(&self, environment: &qc_model::EnvironmentName) -> Option<ConnectionId> {
        let crate::connector::AuthProfile::Connection(oauth) = self.auth() else { return None };
        let name = oauth.connection.clone().unwrap_or_else(|| self.name().as_str().to_owned());
        Some(ConnectionId { environment: environment.clone(), name })
    }

    /// The scopes that its operations need: those that its file lists, or else those of its document's `security`. Of a
    /// release this is what the release uses.
    pub fn scopes(&self) -> Vec<String> {
        if let crate::connector::AuthProfile::Connection(oauth) = self.auth()
            && let Some(scopes) = &oauth.scopes
        {
            return scopes.clone();
        }
        let all = self.api().operations().iter().flat_map(|one| self.scopes_of(one));
        all.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The scopes that one operation needs by the document: of its first alternative that OAuth 2.0 satisfies.
    pub fn scopes_of(&self, operation: &Operation) -> Vec<String> {
        let schemes = self.api().security_schemes();
        let oauth = |name: &str| {
            schemes.iter().any(|(known, scheme)| {
                **known == *name
                    && matches!(
                        scheme,
                        SecurityScheme::OAuth2 { .. } | SecurityScheme::OpenIdConnect { .. }
                    )
            })
        };
        let alternatives = operation.security.iter().map(|one| {
            let own = one.schemes.iter().filter(|(name, _)| oauth(name));
            own.flat_map(|(_, scopes)| scopes.iter().map(ToString::to_string)).collect::<Vec<_>>()
        });
        let mut scopes = alternatives.into_iter().find(|one| !one.is_empty()).unwrap_or_default();
        scopes.sort_unstable();
        scopes.dedup();
        scopes
    }

    /// The grant of its connection in an environment, everything resolved; None when it uses none.
    pub fn grant(
        &self,
        secrets: &Secrets,
        scope: &EnvironmentScope,
    ) -> Result<Option<Grant>, Box<Failure>> {
        let crate::connector::AuthProfile::Connection(oauth) = self.auth() else { return Ok(None) };
        let Some(id) = self.connection(&scope.name) else { return Ok(None) };
        let resolve = Resolve { secrets, scope };
        let grant = resolve.grant(id, self.name().as_str(), oauth, self.scopes())?;
        let Some(rule) = self.certificate() else { return Ok(Some(grant)) };
        let key = rule.key.as_ref().map(|key| resolve.secret(key)).transpose()?;
        let identity = identity(&resolve.secret(&rule.certificate)?, key.as_ref())?;
        Ok(Some(Grant { identity: Some(identity), ..grant }))
    }
}

struct Resolve<'a> {
    secrets: &'a Secrets,
    scope: &'a EnvironmentScope,
}

impl Resolve<'_> {
    fn secret(&self, reference: &SecretRef) -> Result<Secret, Box<Failure>> {
        let found = self.secrets.lookup(&self.scope.name, reference);
        found.map_err(|missing| Box::new(missing.failure()))
    }

    fn text(&self, setting: &crate::connector::Setting) -> Result<String, Box<Failure>> {
        setting.resolve(&self.scope.vars)
    }

    fn maybe(
        &self,
        setting: Option<&crate::connector::Setting>,
    ) -> Result<Option<String>, Box<Failure>> {
        setting.map(|setting| self.text(setting)).transpose()
    }

    fn params(&self, params: &Params) -> Result<Vec<(String, String)>, Box<Failure>> {
        params.iter().map(|(name, value)| Ok((name.clone(), self.text(value)?))).collect()
    }

    fn grant(
        &self,
        id: ConnectionId,
        connector: &str,
        oauth: &OAuth,
        scopes: Vec<String>,
    ) -> Result<Grant, Box<Failure>> {
        let kind = match &oauth.grant {
            OAuthGrant::ClientCredentials => GrantKind::ClientCredentials,
            OAuthGrant::RefreshToken(token) => {
                GrantKind::RefreshToken { seed: self.secret(token)? }
            }
            OAuthGrant::AuthorizationCode(consent) => {
                GrantKind::AuthorizationCode(Box::new(ConsentRules {
                    authorization_url: self.text(&consent.authorization_url)?,
                    redirect_uri: self.text(&consent.redirect_uri)?,
                    authorization_params: self.params(&consent.authorization_params)?,
                    pkce: consent.pkce,
                    issuer: self.maybe(consent.issuer.as_ref())?,
                    userinfo_url: self.maybe(consent.userinfo_url.as_ref())?,
                    account: consent.account.clone(),
                }))
            }
        };
        let proof = match &oauth.proof {
            ProofRule::None => ClientProof::None,
            ProofRule::Basic(secret) => ClientProof::Basic(self.secret(secret)?),
            ProofRule::Post(secret) => ClientProof::Post(self.secret(secret)?),
            ProofRule::PrivateKey { key, id, algorithm, audience } => {
                ClientProof::PrivateKey(PrivateKey {
                    pem: self.secret(key)?,
                    id: id.clone(),
                    algorithm: *algorithm,
                    audience: self.maybe(audience.as_ref())?,
                })
            }
        };
        let client_id = match &oauth.client_id {
            TextOrSecret::Text(setting) => self.text(setting)?,
            TextOrSecret::Secret(reference) => self.secret(reference)?.expose().to_owned(),
        };
        let revocation_url = self.maybe(oauth.revocation_url.as_ref())?;
        Ok(Grant {
            id,
            connector: connector.to_owned(),
            kind,
            token_url: self.text(&oauth.token_url)?,
            client_id,
            proof,
            scopes,
            token_params: self.params(&oauth.token_params)?,
            refresh_params: self.params(&oauth.refresh_params)?,
            dialect: Dialect { revocation_url, ..oauth.dialect.clone() },
            waiver: oauth.waiver.clone(),
            identity: None,
        })
    }
}

impl Outbound {
    /// The token that stands for all, in a rehearsal.
    pub(super) fn rehearsed(&self) -> Option<Secret> {
        match &self.connections {
            ConnectionTokens::Given(token) => Some(token.clone()),
            ConnectionTokens::Nowhere | ConnectionTokens::Kept(_) => None,
        }
    }

    /// Uses the tokens of connections from there.
    #[must_use]
    pub fn with_connections(mut self, connections: ConnectionTokens) -> Self {
        self.connections = connections;
        self
    }

    /// The credential of a connection. `refused` is the access that the other system did not take; None then says that
    /// there is no other.
    pub(super) async fn of_connection(
        &self,
        (connector, oauth): (&Connector, &OAuth),
        operation: Option<&Operation>,
        scope: &EnvironmentScope,
        refused: Option<&Access>,
        deadline: &Deadline,
    ) -> Result<Option<Credential>, Box<Failure>> {
        let kept = match &self.connections {
            ConnectionTokens::Kept(kept) => kept,
            ConnectionTokens::Given(token) => return Credential::bearer(token.clone()).map(Some),
            ConnectionTokens::Nowhere => return Err(nowhere(connector)),
        };
        // What the file lists is needed by all of it; a document says it for each operation.
        let scopes = match (&oauth.scopes, operation) {
            (None, Some(operation)) => connector.scopes_of(operation),
            _ => connector.scopes(),
        };
        let need = Need { scopes: &scopes, waiver: oauth.waiver.as_ref() };
        let id = connector.connection(&scope.name).ok_or_else(|| nowhere(connector))?;
        if refused.is_none()
            && let Some(access) = kept.at_hand(&id, need)
        {
            return Credential::of_access(access).map(Some);
        }
        let wait = deadline.remaining(self.clock.now())?;
        let grant = connector.grant(&self.secrets, scope)?.ok_or_else(|| nowhere(connector))?;
        match refused {
            None => Credential::of_access(kept.access(grant, need, wait).await?).map(Some),
            Some(refused) => {
                let other = kept.renewed_access(grant, refused, wait).await?;
                other.map(Credential::of_access).transpose()
            }
        }
    }
}

impl Outbound {
    /// The failure of a call that was turned away because its connection lacks scopes (RFC 6750, section 3.1).
    pub(super) async fn lacks_scope(
        &self,
        job: &Job<'_>,
        answer: &Answer,
        credential: &Credential,
    ) -> Option<Box<Failure>> {
        credential.access.as_ref().filter(|_| answer.status == 403)?;
        let said = answer.headers.get_all(header::WWW_AUTHENTICATE);
        let lacks = said.iter().any(|value| {
            value.to_str().is_ok_and(|text| text.contains("error=\"insufficient_scope\""))
        });
        let (ConnectionTokens::Kept(kept), true) = (&self.connections, lacks) else { return None };
        let connector = job.connector?;
        let id = connector.connection(&job.scope.name)?;
        let needed = job.operation.map(|one| connector.scopes_of(one)).unwrap_or_default();
        Some(kept.scopes_refused(&id, &needed).await)
    }
}

fn nowhere(connector: &Connector) -> Box<Failure> {
    let detail = format!("the connector `{}` uses a connection", connector.name());
    let title = "Connections are not kept here";
    Box::new(Failure::new(Class::Auth, qc_connection::codes::NOT_KEPT, title, detail))
}
