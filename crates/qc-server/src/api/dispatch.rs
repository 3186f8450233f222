use std::sync::Arc;

use axum::{
    Router,
    extract::{RawPathParams, RawQuery, Request},
    routing::{MethodFilter, on},
};
use http::{HeaderName, HeaderValue, Method, Response, header};
use percent_encoding::percent_decode_str;
use qc_vault::Secret;
use url::form_urlencoded;

use super::{Call, Place, ROUTES, Route, VERSION, call::bad_parameter};
use crate::{
    Problem, State,
    asker::{Asker, Sent},
    body, codes,
    identity::presented,
    service::RequestId,
};

const API_VERSION: HeaderName = HeaderName::from_static("quickconnect-version");

type Answered = Response<axum::body::Body>;

/// The router over all routes.
pub(crate) fn router(state: &Arc<State>) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let shared = Arc::clone(state);
        let filter = MethodFilter::try_from(route.method.clone()).expect("a standard method");
        let handler = move |path: RawPathParams, RawQuery(query): RawQuery, request: Request| {
            let state = Arc::clone(&shared);
            async move { answer(route, state, path, query, request).await }
        };
        router = router.route(route.path, on(filter, handler));
    }
    router.fallback(no_route).method_not_allowed_fallback(no_method)
}

async fn no_route(request: Request) -> Answered {
    let detail = "there is no such address; `/api/v1/openapi.json` lists the API's";
    refuse(
        Problem::new(404, codes::NO_ROUTE, "No such address", detail),
        id_of(&request).as_deref(),
    )
}

async fn no_method(request: Request) -> Answered {
    let path = request.uri().path().to_owned();
    let mut methods: Vec<&str> = ROUTES
        .iter()
        .filter(|route| fits(route.path, &path))
        .map(|route| route.method.as_str())
        .collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    let allow = methods.join(", ");
    let detail = format!("this address takes {allow}");
    let problem = Problem::new(405, codes::ROUTE_METHOD, "Method not allowed", detail)
        .header(header::ALLOW, &allow);
    refuse(problem, id_of(&request).as_deref())
}

fn fits(pattern: &str, path: &str) -> bool {
    pattern.split('/').count() == path.split('/').count()
        && pattern.split('/').zip(path.split('/')).all(|(p, s)| p == s || p.starts_with('{'))
}

fn id_of(request: &Request) -> Option<String> {
    request.extensions().get::<RequestId>().map(|id| id.0.clone())
}

fn refuse(problem: Problem, id: Option<&str>) -> Answered {
    problem.into_response(id).map(axum::body::Body::new)
}

async fn answer(
    route: &'static Route,
    state: Arc<State>,
    path: RawPathParams,
    query: Option<String>,
    request: Request,
) -> Answered {
    let id = id_of(&request);
    let limit = state.settings.operation_timeout;
    let doing = handle(route, Arc::clone(&state), path, query, request);
    let result = tokio::time::timeout(limit, doing).await.unwrap_or_else(|_| {
        let detail = "the operation took too long and was given up; it may have taken effect";
        Err(Problem::new(504, codes::TOO_SLOW, "Too slow", detail))
    });
    let mut response = match result {
        Ok(response) => response,
        Err(problem) => refuse(problem, id.as_deref()),
    };
    response.headers_mut().insert(API_VERSION, HeaderValue::from_static(VERSION));
    state.metrics.request(route.id, response.status().as_u16());
    response
}

async fn handle(
    route: &'static Route,
    state: Arc<State>,
    path: RawPathParams,
    query: Option<String>,
    request: Request,
) -> Result<Answered, Problem> {
    let text = presented(&state, request.headers(), route.changes())?;
    let text = text.ok_or_else(Problem::no_token)?;
    let from = request.extensions().get::<Sent>().cloned();
    let from = from.unwrap_or_else(|| Sent { request: String::new(), address: None });
    let principal = state.authenticate(text, &from).await?;
    let credential = Secret::new(text);
    let asker = state.asker(principal, from).await?;
    let result = go_on(route, &state, (&asker, credential), path, query, request).await;
    if let Err(problem) = &result
        && (route.changes() || problem.denied.is_some())
    {
        state.tell_refusal(&asker.actor(route.action), route.id, problem).await;
    }
    result
}

/// Does the operation for somebody who is known.
async fn go_on(
    route: &'static Route,
    state: &Arc<State>,
    (asker, credential): (&Asker, Secret),
    path: RawPathParams,
    query: Option<String>,
    request: Request,
) -> Result<Answered, Problem> {
    let (parts, body) = request.into_parts();
    if !state.access.ever(&asker.principal, route.action) {
        return Err(asker.refuse(route.action, qc_access::Denial::Role, None));
    }
    if let Some(version) = parts.headers.get(API_VERSION)
        && version.as_bytes() != VERSION.as_bytes()
    {
        return Err(bad_parameter(
            "QuickConnect-Version",
            &format!("this server speaks {VERSION}"),
        ));
    }
    let query = parameters(route, query.as_deref().unwrap_or_default())?;
    let takes_body = route.body.is_some();
    let limit = if takes_body { state.settings.api_body_limit } else { 0 };
    let patience = state.settings.body_timeout;
    let body = body::read(body, &parts.headers, limit, patience).await?;
    if takes_body && parts.method == Method::POST && !body.is_empty() {
        let json = parts.headers.get(header::CONTENT_TYPE).is_some_and(|value| {
            let essence = value.as_bytes().split(|b| *b == b';').next().unwrap_or_default();
            essence.trim_ascii().eq_ignore_ascii_case(b"application/json")
        });
        let mut codings = parts.headers.get_all(header::CONTENT_ENCODING).iter();
        if codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
            let detail = "the body has a `Content-Encoding`; send it without compression";
            return Err(Problem::new(415, codes::BODY_ENCODING, "Encoded body", detail));
        }
        if !json {
            let detail = "send the body as `Content-Type: application/json`";
            return Err(Problem::new(415, codes::BAD_BODY, "Media type", detail));
        }
    }
    let path = path.iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
    let (state, asker) = (Arc::clone(state), asker.clone());
    let call = Call { state, asker, credential, route, path, query, body };
    (route.handler)(call).await.map(super::Reply::into_response)
}

/// The query's parameters; a name that the route does not know is refused, as a filter that is silently ignored lies.
fn parameters(route: &Route, query: &str) -> Result<Vec<(String, String)>, Problem> {
    if percent_decode_str(query).decode_utf8().is_err() {
        return Err(bad_parameter("query", "it is not percent-encoded UTF-8"));
    }
    let pairs: Vec<(String, String)> =
        form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    for (at, (name, _)) in pairs.iter().enumerate() {
        let known = route.parameters.iter().any(|p| p.place == Place::Query && p.name == name);
        let shown: String = name.chars().take(40).collect();
        if !known {
            return Err(bad_parameter(&shown, "this operation has no such parameter"));
        }
        if pairs[..at].iter().any(|(earlier, _)| earlier == name) {
            return Err(bad_parameter(&shown, "it stands twice"));
        }
    }
    Ok(pairs)
}
