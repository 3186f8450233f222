//! Logins whose token goes with the calls that follow: what is sent, and what the answer gives.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use qc_model::{Body, Class, ClientIdentity, Failure, OutboundRequest, Reach, Timestamp};
use qc_vault::Secret;
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::{
    credentials::sensitive,
    exchange::USER_AGENT,
    token::{Token, shown},
};
use crate::{
    codes,
    connector::{LoginRule, LoginToken},
};

/// No token is used for longer, whatever its login says.
const LONGEST_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// A login, everything resolved.
pub(super) struct LoginClient {
    pub(super) environment: String,
    pub(super) connector: String,
    pub(super) url: String,
    pub(super) method: Method,
    pub(super) form: bool,
    pub(super) body: Vec<(String, Secret)>,
    pub(super) headers: Vec<(HeaderName, Secret)>,
    pub(super) token: LoginToken,
    pub(super) expires_in: Option<String>,
    pub(super) ttl: Duration,
    pub(super) identity: Option<ClientIdentity>,
}

impl LoginClient {
    /// From what the file says and these values, in the order of the file.
    pub(super) fn new(
        rule: &LoginRule,
        (environment, connector): (&str, &str),
        url: String,
        (body, headers): (Vec<Secret>, Vec<Secret>),
        identity: Option<ClientIdentity>,
    ) -> Self {
        let names = rule.body.iter().map(|(name, _)| name.clone());
        let fields = rule.headers.iter().map(|(name, _)| name.clone());
        Self {
            environment: environment.to_owned(),
            connector: connector.to_owned(),
            url,
            method: rule.method.clone(),
            form: rule.form,
            body: names.zip(body).collect(),
            headers: fields.zip(headers).collect(),
            token: rule.token.clone(),
            expires_in: rule.expires_in.clone(),
            ttl: rule.ttl,
            identity,
        }
    }

    /// What makes two logins the same for a token.
    pub(super) fn key(&self) -> Vec<String> {
        vec!["login".to_owned(), self.environment.clone(), self.connector.clone(), self.url.clone()]
    }

    /// What it proves itself with.
    pub(super) fn proof(&self) -> Vec<Secret> {
        let headers = self.headers.iter().map(|(_, value)| value.clone());
        self.body.iter().map(|(_, value)| value.clone()).chain(headers).collect()
    }

    pub(super) fn request(
        &self,
        timeout: Duration,
        connect: Option<Duration>,
    ) -> Result<OutboundRequest, Box<Failure>> {
        let mut headers = HeaderMap::with_capacity(3 + self.headers.len());
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        let (media_type, body) = if self.form {
            let mut form = form_urlencoded::Serializer::new(String::new());
            for (name, value) in &self.body {
                form.append_pair(name, value.expose());
            }
            ("application/x-www-form-urlencoded", form.finish())
        } else {
            ("application/json", nested(&self.body).to_string())
        };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        for (name, value) in &self.headers {
            headers.insert(name.clone(), sensitive(value.expose())?);
        }
        Ok(OutboundRequest {
            method: self.method.clone(),
            url: self.url.clone(),
            headers,
            body: Body::Bytes(body.into_bytes().into()),
            timeout,
            connect_timeout: connect,
            reach: Reach::Anywhere,
            identity: self.identity.clone(),
        })
    }

    /// The token of an answer.
    pub(super) fn token(
        &self,
        headers: &HeaderMap,
        body: &Value,
        asked_at: Timestamp,
    ) -> Result<Token, Box<Failure>> {
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let value = match &self.token {
            LoginToken::Body(path) => body.pointer(path).and_then(text),
            LoginToken::Cookie(name) => set_cookie(headers, name),
        };
        let Some(value) = value.filter(|text| !text.is_empty()) else {
            let detail = format!("the login at `{}` answered without a token", shown(&self.url));
            let title = "No usable answer of a login";
            return Err(Box::new(Failure::new(
                Class::Transient,
                codes::TOKEN_UNAVAILABLE,
                title,
                detail,
            )));
        };
        let stated = self.expires_in.as_deref().and_then(|path| body.pointer(path));
        let seconds = stated.and_then(text).and_then(|text| text.trim().parse::<f64>().ok());
        let life = seconds
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .unwrap_or(self.ttl)
            .min(LONGEST_LIFETIME);
        Ok(Token::new(Secret::new(value), asked_at, life))
    }

    /// The failure of a login that was turned away.
    pub(super) fn refusal(&self, status: u16, stated: Option<Duration>) -> Failure {
        let detail = format!("the login at `{}` answered {status}", shown(&self.url));
        if matches!(status, 400 | 401 | 403 | 422) {
            let title = "The login was refused";
            let mut failure = Failure::new(Class::Auth, codes::TOKEN_REFUSED, title, detail);
            failure.next_action = qc_model::NextAction::ContactOwner;
            return failure;
        }
        super::token::away(status, detail, stated)
    }
}

/// An object of these fields, those with dots within others.
fn nested(fields: &[(String, Secret)]) -> Value {
    let mut whole = Map::new();
    for (name, value) in fields {
        let mut at = &mut whole;
        let mut parts: Vec<&str> = name.split('.').collect();
        let last = parts.pop().unwrap_or_default();
        for part in parts {
            let inner = at.entry(part).or_insert_with(|| Value::Object(Map::new()));
            if !inner.is_object() {
                *inner = Value::Object(Map::new());
            }
            let Value::Object(inner) = inner else { unreachable!("it was made one") };
            at = inner;
        }
        at.insert(last.to_owned(), Value::String(value.expose().to_owned()));
    }
    Value::Object(whole)
}

/// The value of a cookie that an answer sets (RFC 6265, section 5.2).
fn set_cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::SET_COOKIE).iter();
    all.filter_map(|value| value.to_str().ok()).find_map(|text| {
        let (found, value) = text.split(';').next()?.split_once('=')?;
        (found.trim() == name).then(|| value.trim().trim_matches('"').to_owned())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_with_dots_stand_within_others() {
        let fields = [("user", "u"), ("auth.password", "p"), ("auth.kind.name", "k")];
        let fields = fields.map(|(name, value)| (name.to_owned(), Secret::new(value)));
        let whole = json!({"user": "u", "auth": {"password": "p", "kind": {"name": "k"}}});
        assert_eq!(nested(&fields), whole);
    }

    #[test]
    fn the_cookie_is_the_one_that_is_named() {
        let mut headers = HeaderMap::new();
        for text in ["other=1; Path=/", "sid=\"abc\"; HttpOnly"] {
            headers.append(header::SET_COOKIE, text.parse().unwrap());
        }
        assert_eq!(set_cookie(&headers, "sid").as_deref(), Some("abc"));
        assert_eq!(set_cookie(&headers, "none"), None);
    }
}
