//! `auth.login`: credentials are exchanged for a token that is sent with each call until it ends.

use std::time::Duration;

use http::{HeaderName, Method};
use qc_document::ObjectReader;
use qc_vault::SecretRef;

use super::setting::{Setting, TextOrSecret};

/// A login whose answer's token goes with the calls that follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginRule {
    /// Where.
    pub url: Setting,
    /// `POST`, or `PUT`.
    pub method: Method,
    /// The fields of the body; a name with dots is one of an object within.
    pub body: Vec<(String, TextOrSecret)>,
    /// Whether the body is a form and not JSON.
    pub form: bool,
    /// Further header fields.
    pub headers: Vec<(HeaderName, TextOrSecret)>,
    /// Where the token stands in the answer.
    pub token: LoginToken,
    /// Where the answer says for how many seconds it lives: a JSON Pointer (RFC 6901).
    pub expires_in: Option<String>,
    /// How long it lives when the answer does not say.
    pub ttl: Duration,
    /// How it is sent.
    pub place: LoginPlace,
}

/// Where a login's token stands in the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginToken {
    /// In the body: a JSON Pointer (RFC 6901).
    Body(String),
    /// In a cookie that the answer sets (RFC 6265).
    Cookie(String),
}

/// How a login's token is sent. The template holds `{token}` once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginPlace {
    /// In a header field.
    Header {
        /// The field.
        name: HeaderName,
        /// Its value.
        template: String,
    },
    /// In a cookie.
    Cookie {
        /// The cookie.
        name: String,
        /// Its value.
        template: String,
    },
}

/// What stands for the token in a template.
const MARK: &str = "{token}";
/// How long a token lives when nothing says it.
const TTL: Duration = Duration::from_secs(15 * 60);
/// The longest that can be said.
const TTL_MAX: Duration = Duration::from_secs(24 * 3600);

impl LoginRule {
    pub(super) fn read(object: &mut ObjectReader<'_, '_>) -> Option<Self> {
        let url = object.parse("url", Setting::parse);
        let methods = [("POST", Method::POST), ("PUT", Method::PUT)];
        let method = object.optional_choice("method", &methods).unwrap_or(Method::POST);
        let body = fields(object, "body", |name| Ok(name.to_owned()));
        let formats = [("json", false), ("form", true)];
        let form = object.optional_choice("body_format", &formats).unwrap_or(false);
        let headers = fields(object, "headers", |name| {
            name.parse().map_err(|_| format!("`{name}` is not a header's name"))
        });
        let token = object.exactly_one(&["token", "token_cookie"]).and_then(|(key, node)| {
            let text = object.reader().text(node, &format!("`{key}`"))?;
            if key == "token_cookie" {
                return Some(LoginToken::Cookie(text.to_owned()));
            }
            match super::oauth::pointer(text) {
                Ok(pointer) => Some(LoginToken::Body(pointer)),
                Err(message) => {
                    object.reader().invalid(node, message);
                    None
                }
            }
        });
        let expires_in = object.optional_parse("expires_in", super::oauth::pointer);
        let node = object.optional("ttl");
        let ttl = object.optional_duration("ttl").unwrap_or(TTL);
        if let Some(node) = node.filter(|_| ttl.is_zero() || ttl > TTL_MAX) {
            object.reader().invalid(node, "`ttl` is more than 0 and at most 24h");
        }
        let place = object.exactly_one(&["header", "cookie"]).and_then(|(key, node)| {
            let reader = object.reader();
            place(key, &mut reader.object(node, &format!("`auth.login.{key}`"))?)
        });
        Some(Self {
            url: url?,
            method,
            body: body?,
            form,
            headers: headers?,
            token: token?,
            expires_in,
            ttl,
            place: place?,
        })
    }

    /// The secrets that it needs.
    pub(super) fn secrets(&self) -> Vec<&SecretRef> {
        self.values().filter_map(TextOrSecret::secret).collect()
    }

    /// The variables that it needs.
    pub(super) fn variables(&self) -> Vec<&str> {
        self.url.variables().chain(self.values().flat_map(TextOrSecret::variables)).collect()
    }

    fn values(&self) -> impl Iterator<Item = &TextOrSecret> {
        let body = self.body.iter().map(|(_, value)| value);
        body.chain(self.headers.iter().map(|(_, value)| value))
    }
}

impl LoginPlace {
    /// What is sent for this token.
    pub fn filled(&self, token: &str) -> String {
        match self {
            Self::Header { template, .. } => template.replace(MARK, token),
            Self::Cookie { name, template } => format!("{name}={}", template.replace(MARK, token)),
        }
    }
}

fn fields<T>(
    object: &mut ObjectReader<'_, '_>,
    key: &'static str,
    named: impl Fn(&str) -> Result<T, String>,
) -> Option<Vec<(T, TextOrSecret)>> {
    let (reader, entries) = (object.reader(), object.entries(key));
    let mut fields = Vec::new();
    let mut whole = true;
    for (name, node) in entries {
        let text = reader.text(node, &format!("a value of `{key}`"));
        let read =
            text.map(|text| Ok::<_, String>((named(&name.name)?, TextOrSecret::parse(text)?)));
        match read {
            Some(Ok(field)) => fields.push(field),
            Some(Err(message)) => {
                reader.invalid(node, message);
                whole = false;
            }
            None => whole = false,
        }
    }
    whole.then_some(fields)
}

fn place(key: &str, object: &mut ObjectReader<'_, '_>) -> Option<LoginPlace> {
    let name_node = object.optional("name");
    let name = object.string("name");
    let node = object.optional("value");
    let template = object.optional_string("value").unwrap_or(MARK).to_owned();
    let reader = object.reader();
    if template.matches(MARK).count() != 1
        && let Some(node) = node
    {
        reader.invalid(node, "`value` has `{token}` once");
    }
    let name = name?;
    if key == "cookie" {
        return Some(LoginPlace::Cookie { name: name.to_owned(), template });
    }
    match (name.parse(), name_node) {
        (Ok(name), _) => Some(LoginPlace::Header { name, template }),
        (Err(_), Some(node)) => {
            reader.invalid(node, "`name` is not a header's name");
            None
        }
        (Err(_), None) => None,
    }
}
