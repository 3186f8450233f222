//! OpenAPI 3.x.

use std::sync::Arc;

use qc_document::Node;

use super::reading::{Reading, derived_id, flag, security, shared_text, text};
use crate::documents::At;
use crate::model::{
    Callback, Content, Header, Method, OAuthFlow, Operation, Parameter, ParameterLocation,
    RequestBody, Response, SecurityScheme, Server, Style,
};

pub(super) fn operations(reading: &mut Reading<'_, '_>) -> Vec<Operation> {
    let items = reading.paths();
    of_items(reading, items, Sent::ByCallers)
}

/// What the API sends to whoever subscribed outside of it.
pub(super) fn webhooks(reading: &mut Reading<'_, '_>) -> Vec<Operation> {
    let at = At { file: 0, pointer: "/webhooks".to_owned() };
    let all = reading.documents.root().get("webhooks").and_then(Node::as_mapping);
    let mut items = Vec::new();
    for (key, item) in all.unwrap_or_default() {
        if let Some((at, item)) = reading.follow(at.child(&key.name), item) {
            items.push((Arc::clone(&key.name), at, item));
        }
    }
    of_items(reading, items, Sent::ByTheApi)
}

/// Who sends the requests of an operation. What the API sends itself has no paths to check and no callbacks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    ByCallers,
    ByTheApi,
}

fn of_items<'d>(
    reading: &mut Reading<'d, '_>,
    items: Vec<(Arc<str>, At, &'d Node)>,
    sent: Sent,
) -> Vec<Operation> {
    let all_servers = servers(reading.documents.root());
    let mut operations = Vec::new();
    for (path, item_at, item) in items {
        let shared = parameters(reading, &item_at, item);
        let item_servers = servers(item);
        for (method, at, node) in reading.methods(&item_at, item) {
            let own = parameters(reading, &at, node);
            let mut operation = operation(reading, method, &path, &at, node);
            operation.parameters = Reading::merged(shared.clone(), own);
            reading.check_query(&at, &operation.parameters);
            let lists = [servers(node), item_servers.clone(), all_servers.clone()];
            operation.servers = lists.into_iter().find(|list| !list.is_empty()).unwrap_or_default();
            if sent == Sent::ByCallers {
                operation.callbacks = callbacks(reading, &at, node);
                reading.check_path(&operation);
            }
            operations.push(operation);
        }
    }
    operations
}

fn operation<'d>(
    reading: &mut Reading<'d, '_>,
    method: Method,
    path: &Arc<str>,
    at: &At,
    node: &'d Node,
) -> Operation {
    let id = text(node, "operationId").filter(|id| !id.is_empty());
    let requirements = node.get("security").or_else(|| reading.documents.root().get("security"));
    Operation {
        derived_id: id.is_none(),
        id: id.unwrap_or_else(|| derived_id(method, path)),
        method,
        path: Arc::clone(path),
        summary: text(node, "summary"),
        deprecated: flag(node, "deprecated"),
        tags: tags(node),
        parameters: Vec::new(),
        request_body: request_body(reading, at, node),
        responses: responses(reading, at, node),
        security: requirements.map(security).unwrap_or_default(),
        servers: Vec::new(),
        callbacks: Vec::new(),
        file: at.file,
        pointer: Arc::from(at.pointer.as_str()),
    }
}

fn callbacks<'d>(reading: &mut Reading<'d, '_>, at: &At, node: &'d Node) -> Vec<Callback> {
    let at = at.child("callbacks");
    let mut callbacks = Vec::new();
    for (key, callback) in node.get("callbacks").and_then(Node::as_mapping).unwrap_or_default() {
        let Some((at, callback)) = reading.follow(at.child(&key.name), callback) else { continue };
        let mut items = Vec::new();
        for (expression, item) in callback.as_mapping().unwrap_or_default() {
            if expression.name.starts_with("x-") {
                continue;
            }
            if let Some((at, item)) = reading.follow(at.child(&expression.name), item) {
                items.push((Arc::clone(&expression.name), at, item));
            }
        }
        let operations = of_items(reading, items, Sent::ByTheApi);
        callbacks.push(Callback { name: Arc::clone(&key.name), operations });
    }
    callbacks
}

pub(super) fn tags(node: &Node) -> Vec<Arc<str>> {
    let tags = node.get("tags").and_then(Node::as_sequence).unwrap_or_default();
    tags.iter().filter_map(shared_text).collect()
}

pub(super) fn servers(node: &Node) -> Vec<Server> {
    let servers = node.get("servers").and_then(Node::as_sequence).unwrap_or_default();
    let server = |server: &Node| {
        let variables = server.get("variables").and_then(Node::as_mapping).unwrap_or_default();
        let variables = variables.iter().filter_map(|(name, variable)| {
            Some((Arc::clone(&name.name), text(variable, "default")?))
        });
        Some(Server { url: text(server, "url")?, variables: variables.collect() })
    };
    servers.iter().filter_map(server).collect()
}

fn parameters<'d>(reading: &mut Reading<'d, '_>, at: &At, node: &'d Node) -> Vec<Parameter> {
    let at = at.child("parameters");
    let list = node.get("parameters").and_then(Node::as_sequence).unwrap_or_default();
    let mut parameters = Vec::new();
    for (index, item) in list.iter().enumerate() {
        if let Some((at, node)) = reading.follow(at.child(&index.to_string()), item)
            && let Some(parameter) = parameter(reading, at, node)
        {
            parameters.push(parameter);
        }
    }
    parameters
}

fn parameter<'d>(reading: &mut Reading<'d, '_>, at: At, node: &'d Node) -> Option<Parameter> {
    let Some(name) = text(node, "name") else {
        reading.malformed(&at, "a parameter needs `name`");
        return None;
    };
    let location = match node.get("in").and_then(Node::as_str) {
        Some("path") => ParameterLocation::Path,
        Some("query") => ParameterLocation::Query,
        Some("header") => ParameterLocation::Header,
        Some("cookie") => ParameterLocation::Cookie,
        Some("querystring") => ParameterLocation::Querystring,
        _ => {
            let message =
                "`in` of a parameter must be `path`, `query`, `header`, `cookie` or `querystring`";
            reading.malformed(&at, message);
            return None;
        }
    };
    // The standard says that these three are ignored as parameters; they are set by the caller's machinery.
    let reserved = ["accept", "content-type", "authorization"];
    if location == ParameterLocation::Header && reserved.contains(&&*name.to_ascii_lowercase()) {
        return None;
    }
    let style = match node.get("style").and_then(Node::as_str) {
        Some("simple") => Style::Simple,
        Some("label") => Style::Label,
        Some("matrix") => Style::Matrix,
        Some("form") => Style::Form,
        Some("spaceDelimited") => Style::SpaceDelimited,
        Some("pipeDelimited") => Style::PipeDelimited,
        Some("deepObject") => Style::DeepObject,
        Some(other) => {
            reading.malformed(&at, format!("`{other}` is no style of parameters"));
            default_style(location)
        }
        None => default_style(location),
    };
    let explode = node.get("explode").and_then(Node::as_bool).unwrap_or(style == Style::Form);
    let content = contents(reading, &at, node).into_iter().next();
    let media_type = content.as_ref().map(|content| Arc::clone(&content.media_type));
    if location == ParameterLocation::Querystring && media_type.is_none() {
        let message = "a parameter `in: querystring` needs `content`, which says how all of the query is written";
        reading.malformed(&at, message);
        return None;
    }
    let schema = match content {
        Some(content) => content.schema,
        None => node.get("schema").map(|_| Reading::schema_at(at.child("schema"))),
    };
    Some(Parameter {
        name,
        location,
        required: flag(node, "required") || location == ParameterLocation::Path,
        deprecated: flag(node, "deprecated"),
        style,
        explode,
        allow_reserved: flag(node, "allowReserved"),
        schema,
        media_type,
        at,
    })
}

pub(super) fn default_style(location: ParameterLocation) -> Style {
    match location {
        ParameterLocation::Path | ParameterLocation::Header => Style::Simple,
        ParameterLocation::Query | ParameterLocation::Cookie | ParameterLocation::Querystring => {
            Style::Form
        }
    }
}

fn request_body<'d>(reading: &mut Reading<'d, '_>, at: &At, node: &'d Node) -> Option<RequestBody> {
    let body = node.get("requestBody")?;
    let (at, node) = reading.follow(at.child("requestBody"), body)?;
    let mut content = contents(reading, &at, node);
    if content.is_empty() {
        // A body of which nothing is said.
        let media_type = Arc::from("application/json");
        content.push(Content { media_type, schema: None, examples: Vec::new(), at: at.clone() });
    }
    Some(RequestBody { required: flag(node, "required"), content, at })
}

fn contents<'d>(reading: &mut Reading<'d, '_>, at: &At, node: &'d Node) -> Vec<Content> {
    let at = at.child("content");
    let entries = node.get("content").and_then(Node::as_mapping).unwrap_or_default();
    let mut contents = Vec::new();
    for (key, media) in entries {
        let own = at.child(&key.name);
        let Some((own, media)) = reading.follow(own, media) else { continue };
        contents.push(Content {
            media_type: Arc::clone(&key.name),
            schema: media.get("schema").map(|_| Reading::schema_at(own.child("schema"))),
            examples: examples(reading, &own, media),
            at: own,
        });
    }
    contents
}

fn examples<'d>(reading: &mut Reading<'d, '_>, at: &At, media: &'d Node) -> Vec<(usize, Arc<str>)> {
    let mut found = Vec::new();
    if media.get("example").is_some() {
        let at = at.child("example");
        found.push((at.file, Arc::from(at.pointer)));
    }
    let at = at.child("examples");
    for (key, example) in media.get("examples").and_then(Node::as_mapping).unwrap_or_default() {
        if let Some((at, example)) = reading.follow(at.child(&key.name), example) {
            let value = ["value", "dataValue"].into_iter().find(|k| example.get(k).is_some());
            if let Some(value) = value {
                let at = at.child(value);
                found.push((at.file, Arc::from(at.pointer)));
            }
        }
    }
    found
}

fn responses<'d>(reading: &mut Reading<'d, '_>, at: &At, node: &'d Node) -> Vec<Response> {
    let at = at.child("responses");
    let mut responses = Vec::new();
    for (key, response) in node.get("responses").and_then(Node::as_mapping).unwrap_or_default() {
        if key.name.starts_with("x-") {
            continue;
        }
        let own = at.child(&key.name);
        let Some(status) = reading.status(&own, &key.name) else { continue };
        let Some((own, node)) = reading.follow(own, response) else { continue };
        responses.push(Response {
            status,
            description: text(node, "description"),
            headers: headers(reading, &own, node),
            content: contents(reading, &own, node),
            at: own,
        });
    }
    responses
}

fn headers<'d>(reading: &mut Reading<'d, '_>, at: &At, node: &'d Node) -> Vec<Header> {
    let at = at.child("headers");
    let mut headers = Vec::new();
    for (key, header) in node.get("headers").and_then(Node::as_mapping).unwrap_or_default() {
        // The standard ignores a documented Content-Type: `content` says it.
        if key.name.eq_ignore_ascii_case("content-type") {
            continue;
        }
        let Some((at, node)) = reading.follow(at.child(&key.name), header) else { continue };
        headers.push(Header {
            name: Arc::clone(&key.name),
            required: flag(node, "required"),
            schema: match contents(reading, &at, node).into_iter().next() {
                Some(content) => content.schema,
                None => node.get("schema").map(|_| Reading::schema_at(at.child("schema"))),
            },
            at,
        });
    }
    headers
}

pub(super) fn schemes(reading: &mut Reading<'_, '_>) -> Vec<(Arc<str>, SecurityScheme)> {
    let at = At { file: 0, pointer: "/components/securitySchemes".to_owned() };
    let all = reading.documents.root().at(&at.pointer).and_then(Node::as_mapping);
    let mut schemes = Vec::new();
    for (key, scheme) in all.unwrap_or_default() {
        let Some((at, node)) = reading.follow(at.child(&key.name), scheme) else { continue };
        let read = match node.get("type").and_then(Node::as_str) {
            Some("apiKey") => api_key(node),
            Some("http") => text(node, "scheme").map(|scheme| SecurityScheme::Http {
                scheme: Arc::from(scheme.to_ascii_lowercase()),
            }),
            Some("oauth2") => Some(SecurityScheme::OAuth2 { flows: flows(node) }),
            Some("openIdConnect") => {
                text(node, "openIdConnectUrl").map(|url| SecurityScheme::OpenIdConnect { url })
            }
            Some("mutualTLS") => Some(SecurityScheme::MutualTls),
            _ => None,
        };
        match read {
            Some(read) => schemes.push((Arc::clone(&key.name), read)),
            None => {
                reading.malformed(&at, format!("the security scheme `{}` is incomplete", key.name));
            }
        }
    }
    schemes
}

pub(super) fn api_key(node: &Node) -> Option<SecurityScheme> {
    let location = match node.get("in")?.as_str()? {
        "query" => ParameterLocation::Query,
        "header" => ParameterLocation::Header,
        "cookie" => ParameterLocation::Cookie,
        _ => return None,
    };
    Some(SecurityScheme::ApiKey { location, name: text(node, "name")? })
}

fn flows(node: &Node) -> Vec<OAuthFlow> {
    let flows = node.get("flows").and_then(Node::as_mapping).unwrap_or_default();
    flows.iter().map(|(key, flow)| flow_of(Arc::clone(&key.name), flow)).collect()
}

pub(super) fn flow_of(name: Arc<str>, flow: &Node) -> OAuthFlow {
    let scopes = flow.get("scopes").and_then(Node::as_mapping).unwrap_or_default();
    OAuthFlow {
        name,
        authorization_url: text(flow, "authorizationUrl"),
        token_url: text(flow, "tokenUrl"),
        scopes: scopes.iter().map(|(scope, _)| Arc::clone(&scope.name)).collect(),
    }
}
