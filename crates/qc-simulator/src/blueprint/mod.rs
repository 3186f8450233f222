//! What the OpenAPI document and the simulator's file say, made ready: routes, roles, shapes, schemes.

mod answers;
mod check;
mod collections;
mod route;
mod rule;
mod security;
mod shape;

use std::sync::Arc;

use http::{HeaderName, Method, StatusCode};
use qc_contract::OpenApi;
use qc_model::Finding;

use crate::codes;
use crate::problem::ErrorShapes;
use crate::spec::SimulatorSpec;

pub(crate) use route::Parameters;
pub(crate) use rule::{CollectionRule, Listing, Operation, Role};

use collections::Collections;
use route::{Hit, Router};

/// The name of a token endpoint that the document does not list as an operation.
const TOKEN: &str = "token";

/// A provider's unchanging part.
pub(crate) struct Blueprint {
    openapi: OpenApi,
    pub(crate) operations: Vec<Operation>,
    router: Router,
    rules: Vec<Arc<CollectionRule>>,
    /// Paths of the document's servers, tolerated before every path.
    base_paths: Vec<String>,
    /// Error shapes for requests that fit no operation.
    pub(crate) no_operation: ErrorShapes,
    pub(crate) key_header: Option<HeaderName>,
    pub(crate) key_mismatch: StatusCode,
    /// The scopes that the token endpoint grants.
    pub(crate) scopes: Vec<String>,
    pub(crate) secret_headers: Vec<HeaderName>,
    pub(crate) secret_query: Vec<String>,
}

/// Where a request leads.
pub(crate) enum Routing<'b> {
    Found { operation: &'b Operation, parameters: Parameters },
    WrongMethod { allowed: String },
    NotFound,
}

impl Blueprint {
    /// Draws the blueprint; what in the simulator's file does not fit the document is a finding.
    pub(crate) fn draw(openapi: OpenApi, spec: &SimulatorSpec) -> (Self, Vec<Finding>) {
        let mut findings = Vec::new();
        let collections = Collections::infer(&openapi, spec, &mut findings);
        let base_paths = base_paths(&openapi);
        let token_path = security::token_path(&openapi).map(|path| unbased(&base_paths, path));
        let keys = spec.idempotency.as_ref();
        let mut operations = Vec::new();
        let mut router = Router::default();
        for (at, listed) in openapi.operations().iter().enumerate() {
            let Ok(method) = Method::from_bytes(listed.method.as_str().as_bytes()) else {
                continue;
            };
            let is_token = method == Method::POST && token_path.as_deref() == Some(&*listed.path);
            let takes_key = keys
                .is_some_and(|keys| keys.operations.iter().any(|named| *named.text == *listed.id));
            let role =
                if is_token { Role::Token } else { collections.role(&openapi, listed, &method) };
            router.add(&listed.path, method.clone(), operations.len());
            operations.push(Operation {
                id: Arc::clone(&listed.id),
                method,
                role,
                success: answers::success(&openapi, listed),
                errors: answers::errors(&openapi, listed),
                security: security::alternatives(&openapi, listed),
                takes_key,
                listed: Some(at),
            });
        }
        let lists_token = operations.iter().any(|operation| matches!(operation.role, Role::Token));
        if let Some(path) = token_path.filter(|_| !lists_token) {
            router.add(&path, Method::POST, operations.len());
            operations.push(unlisted_token());
        }
        let (secret_headers, secret_query) = security::secret_places(&openapi);
        let blueprint = Self {
            scopes: security::scopes(&openapi),
            key_header: keys.map(|keys| keys.header.clone()),
            key_mismatch: keys
                .and_then(|keys| StatusCode::from_u16(keys.mismatch).ok())
                .unwrap_or(StatusCode::UNPROCESSABLE_ENTITY),
            no_operation: ErrorShapes::default(),
            rules: collections.rules,
            openapi,
            operations,
            router,
            base_paths,
            secret_headers,
            secret_query,
        };
        let of_batches = spec.batches.iter().flat_map(|rule| [&rule.operation, &rule.each]);
        for named in keys.into_iter().flat_map(|keys| &keys.operations).chain(of_batches) {
            if !blueprint.knows(&named.text) {
                findings.push(blueprint.unknown_operation(&named.text).at(named.place.clone()));
            }
        }
        findings.extend(blueprint.bad_batches(spec));
        (blueprint, findings)
    }

    /// What is done for each is one operation, at one path.
    fn bad_batches<'s>(
        &self,
        spec: &'s SimulatorSpec,
    ) -> impl Iterator<Item = Finding> + use<'s, '_> {
        spec.batches.iter().filter_map(move |rule| {
            let each = &rule.each.text;
            let path = self.path_of(self.operation(each)?)?;
            let many = spec.batches.iter().any(|other| other.operation.text == *each);
            let why = if many {
                format!("`{each}` does many itself")
            } else if path.contains('{') {
                format!("`{each}` needs what stands in its path, which a body does not say")
            } else {
                return None;
            };
            let message = format!("`{}` cannot do `{each}` for each: {why}", rule.operation.text);
            Some(Finding::error(codes::BAD_BATCH, message).at(rule.each.place.clone()))
        })
    }

    /// Finds the operation; a server's base path before the path is tolerated.
    pub(crate) fn route(&self, method: &Method, path: &str) -> Routing<'_> {
        let mut hit = self.router.find(method, path);
        for base in &self.base_paths {
            if matches!(hit, Hit::Operation(..)) {
                break;
            }
            if let Some(rest) =
                path.strip_prefix(base.as_str()).filter(|rest| rest.starts_with('/'))
            {
                hit = self.router.find(method, rest);
            }
        }
        match hit {
            Hit::Operation(at, parameters) => {
                Routing::Found { operation: &self.operations[at], parameters }
            }
            Hit::WrongMethod(allowed) => Routing::WrongMethod { allowed },
            Hit::Nothing => Routing::NotFound,
        }
    }

    /// Whether there is an operation of this id.
    pub(crate) fn knows(&self, id: &str) -> bool {
        self.operation(id).is_some()
    }

    /// The operation of this id.
    pub(crate) fn operation(&self, id: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| &*operation.id == id)
    }

    /// The path of an operation, as the document writes it.
    pub(crate) fn path_of(&self, operation: &Operation) -> Option<&str> {
        Some(&*self.openapi.operations().get(operation.listed?)?.path)
    }

    pub(crate) fn unknown_operation(&self, id: &str) -> Finding {
        let message = format!("the OpenAPI document has no operation `{id}`");
        let finding = Finding::error(codes::UNKNOWN_OPERATION, message);
        let known = self.operations.iter().map(|operation| &*operation.id);
        match qc_document::closest(id, known) {
            Some(known) => finding.help(format!("did you mean `{known}`?")),
            None => finding,
        }
    }

    /// The collection at a concrete path such as `/channels/C1/messages`.
    pub(crate) fn collection_at(&self, path: &str) -> Option<(&CollectionRule, Parameters)> {
        self.rules.iter().find_map(|rule| {
            let mut router = Router::default();
            router.add(&rule.template, Method::GET, 0);
            match router.find(&Method::GET, path) {
                Hit::Operation(_, parameters) => Some((&**rule, parameters)),
                _ => None,
            }
        })
    }
}

fn unlisted_token() -> Operation {
    Operation {
        id: TOKEN.into(),
        method: Method::POST,
        role: Role::Token,
        success: answers::plain_success(),
        errors: ErrorShapes::default(),
        security: Vec::new(),
        takes_key: false,
        listed: None,
    }
}

fn base_paths(openapi: &OpenApi) -> Vec<String> {
    let mut paths = Vec::new();
    for server in openapi.servers() {
        let address = server.address(&|_| None);
        let path = match url::Url::parse(&address) {
            Ok(url) => url.path().to_owned(),
            Err(_) => address,
        };
        let path = path.trim_end_matches('/').to_owned();
        if path.starts_with('/') && !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

fn unbased(base_paths: &[String], path: String) -> String {
    let rest = base_paths.iter().find_map(|base| path.strip_prefix(base.as_str()));
    rest.filter(|rest| rest.starts_with('/')).map_or(path.clone(), str::to_owned)
}
