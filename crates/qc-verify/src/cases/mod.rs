//! The cases of an operation: what is sent, and what the description says to that.

mod body;
mod doors;
mod malformed;
mod parameters;
mod request;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use bytes::Bytes;
use qc_contract::{
    Content, Direction, OpenApi, Operation, Parameter, ParameterLocation, SecurityScheme,
};
use qc_model::Place;
use serde_json::{Map, Value, json};

use crate::credentials::{Credentials, Sign};
use crate::wire::{Wire, essence, is_json};

use request::admits;
pub(crate) use request::{changed, mismatches};

/// What a case is about; the order is the one in which cases are kept when there are too many.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// A request that the description admits.
    Valid,
    /// Without credentials, or with bad ones.
    Security,
    /// A body that is no document of its media type.
    Malformed,
    /// A field of the body that the description rules out.
    Body,
    /// A parameter that the description rules out.
    Parameter,
    /// A path, method or resource that is not there.
    Absent,
}

impl Kind {
    /// As reports write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Security => "security",
            Self::Malformed => "malformed",
            Self::Body => "body",
            Self::Parameter => "parameter",
            Self::Absent => "absent",
        }
    }
}

/// What must come of a case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Expects {
    /// Success, as described.
    Accepted,
    /// A described 4xx.
    Refused,
    /// Success or a 4xx: standards leave it open.
    Tolerated,
    /// 401 or 403.
    Denied {
        /// Whether a 401 must carry a challenge.
        challenge: bool,
    },
    /// 404, or 410.
    Missing,
    /// Nothing is offered at this path with this method.
    Unrouted,
}

impl Expects {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Accepted => "a described success",
            Self::Refused => "a described refusal (4xx)",
            Self::Tolerated => "a described success or refusal, and no failure of the server",
            Self::Denied { .. } => "401 or 403",
            Self::Missing => "404 or 410",
            Self::Unrouted => "404 or 405",
        }
    }
}

/// How a case's request differs from the valid one of its operation.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Nothing,
    /// These arguments instead.
    Arguments(Map<String, Value>),
    /// This value as the body, in the body's own media type.
    Body(Value),
    Raw {
        body: Bytes,
        media_type: Option<String>,
    },
    /// A parameter's text; `None` leaves it out.
    Parameter {
        location: ParameterLocation,
        name: String,
        text: Option<String>,
    },
    Method(&'static str),
    /// A path that the description does not have.
    Elsewhere(String),
}

/// One case.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Stable as long as the operation's name and the place are.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// JSON Pointer in the description.
    pub(crate) pointer: String,
    pub(crate) place: Place,
    pub(crate) change: Change,
    pub(crate) sign: Sign,
    pub(crate) expects: Expects,
}

/// Something that was not tried, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotTried {
    /// The operation's id, or nothing when it is about all.
    pub operation: String,
    /// What.
    pub what: String,
    /// Why not.
    pub why: String,
}

/// The cases of one operation.
pub(crate) struct Cases {
    /// The valid request from which the others differ.
    pub(crate) wire: Wire,
    pub(crate) all: Vec<Case>,
    pub(crate) not_tried: Vec<NotTried>,
    /// How many there would have been.
    pub(crate) possible: usize,
}

/// A valid request of an operation as arguments of [`OpenApi::build`].
pub(crate) fn basis(api: &OpenApi, operation: &Operation, seed: u64) -> Map<String, Value> {
    let mut arguments = Map::new();
    for parameter in operation.parameters.iter().filter(|parameter| parameter.required) {
        arguments.insert(argument(parameter), sampled(api, parameter, seed));
    }
    if let Some(content) = body_content(operation) {
        arguments.insert("body".to_owned(), sampled_body(api, content, seed));
    }
    arguments
}

pub(crate) fn argument(parameter: &Parameter) -> String {
    format!("{}.{}", parameter.location.as_str(), parameter.name)
}

pub(crate) fn sampled(api: &OpenApi, parameter: &Parameter, seed: u64) -> Value {
    match &parameter.schema {
        Some(schema) => api.sample(schema, Direction::Request, seed),
        None => json!("any"),
    }
}

/// The content that [`OpenApi::build`] chooses: JSON, a form, multipart, text, in this order.
pub(crate) fn body_content(operation: &Operation) -> Option<&Content> {
    let body = operation.request_body.as_ref()?;
    let rank = |content: &&Content| match essence(&content.media_type).as_str() {
        media_type if is_json(media_type) => 0,
        "*/*" | "application/*" => 0,
        "application/x-www-form-urlencoded" => 1,
        media_type if media_type.starts_with("multipart/") => 2,
        media_type if media_type.starts_with("text/") || media_type.ends_with("xml") => 3,
        _ => 4,
    };
    body.content.iter().min_by_key(rank)
}

fn sampled_body(api: &OpenApi, content: &Content, seed: u64) -> Value {
    match &content.schema {
        Some(schema) => {
            let value = api.sample(schema, Direction::Request, seed);
            let has_fields = is_json(&content.media_type) || content.media_type.contains("form");
            if has_fields || value.is_string() { value } else { Value::String(value.to_string()) }
        }
        None if is_json(&content.media_type) => json!({}),
        None => json!("qc"),
    }
}

/// What makes cases for one operation.
pub(super) struct Maker<'a> {
    pub(super) api: &'a OpenApi,
    pub(super) operation: &'a Operation,
    pub(super) credentials: &'a Credentials,
    pub(super) seed: u64,
    pub(super) basis: Map<String, Value>,
    /// The valid request, with sampled path parameters.
    pub(super) wire: Wire,
    cases: Vec<Case>,
    not_tried: Vec<NotTried>,
    ids: HashSet<String>,
}

/// All cases of an operation, at most `limit` of them: of each kind as many as fit, valid ones first.
pub(crate) fn cases_of(
    api: &OpenApi,
    operation: &Operation,
    credentials: &Credentials,
    seed: u64,
    limit: usize,
) -> Cases {
    if issues_tokens(api, operation) {
        let not_tried = NotTried {
            operation: operation.id.to_string(),
            what: "the whole operation".to_owned(),
            why: "it issues tokens, and is protected by the credentials of a client".to_owned(),
        };
        let wire = Wire::bare(operation.method.as_str(), "/");
        return Cases { wire, all: Vec::new(), not_tried: vec![not_tried], possible: 0 };
    }
    let basis = basis(api, operation, seed);
    let built = api.build(operation, &Value::Object(basis.clone()));
    let wire = match built {
        Ok(built) => Wire::of(&built),
        Err(mismatches) => {
            let why = mismatches.first().map(ToString::to_string).unwrap_or_default();
            let not_tried = NotTried {
                operation: operation.id.to_string(),
                what: "the whole operation".to_owned(),
                why: format!("no valid request could be made: {why}"),
            };
            let wire = Wire::bare(operation.method.as_str(), "/");
            return Cases { wire, all: Vec::new(), not_tried: vec![not_tried], possible: 0 };
        }
    };
    let mut maker = Maker {
        api,
        operation,
        credentials,
        seed,
        basis,
        wire,
        cases: Vec::new(),
        not_tried: Vec::new(),
        ids: HashSet::new(),
    };
    maker.valid();
    maker.security();
    maker.malformed();
    maker.body();
    maker.parameters();
    maker.absent();
    let first_of_path = api.operations().iter().find(|known| known.path == operation.path);
    if first_of_path.is_some_and(|first| first.id == operation.id) {
        maker.method();
    }
    if api.operations().first().is_some_and(|first| first.id == operation.id) {
        maker.elsewhere();
    }
    let Maker { mut cases, not_tried, wire, .. } = maker;
    let possible = cases.len();
    if possible > limit {
        cases = fair(cases, limit);
    }
    Cases { wire, all: cases, not_tried, possible }
}

/// Whether an operation is the token endpoint of a scheme of the description.
fn issues_tokens(api: &OpenApi, operation: &Operation) -> bool {
    api.security_schemes().iter().any(|(_, scheme)| {
        let SecurityScheme::OAuth2 { flows } = scheme else { return false };
        let urls = flows.iter().filter_map(|flow| flow.token_url.as_deref());
        operation.method.as_str() == "POST"
            && urls.map(|url| url.trim_end_matches('/')).any(|url| url.ends_with(&*operation.path))
    })
}

/// As many of each kind as the others leave room for, in their order.
fn fair(cases: Vec<Case>, limit: usize) -> Vec<Case> {
    let mut by_kind: Vec<(Kind, Vec<usize>)> = Vec::new();
    for (at, case) in cases.iter().enumerate() {
        match by_kind.iter_mut().find(|(kind, _)| *kind == case.kind) {
            Some((_, all)) => all.push(at),
            None => by_kind.push((case.kind, vec![at])),
        }
    }
    by_kind.sort_by_key(|(kind, _)| *kind);
    let mut kept = HashSet::new();
    let mut round = 0;
    while kept.len() < limit {
        let before = kept.len();
        for (_, all) in &by_kind {
            if let Some(at) = all.get(round)
                && kept.len() < limit
            {
                kept.insert(*at);
            }
        }
        if kept.len() == before {
            break;
        }
        round += 1;
    }
    let numbered = cases.into_iter().enumerate();
    numbered.filter(|(at, _)| kept.contains(at)).map(|(_, case)| case).collect()
}

/// A case before it has its place.
pub(super) struct Plan {
    pub(super) slug: String,
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) change: Change,
    pub(super) sign: Sign,
    pub(super) expects: Expects,
}

impl Maker<'_> {
    pub(super) fn add(&mut self, plan: Plan) {
        let (pointer, place) =
            (self.operation.pointer().to_owned(), self.api.place(self.operation));
        self.add_at(plan, pointer, place);
    }

    pub(super) fn add_at(&mut self, plan: Plan, pointer: String, place: Place) {
        let first = format!("{}/{}", self.operation.id, plan.slug);
        let mut id = first.clone();
        let mut turn = 1;
        while !self.ids.insert(id.clone()) {
            turn += 1;
            id = format!("{first}-{turn}");
        }
        let Plan { name, kind, change, sign, expects, .. } = plan;
        self.cases.push(Case { id, name, kind, pointer, place, change, sign, expects });
    }

    pub(super) fn skip(&mut self, what: impl Into<String>, why: impl Into<String>) {
        let operation = self.operation.id.to_string();
        self.not_tried.push(NotTried { operation, what: what.into(), why: why.into() });
    }

    pub(super) fn valid_plan(
        slug: impl Into<String>,
        name: impl Into<String>,
        change: Change,
    ) -> Plan {
        Plan {
            slug: slug.into(),
            name: name.into(),
            kind: Kind::Valid,
            change,
            sign: Sign::Valid,
            expects: Expects::Accepted,
        }
    }

    /// Whether the description admits a request.
    pub(super) fn admits(&self, wire: &Wire) -> bool {
        admits(self.api, self.operation, wire)
    }

    /// The request of a change, with the sampled path.
    pub(super) fn changed(&self, change: &Change) -> Option<Wire> {
        changed(self.api, self.operation, &self.wire, change, &Map::new())
    }
}
