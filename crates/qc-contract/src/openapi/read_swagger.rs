//! Swagger 2.0, mapped to the shape of OpenAPI 3.

use std::sync::Arc;

use qc_document::Node;

use super::read_openapi::{api_key, default_style, flow_of, tags};
use super::reading::{Reading, derived_id, flag, security, shared_text, text};
use crate::documents::At;
use crate::model::{
    Content, FormField, Header, Method, Operation, Parameter, ParameterLocation, RequestBody,
    Response, SchemaAt, SecurityScheme, Server, Style,
};

pub(super) fn operations(reading: &mut Reading<'_, '_>) -> Vec<Operation> {
    let servers = servers(reading.documents.root());
    let mut operations = Vec::new();
    for (path, item_at, item) in reading.paths() {
        let shared = inputs(reading, &item_at, item);
        for (method, at, node) in reading.methods(&item_at, item) {
            let own = inputs(reading, &at, node);
            let input = shared.clone().overridden_by(own);
            let mut operation = operation(reading, method, &path, &at, node);
            operation.request_body = input.body(reading, node, &at);
            operation.parameters = input.parameters;
            operation.servers.clone_from(&servers);
            reading.check_path(&operation);
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
        request_body: None,
        responses: responses(reading, at, node),
        security: requirements.map(security).unwrap_or_default(),
        servers: Vec::new(),
        callbacks: Vec::new(),
        file: at.file,
        pointer: Arc::from(at.pointer.as_str()),
    }
}

pub(super) fn servers(root: &Node) -> Vec<Server> {
    let base = root.get("basePath").and_then(Node::as_str).unwrap_or_default();
    let base = base.trim_end_matches('/');
    let server = |url: String| Server { url: Arc::from(url), variables: Vec::new() };
    let Some(host) = root.get("host").and_then(Node::as_str) else {
        return if base.is_empty() { Vec::new() } else { vec![server(base.to_owned())] };
    };
    let schemes = root.get("schemes").and_then(Node::as_sequence).unwrap_or_default();
    let mut schemes: Vec<&str> = schemes.iter().filter_map(Node::as_str).collect();
    if schemes.is_empty() {
        schemes.push("https");
    }
    schemes.into_iter().map(|scheme| server(format!("{scheme}://{host}{base}"))).collect()
}

/// What Swagger 2.0 calls parameters: real ones, the body, and form fields.
#[derive(Clone, Default)]
struct Inputs {
    parameters: Vec<Parameter>,
    /// The parameter, and whether it is required.
    body: Option<(At, bool)>,
    fields: Vec<(FormField, bool)>,
}

impl Inputs {
    fn overridden_by(mut self, own: Self) -> Self {
        self.parameters = Reading::merged(self.parameters, own.parameters);
        self.body = own.body.or(self.body);
        self.fields.retain(|(field, _)| !own.fields.iter().any(|(o, _)| o.name == field.name));
        self.fields.extend(own.fields);
        self
    }

    fn body(&self, reading: &Reading<'_, '_>, node: &Node, at: &At) -> Option<RequestBody> {
        let consumes = media_types(reading, node, "consumes");
        let (own, schema, required, media_types) = if let Some((at, required)) = &self.body {
            let types =
                if consumes.is_empty() { vec![Arc::from("application/json")] } else { consumes };
            (at.clone(), Reading::schema_at(at.child("schema")), *required, types)
        } else if self.fields.is_empty() {
            return None;
        } else {
            let is_form = |media_type: &Arc<str>| {
                matches!(&**media_type, "multipart/form-data" | "application/x-www-form-urlencoded")
            };
            let has_file = self.fields.iter().any(|(_, file)| *file);
            let mut types: Vec<Arc<str>> = consumes.into_iter().filter(is_form).collect();
            if has_file {
                types.retain(|media_type| &**media_type == "multipart/form-data");
            }
            if types.is_empty() {
                let fallback = if has_file {
                    "multipart/form-data"
                } else {
                    "application/x-www-form-urlencoded"
                };
                types.push(Arc::from(fallback));
            }
            let fields: Arc<[FormField]> =
                self.fields.iter().map(|(field, _)| field.clone()).collect();
            let required = fields.iter().any(|field| field.required);
            let pointer = Arc::from(at.pointer.as_str());
            let schema = SchemaAt { file: at.file, pointer, fields: Some(fields) };
            (at.clone(), schema, required, types)
        };
        let content = media_types.into_iter().map(|media_type| Content {
            media_type,
            schema: Some(schema.clone()),
            examples: Vec::new(),
            at: own.clone(),
        });
        Some(RequestBody { required, content: content.collect(), at: own.clone() })
    }
}

fn media_types(reading: &Reading<'_, '_>, node: &Node, key: &str) -> Vec<Arc<str>> {
    let list = node.get(key).or_else(|| reading.documents.root().get(key));
    let list = list.and_then(Node::as_sequence).unwrap_or_default();
    list.iter().filter_map(shared_text).collect()
}

fn inputs<'d>(reading: &mut Reading<'d, '_>, at: &At, node: &'d Node) -> Inputs {
    let at = at.child("parameters");
    let mut inputs = Inputs::default();
    let list = node.get("parameters").and_then(Node::as_sequence).unwrap_or_default();
    for (index, item) in list.iter().enumerate() {
        let Some((at, node)) = reading.follow(at.child(&index.to_string()), item) else {
            continue;
        };
        input(reading, at, node, &mut inputs);
    }
    inputs
}

fn input<'d>(reading: &mut Reading<'d, '_>, at: At, node: &'d Node, inputs: &mut Inputs) {
    let Some(name) = text(node, "name") else {
        return reading.malformed(&at, "a parameter needs `name`");
    };
    let required = flag(node, "required");
    let location = match node.get("in").and_then(Node::as_str) {
        Some("body") => {
            inputs.body = Some((at, required));
            return;
        }
        Some("formData") => {
            let is_file = node.get("type").and_then(Node::as_str) == Some("file");
            let pointer = Arc::from(at.pointer);
            inputs.fields.push((FormField { name, required, file: at.file, pointer }, is_file));
            return;
        }
        Some("path") => ParameterLocation::Path,
        Some("query") => ParameterLocation::Query,
        Some("header") => ParameterLocation::Header,
        _ => {
            let message =
                "`in` of a parameter must be `path`, `query`, `header`, `body` or `formData`";
            return reading.malformed(&at, message);
        }
    };
    let reserved = ["accept", "content-type", "authorization"];
    if location == ParameterLocation::Header && reserved.contains(&&*name.to_ascii_lowercase()) {
        return;
    }
    let format = node.get("collectionFormat").and_then(Node::as_str);
    let (style, explode) = match format {
        Some("multi") => (Style::Form, true),
        Some("ssv") => (Style::SpaceDelimited, false),
        Some("tsv") => (Style::TabDelimited, false),
        Some("pipes") => (Style::PipeDelimited, false),
        _ => (default_style(location), false),
    };
    inputs.parameters.push(Parameter {
        name,
        location,
        required: required || location == ParameterLocation::Path,
        deprecated: false,
        style,
        explode,
        allow_reserved: false,
        // The parameter object itself holds the schema's keywords.
        schema: Some(Reading::schema_at(at.clone())),
        media_type: None,
        at,
    });
}

fn responses<'d>(reading: &mut Reading<'d, '_>, at: &At, node: &'d Node) -> Vec<Response> {
    let mut produces = media_types(reading, node, "produces");
    if produces.is_empty() {
        produces.push(Arc::from("application/json"));
    }
    let at = at.child("responses");
    let mut responses = Vec::new();
    for (key, response) in node.get("responses").and_then(Node::as_mapping).unwrap_or_default() {
        if key.name.starts_with("x-") {
            continue;
        }
        let own = at.child(&key.name);
        let Some(status) = reading.status(&own, &key.name) else { continue };
        let Some((own, node)) = reading.follow(own, response) else { continue };
        let mut content = Vec::new();
        if node.get("schema").is_some() {
            let schema = Reading::schema_at(own.child("schema"));
            content.extend(produces.iter().map(|media_type| Content {
                media_type: Arc::clone(media_type),
                schema: Some(schema.clone()),
                examples: example(&own, node, media_type),
                at: own.clone(),
            }));
        }
        let headers = node.get("headers").and_then(Node::as_mapping).unwrap_or_default().iter();
        let headers = headers.map(|(key, _)| Header {
            name: Arc::clone(&key.name),
            required: false,
            schema: Some(Reading::schema_at(own.child("headers").child(&key.name))),
            at: own.child("headers").child(&key.name),
        });
        responses.push(Response {
            status,
            description: text(node, "description"),
            headers: headers.collect(),
            content,
            at: own,
        });
    }
    responses
}

fn example(at: &At, response: &Node, media_type: &str) -> Vec<(usize, Arc<str>)> {
    let example = response.get("examples").and_then(|examples| examples.get(media_type));
    let at = at.child("examples").child(media_type);
    example.map(|_| (at.file, Arc::from(at.pointer))).into_iter().collect()
}

pub(super) fn schemes(reading: &mut Reading<'_, '_>) -> Vec<(Arc<str>, SecurityScheme)> {
    let at = At { file: 0, pointer: "/securityDefinitions".to_owned() };
    let all = reading.documents.root().at(&at.pointer).and_then(Node::as_mapping);
    let mut schemes = Vec::new();
    for (key, scheme) in all.unwrap_or_default() {
        let Some((at, node)) = reading.follow(at.child(&key.name), scheme) else { continue };
        let read = match node.get("type").and_then(Node::as_str) {
            Some("apiKey") => api_key(node),
            Some("basic") => Some(SecurityScheme::Http { scheme: Arc::from("basic") }),
            Some("oauth2") => {
                let name = match node.get("flow").and_then(Node::as_str) {
                    Some("accessCode") => "authorizationCode",
                    Some("application") => "clientCredentials",
                    Some("password") => "password",
                    _ => "implicit",
                };
                Some(SecurityScheme::OAuth2 { flows: vec![flow_of(Arc::from(name), node)] })
            }
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
