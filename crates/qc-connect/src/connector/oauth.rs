use std::{collections::BTreeMap, time::Duration};

use qc_connection::{
    AnswerPaths, BodyFormat, Dialect, Rotation, SigningAlgorithm, Unit, Waiver, token::Word,
};
use qc_document::{Key, Node, ObjectReader};
use qc_model::Timestamp;
use qc_vault::SecretRef;
use serde_json::Value;

use super::setting::{Setting, TextOrSecret, secret_field};

/// OAuth 2.0 with a connection: an account whose tokens are kept in the store, sealed, and shared by all nodes. What sets
/// providers apart is data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuth {
    /// The connection's name in each environment; the connector's when nothing is said.
    pub connection: Option<String>,
    /// How its tokens are got.
    pub grant: OAuthGrant,
    /// Where tokens come from.
    pub token_url: Setting,
    /// The client.
    pub client_id: TextOrSecret,
    /// How it proves itself.
    pub proof: ProofRule,
    /// The scopes; when nothing is said, those that the operations in use need by the API's document.
    pub scopes: Option<Vec<String>>,
    /// Parameters of every token request.
    pub token_params: Params,
    /// Further parameters of a refresh.
    pub refresh_params: Params,
    /// What sets this provider apart. Its `revocation_url` is [`OAuth::revocation_url`].
    pub dialect: Dialect,
    /// Where tokens are revoked.
    pub revocation_url: Option<Setting>,
    /// Until when, and why, more scopes than are asked for may be used in production.
    pub waiver: Option<Waiver>,
    /// What is asked now and then to see whether the system takes the token.
    pub probe: Option<ProbeRule>,
}

/// An operation that reads, by which is seen whether a connection works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeRule {
    /// The operation's id.
    pub operation: String,
    /// Its arguments, an object.
    pub arguments: Value,
    /// How often it is asked.
    pub every: Duration,
}

/// How often a probe is asked when nothing is said, and how often at most.
const PROBE_EVERY: Duration = Duration::from_secs(5 * 60);
const PROBE_AT_MOST: Duration = Duration::from_secs(15);

/// Parameters of a request, by name.
pub type Params = Vec<(String, Setting)>;

/// The grants of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OAuthGrant {
    /// The client alone.
    ClientCredentials,
    /// A refresh token that somebody brought.
    RefreshToken(SecretRef),
    /// An account's holder consents.
    AuthorizationCode(Box<Consent>),
}

/// How an account's holder is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// The provider's page.
    pub authorization_url: Setting,
    /// Where it sends the holder back: this server's address with `/connect/callback`.
    pub redirect_uri: Setting,
    /// Further parameters.
    pub authorization_params: Params,
    /// Whether PKCE is used.
    pub pkce: bool,
    /// The provider's issuer.
    pub issuer: Option<Setting>,
    /// Where the account is asked for.
    pub userinfo_url: Option<Setting>,
    /// Where the account stands in that answer, or in that of the token endpoint.
    pub account: Option<String>,
}

/// How the client proves itself, as the file says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProofRule {
    /// Not at all.
    None,
    /// With its secret, as HTTP basic.
    Basic(SecretRef),
    /// With its secret, in the body.
    Post(SecretRef),
    /// With an assertion signed with its key.
    PrivateKey {
        /// The key, PEM.
        key: SecretRef,
        /// The key's id.
        id: Option<String>,
        /// How it signs.
        algorithm: SigningAlgorithm,
        /// To whom assertions are addressed.
        audience: Option<Setting>,
    },
}

impl OAuth {
    /// Reads what stands below the grant's key. `kind` is that key.
    pub(super) fn read(kind: &str, object: &mut ObjectReader<'_, '_>) -> Option<Self> {
        let connection = object.optional_parse("connection", connection_name);
        let grant = match kind {
            "oauth2_authorization_code" => {
                consent(object).map(Box::new).map(OAuthGrant::AuthorizationCode)
            }
            "oauth2_refresh_token" => secret(object, "refresh_token").map(OAuthGrant::RefreshToken),
            _ => Some(OAuthGrant::ClientCredentials),
        };
        let token_url = object.parse("token_url", Setting::parse);
        let client_id = object.parse("client_id", TextOrSecret::parse);
        let proof = proof(object);
        let scopes = object.has("scopes").then(|| sorted(object.strings("scopes")));
        let token_params = params(object, "token_params");
        let refresh_params = params(object, "refresh_params");
        let revocation_url = object.optional_parse("revocation_url", Setting::parse);
        let dialect = dialect(object);
        let waiver = object.optional_object("waiver").and_then(waiver);
        let probe = object.optional_object("probe").and_then(probe);
        Some(Self {
            connection,
            grant: grant?,
            token_url: token_url?,
            client_id: client_id?,
            proof: proof?,
            scopes,
            token_params,
            refresh_params,
            dialect,
            revocation_url,
            waiver,
            probe,
        })
    }

    /// The secrets that it needs.
    pub(super) fn secrets(&self) -> Vec<&SecretRef> {
        let mut secrets: Vec<&SecretRef> = self.client_id.secret().into_iter().collect();
        match &self.proof {
            ProofRule::None => {}
            ProofRule::Basic(secret) | ProofRule::Post(secret) => secrets.push(secret),
            ProofRule::PrivateKey { key, .. } => secrets.push(key),
        }
        if let OAuthGrant::RefreshToken(token) = &self.grant {
            secrets.push(token);
        }
        secrets
    }

    /// The variables that it needs.
    pub(super) fn variables(&self) -> Vec<&str> {
        let mut settings = vec![&self.token_url];
        settings.extend(&self.revocation_url);
        let params = self.token_params.iter().chain(&self.refresh_params);
        settings.extend(params.map(|(_, value)| value));
        if let ProofRule::PrivateKey { audience: Some(audience), .. } = &self.proof {
            settings.push(audience);
        }
        if let OAuthGrant::AuthorizationCode(consent) = &self.grant {
            settings.extend([&consent.authorization_url, &consent.redirect_uri]);
            settings.extend(consent.authorization_params.iter().map(|(_, value)| value));
            settings.extend(consent.issuer.iter().chain(&consent.userinfo_url));
        }
        let mut names: Vec<&str> = settings.into_iter().flat_map(Setting::variables).collect();
        names.extend(self.client_id.variables());
        names
    }
}

fn secret(object: &mut ObjectReader<'_, '_>, key: &'static str) -> Option<SecretRef> {
    let node = object.required(key)?;
    secret_field(object.reader(), key, node)
}

fn sorted(texts: Vec<(&Node, &str)>) -> Vec<String> {
    let mut scopes: Vec<String> = texts.into_iter().map(|(_, text)| text.to_owned()).collect();
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}

/// A name that can stand in an address and in a command.
fn connection_name(text: &str) -> Result<String, String> {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if text.is_empty() || text.len() > 63 || !text.bytes().all(legal) {
        return Err("a connection's name has up to 63 of a-z, 0-9 and `-`".to_owned());
    }
    Ok(text.to_owned())
}

/// A JSON Pointer (RFC 6901) that leads to a part of an answer.
pub(super) fn pointer(text: &str) -> Result<String, String> {
    if text.starts_with('/') {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` is not a JSON Pointer; it begins with `/`"))
}

fn params(object: &mut ObjectReader<'_, '_>, key: &'static str) -> Params {
    let (reader, entries): (_, &[(Key, Node)]) = (object.reader(), object.entries(key));
    let mut params = Params::new();
    for (name, node) in entries {
        let Some(text) = reader.text(node, "a parameter") else { continue };
        match Setting::parse(text) {
            Ok(setting) => params.push((name.name.to_string(), setting)),
            Err(message) => reader.invalid(node, message),
        }
    }
    params
}

fn proof(object: &mut ObjectReader<'_, '_>) -> Option<ProofRule> {
    let methods = [("basic", 0), ("post", 1), ("private_key_jwt", 2), ("none", 3)];
    match object.optional_choice("auth_method", &methods).unwrap_or(0) {
        0 => secret(object, "client_secret").map(ProofRule::Basic),
        1 => secret(object, "client_secret").map(ProofRule::Post),
        3 => Some(ProofRule::None),
        _ => {
            let algorithms = [
                ("RS256", SigningAlgorithm::Rs256),
                ("PS256", SigningAlgorithm::Ps256),
                ("ES256", SigningAlgorithm::Es256),
            ];
            let key = secret(object, "private_key");
            let id = object.optional_string("key_id").map(str::to_owned);
            let algorithm = object.optional_choice("signing_algorithm", &algorithms);
            let audience = object.optional_parse("assertion_audience", Setting::parse);
            let algorithm = algorithm.unwrap_or(SigningAlgorithm::Rs256);
            Some(ProofRule::PrivateKey { key: key?, id, algorithm, audience })
        }
    }
}

fn consent(object: &mut ObjectReader<'_, '_>) -> Option<Consent> {
    let authorization_url = object.parse("authorization_url", Setting::parse);
    let redirect_uri = object.parse("redirect_uri", |text| match Setting::parse(text) {
        Ok(_) if !text.ends_with("/connect/callback") => {
            Err("`redirect_uri` is this server's address with `/connect/callback`".to_owned())
        }
        read => read,
    });
    let authorization_params = params(object, "authorization_params");
    let pkce = object.optional_bool("pkce").unwrap_or(true);
    let issuer = object.optional_parse("issuer", Setting::parse);
    let userinfo_url = object.optional_parse("userinfo_url", Setting::parse);
    let account = object.optional_parse("account", pointer);
    Some(Consent {
        authorization_url: authorization_url?,
        redirect_uri: redirect_uri?,
        authorization_params,
        pkce,
        issuer,
        userinfo_url,
        account,
    })
}

fn dialect(object: &mut ObjectReader<'_, '_>) -> Dialect {
    let standard = Dialect::default();
    let bodies = [("form", BodyFormat::Form), ("json", BodyFormat::Json)];
    let units = [("seconds", Unit::Seconds), ("milliseconds", Unit::Milliseconds)];
    let body = object.optional_choice("body_format", &bodies).unwrap_or_default();
    let separator = object.optional_string("scope_separator").map(str::to_owned);
    let expires_in = object.optional_choice("expires_in_unit", &units).unwrap_or_default();
    let answer = object.optional_object("response").map(paths).unwrap_or_default();
    let mut words = BTreeMap::new();
    let reader = object.reader();
    for (key, node) in object.entries("errors") {
        let Some(text) = reader.text(node, "an error of the standard") else { continue };
        match Word::parse(text) {
            Some(word) => drop(words.insert(key.name.to_string(), word)),
            None => reader.invalid(node, format!("`{text}` is no error of RFC 6749")),
        }
    }
    let rotating = object.optional_bool("rotating").unwrap_or(false);
    let grace_node = object.optional("grace");
    let grace = object.optional_duration("grace").unwrap_or_default();
    if let (Some(node), false) = (grace_node, rotating) {
        reader
            .invalid(node, "`grace` says how long a replaced refresh token works; say `rotating`");
    }
    let rotation = if rotating {
        Rotation::Rotating { grace_ms: super::retry::milliseconds(grace) }
    } else {
        Rotation::Fixed
    };
    let scope_separator = separator.unwrap_or(standard.scope_separator);
    Dialect { body, scope_separator, answer, expires_in, words, rotation, revocation_url: None }
}

fn paths(mut object: ObjectReader<'_, '_>) -> AnswerPaths {
    let standard = AnswerPaths::default();
    let mut path = |key| object.optional_parse(key, pointer);
    let paths = AnswerPaths {
        access_token: path("access_token").unwrap_or(standard.access_token),
        refresh_token: path("refresh_token").unwrap_or(standard.refresh_token),
        expires_in: path("expires_in").unwrap_or(standard.expires_in),
        refresh_expires_in: path("refresh_expires_in").unwrap_or(standard.refresh_expires_in),
        scope: path("scope").unwrap_or(standard.scope),
        error: path("error").unwrap_or(standard.error),
    };
    object.finish();
    paths
}

fn probe(mut object: ObjectReader<'_, '_>) -> Option<ProbeRule> {
    let operation = object.string("operation").map(str::to_owned);
    let node = object.optional("arguments");
    let arguments = object.optional_object("arguments").map(|mut arguments| {
        drop(arguments.rest());
        arguments.finish();
        node.map_or(Value::Null, Node::to_value)
    });
    let node = object.optional("every");
    let every = object.optional_duration("every").unwrap_or(PROBE_EVERY);
    if let (Some(node), true) = (node, every < PROBE_AT_MOST) {
        object.reader().invalid(node, "`every` is at least 15s");
    }
    object.finish();
    let arguments = arguments.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    Some(ProbeRule { operation: operation?, arguments, every })
}

fn waiver(mut object: ObjectReader<'_, '_>) -> Option<Waiver> {
    let reason = object.string("reason").map(str::to_owned);
    let until = object.parse("until", |text| {
        let moment = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") };
        let parsed: Result<jiff::Timestamp, _> = moment.parse();
        parsed
            .map(|at| Timestamp::from_millis(at.as_millisecond()))
            .map_err(|_| format!("`{text}` is no date such as `2026-12-31`"))
    });
    object.finish();
    Some(Waiver { reason: reason?, until: until? })
}
