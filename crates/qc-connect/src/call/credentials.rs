use http::{HeaderName, HeaderValue, header};
use qc_connection::Access;
use qc_contract::Operation;
use qc_model::{Class, ClientIdentity, Failure};
use qc_vault::{Secret, SecretRef};
use qc_workflow::{Authentication, AuthenticationScheme, ClientAuthentication, SecretMark};
use serde_json::Value;

use super::{
    EffectContext, EnvironmentScope, Outbound,
    exchange::Deadline,
    identity::identity,
    login::LoginClient,
    substitute::Substitution,
    token::{Applicant, TokenClient, basic_value},
};
use crate::{
    codes,
    connector::{
        AuthProfile, ClientAuthMethod, ClientCredentials, Connector, LoginPlace, LoginRule,
        TextOrSecret,
    },
};

/// How a call proves who makes it, before any secret is looked up.
#[derive(Clone, Copy)]
pub(super) enum Proof<'a> {
    /// Not at all.
    None,
    /// As the connector says, for this operation.
    Connector(&'a Connector, Option<&'a Operation>),
    /// As the workflow says.
    Inline(&'a Authentication, SecretMark),
}

/// What is added to a request. Never printed, never stored.
#[derive(Default)]
pub(super) struct Credential {
    pub(super) header: Option<(HeaderName, HeaderValue)>,
    pub(super) query: Option<(String, Secret)>,
    /// The values in it, to be kept out of what is stored.
    pub(super) exposed: Vec<Secret>,
    /// The access token in it.
    token: Option<Secret>,
    /// The connection's token in it.
    pub(super) access: Option<Access>,
    /// The certificate of the TLS handshake.
    pub(super) identity: Option<ClientIdentity>,
}

/// Which of the values that are valid now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Present,
    Previous,
}

/// Where a credential's values come from.
struct Source<'a> {
    outbound: &'a Outbound,
    scope: &'a EnvironmentScope,
    effect: &'a EffectContext,
    which: Which,
}

impl Outbound {
    /// The credential for a call.
    pub(super) async fn credential(
        &self,
        proof: Proof<'_>,
        scope: &EnvironmentScope,
        effect: &EffectContext,
        deadline: &Deadline,
    ) -> Result<Credential, Box<Failure>> {
        let source = Source { outbound: self, scope, effect, which: Which::Present };
        source.credential(proof, None, deadline).await
    }

    /// Another credential in place of one that was refused: a new token, a value that was rotated in the meantime, or
    /// the previous value while both are valid. None when there is no other.
    pub(super) async fn renewed(
        &self,
        proof: Proof<'_>,
        scope: &EnvironmentScope,
        effect: &EffectContext,
        refused: &Credential,
        deadline: &Deadline,
    ) -> Result<Option<Credential>, Box<Failure>> {
        if let (Some(access), Proof::Connector(connector, operation)) = (&refused.access, proof)
            && let AuthProfile::Connection(oauth) = connector.auth()
        {
            let whose = (connector, &**oauth);
            let other = self.of_connection(whose, operation, scope, Some(access), deadline).await?;
            return Ok(
                other.map(|other| Credential { identity: refused.identity.clone(), ..other })
            );
        }
        if let Some(token) = &refused.token {
            let source = Source { outbound: self, scope, effect, which: Which::Present };
            return source.credential(proof, Some(token), deadline).await.map(Some);
        }
        for which in [Which::Present, Which::Previous] {
            let source = Source { outbound: self, scope, effect, which };
            let other = source.credential(proof, None, deadline).await?;
            let same = (&other.header, &other.query, &other.identity)
                == (&refused.header, &refused.query, &refused.identity);
            if !same {
                return Ok(Some(other));
            }
        }
        Ok(None)
    }
}

impl Source<'_> {
    async fn credential(
        &self,
        proof: Proof<'_>,
        refused: Option<&Secret>,
        deadline: &Deadline,
    ) -> Result<Credential, Box<Failure>> {
        match proof {
            Proof::None => Ok(Credential::default()),
            Proof::Connector(connector, operation) => {
                let identity = self.identity(connector)?;
                let found = self.of_connector(connector, operation, refused, deadline).await?;
                Ok(Credential { identity, ..found })
            }
            Proof::Inline(inline, mark) => self.inline(inline, mark, refused, deadline).await,
        }
    }

    async fn of_connector(
        &self,
        connector: &Connector,
        operation: Option<&Operation>,
        refused: Option<&Secret>,
        deadline: &Deadline,
    ) -> Result<Credential, Box<Failure>> {
        match connector.auth() {
            AuthProfile::Connection(oauth) => {
                let (whose, scope) = ((connector, &**oauth), self.scope);
                let found =
                    self.outbound.of_connection(whose, operation, scope, None, deadline).await?;
                Ok(found.unwrap_or_default())
            }
            profile => self.by_profile(connector, profile, refused, deadline).await,
        }
    }

    /// The certificate of a connector, when it has one.
    fn identity(&self, connector: &Connector) -> Result<Option<ClientIdentity>, Box<Failure>> {
        let Some(rule) = connector.certificate() else { return Ok(None) };
        if self.outbound.rehearsed().is_some() {
            // A simulated system looks whether there is one.
            return Ok(Some(ClientIdentity::new("rehearsed", zeroize::Zeroizing::default())));
        }
        let certificate = self.secret(&rule.certificate)?;
        let key = rule.key.as_ref().map(|key| self.secret(key)).transpose()?;
        identity(&certificate, key.as_ref()).map(Some)
    }

    async fn by_profile(
        &self,
        connector: &Connector,
        profile: &AuthProfile,
        refused: Option<&Secret>,
        deadline: &Deadline,
    ) -> Result<Credential, Box<Failure>> {
        match profile {
            // A connection's tokens have a keeper of their own.
            AuthProfile::None | AuthProfile::Connection(_) => Ok(Credential::default()),
            AuthProfile::HeaderKey { name, prefix, value } => {
                let value = self.secret(value)?;
                let text = format!("{prefix}{}", value.expose());
                Credential::in_header(name.clone(), &text, vec![value])
            }
            AuthProfile::QueryKey { name, value } => {
                let value = self.secret(value)?;
                let query = Some((name.clone(), value.clone()));
                Ok(Credential { query, exposed: vec![value], ..Credential::default() })
            }
            AuthProfile::Bearer { token } => Credential::bearer(self.secret(token)?),
            AuthProfile::Basic { username, password } => {
                Credential::basic(&self.text(username)?, self.secret(password)?)
            }
            AuthProfile::ClientCredentials(client) => {
                let mut client = self.token_client(client)?;
                client.identity = self.identity(connector)?;
                let client = Applicant::Client(client);
                let token = self.outbound.token(&client, refused, deadline).await?;
                Credential::of_token(token)
            }
            AuthProfile::Login(rule) => {
                let token = if let Some(token) = self.outbound.rehearsed() {
                    token
                } else {
                    let login = Applicant::Login(self.login(connector, rule)?);
                    self.outbound.token(&login, refused, deadline).await?
                };
                Credential::of_login(&rule.place, token)
            }
        }
    }

    fn login(&self, connector: &Connector, rule: &LoginRule) -> Result<LoginClient, Box<Failure>> {
        let value = |value: &TextOrSecret| self.text(value).map(Secret::new);
        let body = rule.body.iter().map(|(_, one)| value(one)).collect::<Result<_, _>>()?;
        let headers = rule.headers.iter().map(|(_, one)| value(one)).collect::<Result<_, _>>()?;
        let whose = (self.scope.name.as_str(), connector.name().as_str());
        let (url, identity) = (rule.url.resolve(&self.scope.vars)?, self.identity(connector)?);
        Ok(LoginClient::new(rule, whose, url, (body, headers), identity))
    }

    async fn inline(
        &self,
        inline: &Authentication,
        mark: SecretMark,
        refused: Option<&Secret>,
        deadline: &Deadline,
    ) -> Result<Credential, Box<Failure>> {
        let secrets = &self.outbound.secrets;
        let mut substitution = Substitution::new(secrets, &self.scope.name, self.effect, mark);
        if self.which == Which::Previous {
            substitution = substitution.previous();
        }
        let resolved;
        let inline = match inline {
            Authentication::Secret { of, secret } => {
                resolved = from_secret(*of, secret, &substitution.value(secret)?)?;
                &resolved
            }
            other => other,
        };
        match inline {
            Authentication::Basic { username, password } => {
                let password = Secret::new(substitution.text(password)?);
                Credential::basic(&substitution.text(username)?, password)
            }
            Authentication::Bearer { token } => {
                Credential::bearer(Secret::new(substitution.text(token)?))
            }
            Authentication::OAuth2ClientCredentials {
                token_url,
                client_id,
                client_secret,
                client_authentication,
                scopes,
                audiences,
            } => {
                let client = TokenClient {
                    environment: self.scope.name.as_str().to_owned(),
                    url: substitution.address(token_url)?,
                    client_id: substitution.text(client_id)?,
                    client_secret: Secret::new(substitution.text(client_secret)?),
                    scopes: scopes.clone(),
                    audience: (!audiences.is_empty()).then(|| audiences.join(" ")),
                    method: match client_authentication {
                        ClientAuthentication::ClientSecretBasic => ClientAuthMethod::Basic,
                        ClientAuthentication::ClientSecretPost => ClientAuthMethod::Post,
                    },
                    identity: None,
                };
                let client = Applicant::Client(client);
                let token = self.outbound.token(&client, refused, deadline).await?;
                Credential::of_token(token)
            }
            Authentication::Secret { secret, .. } => Err(malformed_secret(secret)),
        }
    }

    fn secret(&self, reference: &SecretRef) -> Result<Secret, Box<Failure>> {
        let live = self.outbound.secrets.live(&self.scope.name, reference);
        let mut values = live.map_err(|missing| Box::new(missing.failure()))?;
        let at = if self.which == Which::Previous { values.len() - 1 } else { 0 };
        Ok(values.swap_remove(at))
    }

    fn text(&self, text: &TextOrSecret) -> Result<String, Box<Failure>> {
        match text {
            TextOrSecret::Text(setting) => setting.resolve(&self.scope.vars),
            TextOrSecret::Secret(reference) => {
                self.secret(reference).map(|secret| secret.expose().to_owned())
            }
        }
    }

    fn token_client(&self, client: &ClientCredentials) -> Result<TokenClient, Box<Failure>> {
        let audience = client.audience.as_ref().map(|text| text.resolve(&self.scope.vars));
        Ok(TokenClient {
            environment: self.scope.name.as_str().to_owned(),
            url: client.token_url.resolve(&self.scope.vars)?,
            client_id: self.text(&client.client_id)?,
            client_secret: self.secret(&client.client_secret)?,
            scopes: client.scopes.clone(),
            audience: audience.transpose()?,
            method: client.method,
            identity: None,
        })
    }
}

impl Credential {
    fn in_header(name: HeaderName, text: &str, exposed: Vec<Secret>) -> Result<Self, Box<Failure>> {
        let value = sensitive(text)?;
        Ok(Self { header: Some((name, value)), exposed, ..Self::default() })
    }

    /// A token of a connection.
    pub(super) fn of_access(access: Access) -> Result<Self, Box<Failure>> {
        let bearer = Self::bearer(access.token.clone())?;
        Ok(Self { access: Some(access), ..bearer })
    }

    pub(super) fn bearer(token: Secret) -> Result<Self, Box<Failure>> {
        let text = format!("Bearer {}", token.expose());
        Self::in_header(header::AUTHORIZATION, &text, vec![token])
    }

    fn of_login(place: &LoginPlace, token: Secret) -> Result<Self, Box<Failure>> {
        let text = place.filled(token.expose());
        let name = match place {
            LoginPlace::Header { name, .. } => name.clone(),
            LoginPlace::Cookie { .. } => header::COOKIE,
        };
        let sent = Self::in_header(name, &text, vec![token.clone()])?;
        Ok(Self { token: Some(token), ..sent })
    }

    fn of_token(token: Secret) -> Result<Self, Box<Failure>> {
        Ok(Self { token: Some(token.clone()), ..Self::bearer(token)? })
    }

    fn basic(username: &str, password: Secret) -> Result<Self, Box<Failure>> {
        let text = basic_value(&format!("{username}:{}", password.expose()));
        // The encoded pair is as good as the password.
        let pair = Secret::new(text.trim_start_matches("Basic "));
        Self::in_header(header::AUTHORIZATION, &text, vec![password, pair])
    }
}

/// `Basic` with this pair, as a header's value.
pub(super) fn basic(pair: &str) -> Result<HeaderValue, Box<Failure>> {
    sensitive(&basic_value(pair))
}

pub(super) fn sensitive(text: &str) -> Result<HeaderValue, Box<Failure>> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        Box::new(Failure::new(
            Class::Auth,
            codes::UNSENDABLE,
            "A credential cannot be sent",
            "a credential holds a character that no header can carry, such as a line break",
        ))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// The properties of a scheme from a secret that holds them as a JSON object with the DSL's names.
fn from_secret(
    of: AuthenticationScheme,
    name: &str,
    secret: &Secret,
) -> Result<Authentication, Box<Failure>> {
    let value: Value = serde_json::from_str(secret.expose()).map_err(|_| malformed_secret(name))?;
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let list = |pointer: &str| -> Vec<String> {
        let items = value.pointer(pointer).and_then(Value::as_array);
        items.into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let found = match of {
        AuthenticationScheme::Basic => text("/username")
            .zip(text("/password"))
            .map(|(username, password)| Authentication::Basic { username, password }),
        AuthenticationScheme::Bearer => {
            text("/token").map(|token| Authentication::Bearer { token })
        }
        AuthenticationScheme::OAuth2 => {
            let path = text("/endpoints/token").unwrap_or_else(|| "/oauth2/token".to_owned());
            let url =
                text("/authority").map(|base| format!("{}{path}", base.trim_end_matches('/')));
            let basic = text("/client/authentication").as_deref() == Some("client_secret_basic");
            let method = if basic {
                ClientAuthentication::ClientSecretBasic
            } else {
                ClientAuthentication::ClientSecretPost
            };
            (|| {
                Some(Authentication::OAuth2ClientCredentials {
                    token_url: url?,
                    client_id: text("/client/id")?,
                    client_secret: text("/client/secret")?,
                    client_authentication: method,
                    scopes: list("/scopes"),
                    audiences: list("/audiences"),
                })
            })()
        }
    };
    found.ok_or_else(|| malformed_secret(name))
}

fn malformed_secret(name: &str) -> Box<Failure> {
    let detail = format!(
        "the secret `{name}` is not a JSON object with the properties of its authentication"
    );
    Box::new(Failure::new(
        Class::Auth,
        qc_vault::codes::UNUSABLE_SECRET,
        "A secret cannot be used",
        detail,
    ))
}
