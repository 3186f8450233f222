use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, Method, header};
use qc_model::{Body, OutboundRequest, Reach};
use qc_vault::Secret;
use serde_json::{Map, Value};
use std::time::Duration;
use url::form_urlencoded;

use super::assertion;
use crate::provider::{BodyFormat, ClientProof, Grant};

/// What tokens are asked for with.
#[derive(Debug, Clone, Copy)]
pub enum Purpose<'a> {
    /// The client alone.
    Client,
    /// A refresh token.
    Refresh(&'a Secret),
    /// A code that came back from the provider, with the verifier of its challenge.
    Code {
        /// The code.
        code: &'a Secret,
        /// Where the provider sent the holder back, as in the authorization request.
        redirect_uri: &'a str,
        /// The verifier (RFC 7636); None without PKCE.
        verifier: Option<&'a Secret>,
    },
}

/// The circumstances of a request: what the pure part cannot know.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// How we name ourselves.
    pub user_agent: &'a str,
    /// How long it may take.
    pub timeout: Duration,
    /// Seconds since the Unix epoch, for assertions.
    pub now_secs: i64,
    /// Never used before, for assertions.
    pub unique: &'a str,
}

/// Why a request cannot be made. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    /// A credential holds a character that no header can carry.
    #[error("the client's credentials hold a character that no header can carry")]
    Header,
    /// The client's key is of no use.
    #[error("the client's private key cannot sign: {0}")]
    Key(String),
}

/// A request to the token endpoint.
pub fn token_request(
    grant: &Grant,
    purpose: Purpose<'_>,
    asking: Asking<'_>,
) -> Result<OutboundRequest, Unsendable> {
    let mut fields = Vec::new();
    let mut field = |name: &str, value: &str| fields.push((name.to_owned(), value.to_owned()));
    let scope = grant.scopes.join(&grant.dialect.scope_separator);
    match purpose {
        Purpose::Client => {
            field("grant_type", "client_credentials");
            if !scope.is_empty() {
                field("scope", &scope);
            }
        }
        Purpose::Refresh(token) => {
            field("grant_type", "refresh_token");
            field("refresh_token", token.expose());
        }
        Purpose::Code { code, redirect_uri, verifier } => {
            field("grant_type", "authorization_code");
            field("code", code.expose());
            field("redirect_uri", redirect_uri);
            if let Some(verifier) = verifier {
                field("code_verifier", verifier.expose());
            }
        }
    }
    fields.extend(grant.token_params.iter().cloned());
    if matches!(purpose, Purpose::Refresh(_)) {
        fields.extend(grant.refresh_params.iter().cloned());
    }
    request(grant, &grant.token_url, fields, asking)
}

/// A request that revokes a token (RFC 7009); None where the provider has no such address.
pub fn revocation(
    grant: &Grant,
    token: &Secret,
    asking: Asking<'_>,
) -> Result<Option<OutboundRequest>, Unsendable> {
    let Some(url) = &grant.dialect.revocation_url else { return Ok(None) };
    request(grant, url, vec![("token".to_owned(), token.expose().to_owned())], asking).map(Some)
}

fn request(
    grant: &Grant,
    url: &str,
    mut fields: Vec<(String, String)>,
    asking: Asking<'_>,
) -> Result<OutboundRequest, Unsendable> {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    let agent = HeaderValue::from_str(asking.user_agent).map_err(|_| Unsendable::Header)?;
    headers.insert(header::USER_AGENT, agent);
    let mut field = |name: &str, value: &str| fields.push((name.to_owned(), value.to_owned()));
    match &grant.proof {
        ClientProof::None => field("client_id", &grant.client_id),
        ClientProof::Post(secret) => {
            field("client_id", &grant.client_id);
            field("client_secret", secret.expose());
        }
        ClientProof::Basic(secret) => {
            headers.insert(header::AUTHORIZATION, basic(&grant.client_id, secret)?);
        }
        ClientProof::PrivateKey(key) => {
            let assertion = assertion::signed(grant, key, asking)?;
            field("client_id", &grant.client_id);
            field("client_assertion_type", assertion::TYPE);
            field("client_assertion", &assertion);
        }
    }
    let (media_type, body) = match grant.dialect.body {
        BodyFormat::Form => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.extend_pairs(&fields);
            ("application/x-www-form-urlencoded", form.finish())
        }
        BodyFormat::Json => {
            let fields = fields.into_iter().map(|(name, value)| (name, Value::String(value)));
            ("application/json", Value::Object(fields.collect::<Map<_, _>>()).to_string())
        }
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    Ok(OutboundRequest {
        method: Method::POST,
        url: url.to_owned(),
        headers,
        body: Body::Bytes(body.into_bytes().into()),
        timeout: asking.timeout,
        connect_timeout: None,
        reach: Reach::Anywhere,
        identity: grant.identity.clone(),
    })
}

/// RFC 6749, section 2.3.1: both parts are form-encoded before they are joined.
fn basic(client_id: &str, secret: &Secret) -> Result<HeaderValue, Unsendable> {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(client_id), encode(secret.expose()));
    let text = format!("Basic {}", STANDARD.encode(pair));
    let mut value = HeaderValue::from_str(&text).map_err(|_| Unsendable::Header)?;
    value.set_sensitive(true);
    Ok(value)
}
