use base64::{Engine, engine::general_purpose::STANDARD};
use qc_vault::Secret;
use url::form_urlencoded;

use crate::OauthError;

/// The most parameters of a form.
const PARAMETERS: usize = 30;

/// The parameters of a request to an OAuth endpoint. Each stands once (RFC 6749, section 3.2).
#[derive(Debug, Default)]
pub struct Form(Vec<(String, Secret)>);

impl Form {
    /// Reads `application/x-www-form-urlencoded`.
    pub fn parse(body: &[u8]) -> Result<Self, OauthError> {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(body).into_owned() {
            if form.get(&name).is_some() {
                return Err(OauthError::request("a parameter stands twice"));
            }
            if form.0.len() >= PARAMETERS {
                return Err(OauthError::request("there are too many parameters"));
            }
            form.0.push((name, Secret::new(value)));
        }
        Ok(form)
    }

    /// The parameter; an empty one counts as none.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.expose()).filter(|value| !value.is_empty())
    }
}

/// How a client proves who it is.
#[derive(Debug)]
pub(crate) enum Proof {
    Secret { client: String, secret: Secret },
    Assertion(Secret),
}

/// The media type of assertions (RFC 7523).
pub(crate) const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl Proof {
    /// Finds the one proof in a request; `basic` is what stands behind `Basic ` in its `Authorization`.
    pub(crate) fn of(form: &Form, basic: Option<&str>) -> Result<Self, OauthError> {
        let posted = form.get("client_secret");
        let assertion = form.get("client_assertion");
        if [basic.is_some(), posted.is_some(), assertion.is_some()].iter().filter(|it| **it).count()
            > 1
        {
            return Err(OauthError::request("a client proves who it is in one way, not in two"));
        }
        if let Some(basic) = basic {
            return Self::basic(basic)
                .ok_or_else(|| OauthError::client("the `Authorization` field cannot be read"));
        }
        if let Some(text) = assertion {
            if form.get("client_assertion_type") != Some(ASSERTION) {
                return Err(OauthError::request(format!("`client_assertion_type` is {ASSERTION}")));
            }
            return Ok(Self::Assertion(Secret::new(text)));
        }
        match (form.get("client_id"), posted) {
            (Some(client), Some(secret)) => {
                Ok(Self::Secret { client: client.to_owned(), secret: Secret::new(secret) })
            }
            _ => Err(OauthError::client(
                "a client proves who it is: by HTTP Basic, by `client_id` and `client_secret`, or by `client_assertion`",
            )),
        }
    }

    /// Both halves are form-encoded within the base64 (RFC 6749, section 2.3.1).
    fn basic(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.trim()).ok()?;
        let text = Secret::new(String::from_utf8(bytes).ok()?);
        let (client, secret) = text.expose().split_once(':')?;
        let plain = |half: &str| {
            let line = format!("x={half}");
            form_urlencoded::parse(line.as_bytes()).next().map(|(_, value)| value.into_owned())
        };
        Some(Self::Secret { client: plain(client)?, secret: Secret::new(plain(secret)?) })
    }
}
