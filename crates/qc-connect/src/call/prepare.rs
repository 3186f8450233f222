use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use qc_contract::{BodyPlan, BodyValue, BuiltRequest, Mismatch};
use qc_model::{BlobValue, Class, Failure};
use qc_vault::Secret;
use qc_workflow::{CallRequest, Effect};
use serde_json::{Map, Value};

use super::{
    Outbound,
    body::{encode_body, plain_body},
    exchange::{Prepared, USER_AGENT, append_query},
    job::{Job, base},
    key,
    payload::Payload,
    substitute::{MASK, Masking, Substitution},
};
use crate::{
    codes,
    connector::{KeyFormat, KeyPlace},
};

/// Most mismatches that a failure lists.
const LISTED_MISMATCHES: usize = 5;

/// Headers that belong to the connection or to the client; a workflow cannot set them.
const RESERVED: [&str; 6] =
    ["connection", "content-length", "host", "te", "transfer-encoding", "upgrade"];

/// Tells another QuickConnect how long the chain is that ends at it.
const HOPS: HeaderName = HeaderName::from_static("qc-hops");

/// What a plain HTTP call says.
#[derive(Clone, Copy)]
pub(super) struct PlainRequest<'a> {
    pub(super) method: &'a str,
    pub(super) endpoint: &'a str,
    pub(super) headers: &'a Value,
    pub(super) query: &'a Value,
    pub(super) body: Option<&'a Value>,
}

/// The key of a call, where and as it is sent.
struct PlacedKey {
    place: KeyPlace,
    text: String,
}

/// The arguments of an operation, with secrets and key filled in.
pub(super) struct Filled {
    pub(super) arguments: Value,
    /// With `***` in place of secrets, when there are any.
    pub(super) masked: Option<Value>,
    /// Values of secrets in the arguments.
    pub(super) exposed: Vec<Secret>,
}

impl Outbound {
    /// Fills secrets and key into the arguments of an operation.
    pub(super) fn filled(
        &self,
        job: &Job<'_>,
        call: &CallRequest,
        arguments: &Value,
    ) -> Result<Filled, Box<Failure>> {
        let substitution =
            Substitution::new(&self.secrets, &job.scope.name, job.effect, call.secrets);
        let mut arguments = arguments.clone();
        if let Some(PlacedKey { place: KeyPlace::Body(name), text }) = placed_key(job, call) {
            insert_in_body(&mut arguments, &name, &text);
        }
        let masked = Masking(call.secrets).value(&arguments);
        if masked.is_some() {
            substitution.value_in_place(&mut arguments)?;
        }
        Ok(Filled { arguments, masked, exposed: substitution.exposed() })
    }

    /// A plain HTTP request.
    pub(super) fn prepare_plain(
        &self,
        job: &Job<'_>,
        call: &CallRequest,
        plain: PlainRequest<'_>,
    ) -> Result<Prepared, Box<Failure>> {
        let substitution =
            Substitution::new(&self.secrets, &job.scope.name, job.effect, call.secrets);
        let method = Method::from_bytes(plain.method.as_bytes())
            .map_err(|_| unsendable("the method is not one of HTTP"))?;
        let mask = Masking(call.secrets);
        let url =
            plain_address(&substitution.address(plain.endpoint)?, plain.query, &substitution)?;
        let shown_url = shown_address(plain, mask);
        let mut headers = HeaderMap::new();
        let mut shown_headers = HeaderMap::new();
        for (name, value) in plain_headers(plain.headers)? {
            let text = substitution.text(&value)?;
            insert_text(&mut headers, &name, &text)?;
            insert_text(&mut shown_headers, &name, &mask.text(&value))?;
        }
        let body = match plain.body {
            None => Payload::default(),
            Some(body) => {
                let mut body = body.clone();
                substitution.value_in_place(&mut body)?;
                plain_body(&mut headers, &body, &job.effect.key)?
            }
        };
        let exposed = substitution.exposed();
        let shown_headers = (!exposed.is_empty()).then_some(shown_headers);
        let mut request =
            Prepared { method, url, shown_url, headers, shown_headers, body, exposed };
        let key = placed_key(job, call);
        complete(&mut request, job, key)?;
        Ok(request)
    }
}

/// A request of an operation, from its arguments.
pub(super) fn built(
    job: &Job<'_>,
    call: &CallRequest,
    filled: Filled,
) -> Result<Prepared, Box<Failure>> {
    let (Some(api), Some(operation)) = (job.api, job.operation) else {
        return Err(unsendable("the call names no operation"));
    };
    let base = &base(job)?;
    let Filled { arguments, masked, exposed } = filled;
    let built = api.build(operation, &arguments).map_err(|found| invalid(job, &found))?;
    let (url, mut headers) = (address(base, &built), header_map(&built.headers)?);
    let body = encode_body(&mut headers, built.body, &job.effect.key)?;
    let (mut shown_url, mut shown_headers) = (url.clone(), None);
    if let Some(masked) = masked {
        // Masked values may not fit the schemas; then the path's template is what is shown.
        let shown = api.build(operation, &masked).ok();
        shown_url = match &shown {
            Some(shown) => address(base, shown).replace("%2A%2A%2A", MASK),
            None => format!("{base}{}", operation.path),
        };
        shown_headers = shown.and_then(|shown| header_map(&shown.headers).ok());
        shown_headers.get_or_insert_with(HeaderMap::new);
    }
    let method = Method::from_bytes(built.method.as_str().as_bytes())
        .map_err(|_| unsendable("the method is not one of HTTP"))?;
    let mut request = Prepared { method, url, shown_url, headers, shown_headers, body, exposed };
    complete(&mut request, job, placed_key(job, call))?;
    Ok(request)
}

/// The JSON of an operation's body, held against the contract, when a request of it says nothing else.
pub(super) fn bare_body(job: &Job<'_>, filled: &Filled) -> Result<Option<Value>, Box<Failure>> {
    let (Some(api), Some(operation)) = (job.api, job.operation) else { return Ok(None) };
    let built = api.build(operation, &filled.arguments).map_err(|found| invalid(job, &found))?;
    let bare = built.query.is_empty() && built.query_text.is_none() && built.headers.is_empty();
    Ok(match built.body {
        Some(BodyPlan { value: BodyValue::Json(value), .. }) if bare => Some(value),
        _ => None,
    })
}

/// What every request carries, and the key.
fn complete(
    request: &mut Prepared,
    job: &Job<'_>,
    key: Option<PlacedKey>,
) -> Result<(), Box<Failure>> {
    if !request.url.starts_with("https://") && !request.url.starts_with("http://") {
        return Err(unsendable("the address does not begin with https:// or http://"));
    }
    let authority =
        request.url.split("://").nth(1).and_then(|rest| rest.split(['/', '?', '#']).next());
    if authority.is_some_and(|authority| authority.contains('@')) {
        // It would be shown and stored with the address.
        return Err(unsendable(
            "an address holds no user and password; use the task's authentication",
        ));
    }
    let headers = &mut request.headers;
    headers
        .entry(header::ACCEPT)
        .or_insert(HeaderValue::from_static("application/json, */*;q=0.5"));
    headers.entry(header::USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT));
    if let Ok(value) = HeaderValue::from_str(&job.effect.traceparent)
        && !value.is_empty()
    {
        headers.insert(HeaderName::from_static("traceparent"), value);
    }
    if job.effect.hops > 0 {
        headers.insert(HOPS, job.effect.hops.into());
    }
    match key {
        Some(PlacedKey { place: KeyPlace::Header(name), text }) => {
            insert_text(headers, name.as_str(), &text)?;
        }
        Some(PlacedKey { place: KeyPlace::Query(name), text }) => {
            append_query(&mut request.url, &name, &text);
            append_query(&mut request.shown_url, &name, &text);
        }
        Some(PlacedKey { place: KeyPlace::Body(_), .. }) | None => {}
    }
    Ok(())
}

/// Where the connector says that the key goes. A call that is keyed by the integration's word alone has it in
/// `Idempotency-Key`, the header of the IETF's draft.
fn placed_key(job: &Job<'_>, call: &CallRequest) -> Option<PlacedKey> {
    if job.effect.key.is_empty() {
        return None;
    }
    let rule = job
        .connector
        .zip(job.operation)
        .and_then(|(connector, operation)| connector.declared_effect(&operation.id)?.key.as_ref());
    match rule {
        Some(rule) => Some(PlacedKey {
            place: rule.place.clone(),
            text: key::written(&job.effect.key, rule.format),
        }),
        None if call.effect == Effect::Keyed => Some(PlacedKey {
            place: KeyPlace::Header(HeaderName::from_static("idempotency-key")),
            text: key::written(&job.effect.key, KeyFormat::Raw),
        }),
        None => None,
    }
}

fn insert_in_body(arguments: &mut Value, name: &str, text: &str) {
    if arguments.is_null() {
        *arguments = Value::Object(Map::new());
    }
    let Some(map) = arguments.as_object_mut() else { return };
    match map.get_mut("body") {
        // The bytes of a blob have no fields.
        Some(body) if BlobValue::of(body).is_some() => {}
        Some(Value::Object(body)) => drop(body.insert(name.to_owned(), text.into())),
        Some(_) => {}
        None => drop(map.insert(name.to_owned(), text.into())),
    }
}

fn invalid(job: &Job<'_>, found: &[Mismatch]) -> Box<Failure> {
    let mut texts: Vec<String> =
        found.iter().take(LISTED_MISMATCHES).map(ToString::to_string).collect();
    if found.len() > texts.len() {
        texts.push(format!("{} more", found.len() - texts.len()));
    }
    let operation = job.operation.map(|operation| &*operation.id).unwrap_or_default();
    let detail = format!("`{}.{operation}`: {}", job.label, texts.join("; "));
    Box::new(Failure::new(
        Class::Invalid,
        codes::INVALID_REQUEST,
        "The arguments of a call break the contract",
        detail,
    ))
}

pub(super) fn unsendable(detail: &str) -> Box<Failure> {
    Box::new(Failure::new(Class::Invalid, codes::UNSENDABLE, "The request cannot be sent", detail))
}

fn address(base: &str, built: &BuiltRequest) -> String {
    let mut url = format!("{base}{}", built.path);
    for (name, value) in &built.query {
        append_query(&mut url, name, value);
    }
    if let Some(text) = &built.query_text {
        url.push('?');
        url.extend(url::form_urlencoded::byte_serialize(text.as_bytes()));
        url = url.replace('+', "%20");
    }
    url
}

fn header_map(pairs: &[(String, String)]) -> Result<HeaderMap, Box<Failure>> {
    let mut headers = HeaderMap::with_capacity(pairs.len() + 6);
    for (name, value) in pairs {
        insert_text(&mut headers, name, value)?;
    }
    Ok(headers)
}

fn insert_text(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), Box<Failure>> {
    let name: HeaderName =
        name.parse().map_err(|_| unsendable(&format!("`{name}` is not a header's name")))?;
    if RESERVED.contains(&name.as_str()) {
        return Err(unsendable(&format!("the header `{name}` is set by the client itself")));
    }
    let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| {
        unsendable(&format!(
            "the value of the header `{name}` has a line break or control character"
        ))
    })?;
    headers.insert(name, value);
    Ok(())
}

pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

fn plain_headers(headers: &Value) -> Result<Vec<(String, String)>, Box<Failure>> {
    let mut pairs = Vec::new();
    let Value::Object(fields) = headers else {
        return if headers.is_null() {
            Ok(pairs)
        } else {
            Err(unsendable("`headers` is not an object"))
        };
    };
    for (name, value) in fields {
        if value.is_null() {
            continue;
        }
        let text = scalar(value)
            .ok_or_else(|| unsendable(&format!("the header `{name}` is not a text")))?;
        pairs.push((name.clone(), text));
    }
    Ok(pairs)
}

/// Query parameters one by one; a list gives its parameter several times.
pub(super) fn query_pairs(query: &Value) -> Result<Vec<(&str, String)>, Box<Failure>> {
    let mut pairs = Vec::new();
    let Value::Object(fields) = query else {
        return if query.is_null() {
            Ok(pairs)
        } else {
            Err(unsendable("`query` is not an object"))
        };
    };
    let wrong = |name: &str| unsendable(&format!("the query parameter `{name}` is not a scalar"));
    for (name, value) in fields {
        match value {
            Value::Null => {}
            Value::Array(items) => {
                for item in items {
                    pairs.push((name.as_str(), scalar(item).ok_or_else(|| wrong(name))?));
                }
            }
            other => pairs.push((name.as_str(), scalar(other).ok_or_else(|| wrong(name))?)),
        }
    }
    Ok(pairs)
}

fn plain_address(
    endpoint: &str,
    query: &Value,
    substitution: &Substitution<'_>,
) -> Result<String, Box<Failure>> {
    let mut url = endpoint.to_owned();
    for (name, value) in query_pairs(query)? {
        append_query(&mut url, name, &substitution.text(&value)?);
    }
    Ok(url)
}

fn shown_address(plain: PlainRequest<'_>, mask: Masking) -> String {
    let mut url = mask.address(plain.endpoint);
    for (name, value) in query_pairs(plain.query).unwrap_or_default() {
        append_query(&mut url, name, &mask.text(&value));
    }
    url.replace("%2A%2A%2A", MASK)
}
