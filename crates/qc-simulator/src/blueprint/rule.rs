//! Which paths hold resources, and how those are made and listed.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Map, Value, json};

use super::route::Parameters;
use crate::auth::Scheme;
use crate::exchange::SimResponse;
use crate::problem::ErrorShapes;
use crate::spec::IdPattern;

/// One operation, ready to be performed.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) id: Arc<str>,
    pub(crate) method: Method,
    pub(crate) role: Role,
    pub(crate) success: Success,
    pub(crate) errors: ErrorShapes,
    pub(crate) security: Vec<Vec<Scheme>>,
    /// Whether it honours idempotency keys.
    pub(crate) takes_key: bool,
    /// Its index in the document; `None` for a token endpoint that the document does not list.
    pub(crate) listed: Option<usize>,
}

impl Operation {
    /// Whether performing it has an effect, going by its method.
    pub(crate) fn changes(&self) -> bool {
        !self.method.is_safe()
    }
}

/// What an operation does to resources.
#[derive(Debug)]
pub(crate) enum Role {
    Token,
    Create(Arc<CollectionRule>),
    List(Box<Listing>),
    Read(Arc<CollectionRule>),
    Put(Arc<CollectionRule>),
    Patch(Arc<CollectionRule>),
    Delete(Arc<CollectionRule>),
    /// Answers a sample of the declared response.
    Sample,
}

impl Role {
    pub(crate) fn rule(&self) -> Option<&CollectionRule> {
        match self {
            Self::Create(rule)
            | Self::Read(rule)
            | Self::Put(rule)
            | Self::Patch(rule)
            | Self::Delete(rule) => Some(rule),
            Self::List(listing) => Some(&listing.rule),
            Self::Token | Self::Sample => None,
        }
    }
}

/// A path that holds resources.
#[derive(Debug)]
pub(crate) struct CollectionRule {
    /// Such as `/issues/{issue_id}/comments`.
    pub(crate) template: String,
    /// The path parameter that names one resource of it.
    pub(crate) item_parameter: Option<String>,
    pub(crate) id_field: String,
    pub(crate) id_is_integer: bool,
    pub(crate) pattern: IdPattern,
    /// The collection above, when the provider itself makes its resources.
    pub(crate) parent: Option<Arc<CollectionRule>>,
    /// The fields that a resource has when nobody set them.
    pub(crate) blank: Map<String, Value>,
    /// Fields that hold the time of creation, and of the last change.
    pub(crate) created: Vec<String>,
    pub(crate) updated: Vec<String>,
    /// Path parameters that are fields too.
    pub(crate) placed: Vec<String>,
    /// Fields to find resources by.
    pub(crate) indexed: Vec<String>,
}

impl CollectionRule {
    /// The concrete path under which the resources are kept.
    pub(crate) fn path(&self, parameters: &Parameters) -> String {
        let mut path = String::with_capacity(self.template.len() + 16);
        for segment in self.template.split('/').skip(1) {
            path.push('/');
            let name = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            match name.and_then(|name| parameters.get(name)) {
                // A slash inside a value must not look like a level of the path.
                Some(value) => path.push_str(&value.replace('/', "%2F")),
                None => path.push_str(segment),
            }
        }
        path
    }

    /// The id of the resource that a path names.
    pub(crate) fn item_id(&self, parameters: &Parameters) -> String {
        let name = self.item_parameter.as_deref();
        name.and_then(|name| parameters.get(name)).unwrap_or_default().to_owned()
    }

    pub(crate) fn id_value(&self, id: &str) -> Value {
        match id.parse::<u64>() {
            Ok(number) if self.id_is_integer => json!(number),
            _ => json!(id),
        }
    }

    /// Copies the path's parameters into the fields of the same name.
    pub(crate) fn place_parameters(
        &self,
        resource: &mut Map<String, Value>,
        parameters: &Parameters,
    ) {
        for name in &self.placed {
            if let Some(value) = parameters.get(name) {
                resource.insert(name.clone(), json!(value));
            }
        }
    }
}

/// How a collection is listed.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) rule: Arc<CollectionRule>,
    /// The object around the items; `None` for a bare array.
    pub(crate) wrapper: Option<Wrapper>,
    /// Query parameters that filter by the field of the same name.
    pub(crate) filters: Vec<String>,
    pub(crate) limit: Option<String>,
    pub(crate) cursor: Option<String>,
    pub(crate) offset: Option<String>,
    pub(crate) page: Option<String>,
    pub(crate) default_limit: usize,
    pub(crate) max_limit: usize,
    /// The declared fields of an item.
    pub(crate) fields: BTreeSet<String>,
}

impl Listing {
    pub(crate) fn shown(&self, item: &Value) -> Value {
        restricted(item, &self.fields)
    }
}

/// The object in which a list comes.
#[derive(Debug)]
pub(crate) struct Wrapper {
    pub(crate) items: String,
    /// Its further fields.
    pub(crate) fields: Vec<String>,
    /// Samples of those that are required.
    pub(crate) blank: Map<String, Value>,
}

/// The declared success of an operation.
#[derive(Debug)]
pub(crate) struct Success {
    pub(crate) status: StatusCode,
    /// All declared success statuses.
    pub(crate) statuses: Vec<u16>,
    /// `None`: an answer without a body.
    pub(crate) media_type: Option<HeaderValue>,
    pub(crate) sample: Value,
    /// The declared fields of the body.
    pub(crate) fields: BTreeSet<String>,
}

impl Success {
    /// The answer that shows a resource, or the sample when there is none.
    pub(crate) fn answer(
        &self,
        resource: Option<&Value>,
        status: StatusCode,
        location: Option<&str>,
    ) -> SimResponse {
        let answer = match resource {
            Some(resource) => self.body_answer(status, &restricted(resource, &self.fields)),
            None => self.body_answer(status, &self.sample),
        };
        match location {
            Some(location) => answer.with_header(header::LOCATION, location),
            None => answer,
        }
    }

    /// The answer with a body, where the document declares one.
    pub(crate) fn body_answer(&self, status: StatusCode, body: &Value) -> SimResponse {
        let Some(media_type) = &self.media_type else { return SimResponse::empty(status) };
        if status == StatusCode::NO_CONTENT {
            return SimResponse::empty(status);
        }
        let is_json = media_type.to_str().is_ok_and(qc_contract::is_json);
        let bytes_as = |media_type: HeaderValue, bytes: Vec<u8>| {
            let mut answer = SimResponse::empty(status);
            answer.headers.insert(header::CONTENT_TYPE, media_type);
            answer.body = bytes.into();
            answer
        };
        match (body, bytes_of(body)) {
            (Value::String(text), _) if !is_json => {
                bytes_as(media_type.clone(), text.clone().into_bytes())
            }
            (_, Some(bytes)) if !is_json => {
                let own = body.get("mediaType").and_then(Value::as_str);
                let own = own.and_then(|text| HeaderValue::from_str(text).ok());
                bytes_as(own.unwrap_or_else(|| media_type.clone()), bytes)
            }
            _ => SimResponse::json_as(status, media_type.clone(), body),
        }
    }

    /// 201 for a new resource where that is declared.
    pub(crate) fn status_of_put(&self, fresh: bool) -> StatusCode {
        match (fresh, self.statuses.contains(&201)) {
            (true, true) => StatusCode::CREATED,
            (false, true) if self.status == StatusCode::CREATED => self
                .statuses
                .iter()
                .find(|status| **status != 201)
                .and_then(|status| StatusCode::from_u16(*status).ok())
                .unwrap_or(self.status),
            _ => self.status,
        }
    }
}

/// The bytes of a resource that is a file: `{base64: …}`, with `mediaType` as it likes.
fn bytes_of(resource: &Value) -> Option<Vec<u8>> {
    STANDARD.decode(resource.get("base64")?.as_str()?).ok()
}

/// Only the declared fields; everything where none are declared.
fn restricted(resource: &Value, fields: &BTreeSet<String>) -> Value {
    match resource {
        Value::Object(map) if !fields.is_empty() => {
            let kept = map.iter().filter(|(name, _)| fields.contains(*name));
            Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
        }
        other => other.clone(),
    }
}
