use http::HeaderName;
use qc_document::ObjectReader;
use qc_vault::SecretRef;

use super::{
    login::LoginRule,
    oauth::OAuth,
    setting::{Setting, TextOrSecret, secret_field},
};

/// How a connector proves who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthProfile {
    /// Not at all.
    None,
    /// A key in a header.
    HeaderKey {
        /// The header.
        name: HeaderName,
        /// What stands before the key, such as `Token `.
        prefix: String,
        /// The key.
        value: SecretRef,
    },
    /// A key in the query string.
    QueryKey {
        /// The parameter.
        name: String,
        /// The key.
        value: SecretRef,
    },
    /// HTTP basic.
    Basic {
        /// The user.
        username: TextOrSecret,
        /// The password.
        password: SecretRef,
    },
    /// A fixed bearer token.
    Bearer {
        /// The token.
        token: SecretRef,
    },
    /// OAuth 2.0 client credentials.
    ClientCredentials(ClientCredentials),
    /// A login whose token goes with the calls that follow.
    Login(Box<LoginRule>),
    /// OAuth 2.0 with a connection.
    Connection(Box<OAuth>),
}

/// A certificate with which a connector proves itself in TLS handshakes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRule {
    /// The certificate and those of its issuers, PEM; with the key, when that is not apart.
    pub certificate: SecretRef,
    /// The key, PEM.
    pub key: Option<SecretRef>,
}

impl CertificateRule {
    fn read(mut object: ObjectReader<'_, '_>) -> Option<Self> {
        let certificate = secret(&mut object, "certificate");
        let key = object.has("key").then(|| secret(&mut object, "key"));
        object.finish();
        Some(Self { certificate: certificate?, key: key.map_or(Some(None), |key| key.map(Some))? })
    }

    /// The secrets that it needs.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        [&self.certificate].into_iter().chain(&self.key)
    }
}

/// OAuth 2.0 client credentials (RFC 6749, section 4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCredentials {
    /// Where tokens come from.
    pub token_url: Setting,
    /// The client.
    pub client_id: TextOrSecret,
    /// Its secret.
    pub client_secret: SecretRef,
    /// The scopes asked for.
    pub scopes: Vec<String>,
    /// The `audience` parameter that some servers want.
    pub audience: Option<Setting>,
    /// How the client proves itself.
    pub method: ClientAuthMethod,
}

/// How a client proves itself at the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClientAuthMethod {
    /// HTTP basic (`client_secret_basic`).
    Basic,
    /// In the form (`client_secret_post`).
    Post,
}

impl AuthProfile {
    /// Reads `auth`. The caller has already taken the object; it is finished here. A certificate stands beside a kind, or
    /// alone.
    pub(super) fn read(mut auth: ObjectReader<'_, '_>) -> Option<(Self, Option<CertificateRule>)> {
        let certificate = auth
            .has("client_certificate")
            .then(|| auth.optional_object("client_certificate").and_then(CertificateRule::read));
        let profile = Self::kind(auth, certificate.is_some());
        Some((profile?, certificate.map_or(Some(None), |read| read.map(Some))?))
    }

    fn kind(mut auth: ObjectReader<'_, '_>, may_be_none: bool) -> Option<Self> {
        let kinds = [
            "none",
            "api_key",
            "basic",
            "bearer",
            "login",
            "oauth2_client_credentials",
            "oauth2_refresh_token",
            "oauth2_authorization_code",
        ];
        if may_be_none && !kinds.iter().any(|kind| auth.has(kind)) {
            auth.finish();
            return Some(Self::None);
        }
        let (kind, node) = auth.exactly_one(&kinds)?;
        let reader = auth.reader();
        auth.finish();
        if kind == "none" {
            return Some(Self::None);
        }
        let mut object = reader.object(node, &format!("`auth.{kind}`"))?;
        let profile = match kind {
            "api_key" => api_key(&mut object),
            "basic" => {
                let username = object.parse("username", TextOrSecret::parse);
                let password = secret(&mut object, "password");
                username
                    .zip(password)
                    .map(|(username, password)| Self::Basic { username, password })
            }
            "bearer" => secret(&mut object, "token").map(|token| Self::Bearer { token }),
            "login" => LoginRule::read(&mut object).map(Box::new).map(Self::Login),
            "oauth2_client_credentials" if !object.has("connection") => {
                client_credentials(&mut object).map(Self::ClientCredentials)
            }
            kind => OAuth::read(kind, &mut object).map(Box::new).map(Self::Connection),
        };
        object.finish();
        profile
    }

    /// The secrets that it needs.
    pub fn secrets(&self) -> Vec<&SecretRef> {
        match self {
            Self::None => Vec::new(),
            Self::HeaderKey { value, .. } | Self::QueryKey { value, .. } => vec![value],
            Self::Bearer { token } => vec![token],
            Self::Basic { username, password } => {
                username.secret().into_iter().chain([password]).collect()
            }
            Self::Login(login) => login.secrets(),
            Self::Connection(oauth) => oauth.secrets(),
            Self::ClientCredentials(client) => {
                client.client_id.secret().into_iter().chain([&client.client_secret]).collect()
            }
        }
    }

    /// The variables that it needs.
    pub fn variables(&self) -> Vec<&str> {
        match self {
            Self::Basic { username, .. } => username.variables(),
            Self::Login(login) => login.variables(),
            Self::Connection(oauth) => oauth.variables(),
            Self::ClientCredentials(client) => {
                let mut names: Vec<&str> = client.token_url.variables().collect();
                names.extend(client.client_id.variables());
                names.extend(client.audience.iter().flat_map(Setting::variables));
                names
            }
            _ => Vec::new(),
        }
    }
}

impl TextOrSecret {
    pub(super) fn secret(&self) -> Option<&SecretRef> {
        match self {
            Self::Secret(reference) => Some(reference),
            Self::Text(_) => None,
        }
    }

    pub(super) fn variables(&self) -> Vec<&str> {
        match self {
            Self::Text(setting) => setting.variables().collect(),
            Self::Secret(_) => Vec::new(),
        }
    }
}

fn secret(object: &mut ObjectReader<'_, '_>, key: &'static str) -> Option<SecretRef> {
    let node = object.required(key)?;
    secret_field(object.reader(), key, node)
}

fn api_key(object: &mut ObjectReader<'_, '_>) -> Option<AuthProfile> {
    let in_header = object.choice("in", &[("header", true), ("query", false)]);
    let name_node = object.optional("name");
    let name = object.string("name");
    let value = secret(object, "value");
    let prefix = object.optional_string("prefix").unwrap_or_default().to_owned();
    let (name, value) = (name?, value?);
    if !in_header? {
        return Some(AuthProfile::QueryKey { name: name.to_owned(), value });
    }
    let parsed = name.parse().ok();
    if let (None, Some(node)) = (&parsed, name_node) {
        object.reader().invalid(node, "`name` is not a header's name");
    }
    Some(AuthProfile::HeaderKey { name: parsed?, prefix, value })
}

fn client_credentials(object: &mut ObjectReader<'_, '_>) -> Option<ClientCredentials> {
    let methods = [("basic", ClientAuthMethod::Basic), ("post", ClientAuthMethod::Post)];
    let token_url = object.parse("token_url", Setting::parse);
    let client_id = object.parse("client_id", TextOrSecret::parse);
    let client_secret = secret(object, "client_secret");
    let scopes = object.strings("scopes").into_iter().map(|(_, text)| text.to_owned()).collect();
    let audience = object.optional_parse("audience", Setting::parse);
    let method = object.optional_choice("auth_method", &methods).unwrap_or(ClientAuthMethod::Basic);
    Some(ClientCredentials {
        token_url: token_url?,
        client_id: client_id?,
        client_secret: client_secret?,
        scopes,
        audience,
        method,
    })
}
