//! The target of a call, with everything in it evaluated.

use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::{evaluate::kind_of, fault::Fault, frame::FrameId, step::Step, view::Sight};
use crate::{
    Authentication, CallTarget,
    program::{Call, Credentials, Endpoint, Part, Shape, Target, Wording},
};

/// Everything but the unreserved characters of RFC 3986 section 2.3.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Step<'_> {
    pub(super) fn target(
        &self,
        id: FrameId,
        call: &Call,
        input: &Value,
    ) -> Result<CallTarget, Fault> {
        let output = call.output;
        Ok(match &call.target {
            Target::Connector { connector, operation, arguments } => CallTarget::Connector {
                connector: connector.clone(),
                operation: operation.clone(),
                arguments: self.object(id, arguments.as_ref(), input, "with")?,
                output,
            },
            Target::OpenApi { document, operation, arguments, authentication, redirect } => {
                CallTarget::OpenApi {
                    document: document.clone(),
                    operation: operation.clone(),
                    arguments: self.object(id, arguments.as_ref(), input, "parameters")?,
                    authentication: self.credentials(id, authentication.as_ref(), input)?,
                    output,
                    redirect: *redirect,
                }
            }
            Target::Kept { deed, place, arguments } => CallTarget::Kept {
                deed: *deed,
                place: place.clone(),
                arguments: self.object(id, arguments.as_ref(), input, "with")?,
            },
            Target::Human { ask, arguments } => CallTarget::Human {
                ask: *ask,
                arguments: self.object(id, arguments.as_ref(), input, "with")?,
            },
            Target::Http { method, endpoint, headers, query, body, authentication, redirect } => {
                let body = match body {
                    Some(shape) => {
                        let value = self.form(id, shape, input, Sight::default(), "body")?;
                        Some(Arc::unwrap_or_clone(value))
                    }
                    None => None,
                };
                let headers = self.object(id, headers.as_ref(), input, "headers")?;
                let query = self.object(id, query.as_ref(), input, "query")?;
                CallTarget::Http {
                    method: method.clone(),
                    endpoint: self.address(id, endpoint, input)?,
                    headers: self.fields(id, headers, "headers", false)?,
                    query: self.fields(id, query, "query", true)?,
                    body,
                    authentication: self.credentials(id, authentication.as_ref(), input)?,
                    output,
                    redirect: *redirect,
                }
            }
        })
    }

    /// A shape that must give an object; nothing is an empty one.
    fn object(
        &self,
        id: FrameId,
        shape: Option<&Shape>,
        input: &Value,
        what: &str,
    ) -> Result<Value, Fault> {
        let Some(shape) = shape else { return Ok(Value::Object(Map::new())) };
        let value = self.form(id, shape, input, Sight::default(), what)?;
        if value.is_object() {
            return Ok(Arc::unwrap_or_clone(value));
        }
        let detail = format!("`{what}` must be an object, but is {}", kind_of(&value));
        Err(self.arguments_fault(id, detail))
    }

    /// Header fields or query parameters: scalars as text; null leaves one out.
    fn fields(&self, id: FrameId, value: Value, what: &str, lists: bool) -> Result<Value, Fault> {
        let Value::Object(fields) = value else { return Ok(value) };
        let mut whole = Map::new();
        for (name, value) in fields {
            let value = match value {
                Value::Null => continue,
                Value::Array(items) if lists => {
                    let texts: Option<Vec<Value>> =
                        items.iter().map(|item| scalar(item).map(Value::String)).collect();
                    texts.map(Value::Array)
                }
                other => scalar(&other).map(Value::String),
            };
            let Some(value) = value else {
                let detail = format!("`{name}` in `{what}` must be a text, a number or a boolean");
                return Err(self.arguments_fault(id, detail));
            };
            whole.insert(name, value);
        }
        Ok(Value::Object(whole))
    }

    fn address(&self, id: FrameId, endpoint: &Endpoint, input: &Value) -> Result<String, Fault> {
        match endpoint {
            Endpoint::Expression(expr) => {
                let value = self.evaluate(id, expr, input, Sight::default(), "endpoint")?;
                let absolute = value.as_str().filter(|text| {
                    let lower = text.get(..8).unwrap_or(text).to_ascii_lowercase();
                    lower.starts_with("http://") || lower.starts_with("https://")
                });
                absolute.map(str::to_owned).ok_or_else(|| {
                    let detail = "`endpoint` must give an absolute `http` or `https` address";
                    self.arguments_fault(id, detail.to_owned())
                })
            }
            Endpoint::Template(parts) => {
                let mut address = String::new();
                for part in parts {
                    match part {
                        Part::Literal(text) => address.push_str(text),
                        Part::Variable(name) => {
                            let Some(text) = input.get(name).and_then(scalar) else {
                                let detail = format!(
                                    "`{{{name}}}` in the endpoint needs a text, a number or a \
                                     boolean in the field `{name}` of the task's input"
                                );
                                return Err(self.arguments_fault(id, detail));
                            };
                            address.extend(utf8_percent_encode(&text, ENCODED));
                        }
                    }
                }
                Ok(address)
            }
        }
    }

    fn credentials(
        &self,
        id: FrameId,
        credentials: Option<&Credentials>,
        input: &Value,
    ) -> Result<Option<Authentication>, Fault> {
        let Some(credentials) = credentials else { return Ok(None) };
        let word = |wording: &Wording, what: &str| {
            let text = self.word(id, wording, input, what)?;
            if text.is_empty() {
                return Err(self.arguments_fault(id, format!("`{what}` is empty")));
            }
            Ok(text.into_owned())
        };
        let words = |wordings: &[Wording], what: &str| {
            wordings.iter().map(|wording| word(wording, what)).collect::<Result<Vec<_>, _>>()
        };
        Ok(Some(match credentials {
            Credentials::Basic { username, password } => Authentication::Basic {
                username: word(username, "username")?,
                password: word(password, "password")?,
            },
            Credentials::Bearer { token } => {
                Authentication::Bearer { token: word(token, "token")? }
            }
            Credentials::Secret { of, secret } => {
                Authentication::Secret { of: *of, secret: secret.clone() }
            }
            Credentials::OAuth2 {
                authority,
                token_path,
                client_id,
                client_secret,
                client_authentication,
                scopes,
                audiences,
            } => {
                let authority = self.address(id, authority, input)?;
                let path = token_path.trim_start_matches('/');
                Authentication::OAuth2ClientCredentials {
                    token_url: format!("{}/{path}", authority.trim_end_matches('/')),
                    client_id: word(client_id, "client.id")?,
                    client_secret: word(client_secret, "client.secret")?,
                    client_authentication: *client_authentication,
                    scopes: words(scopes, "scopes")?,
                    audiences: words(audiences, "audiences")?,
                }
            }
        }))
    }
}

/// A text, number or truth value as text.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}
