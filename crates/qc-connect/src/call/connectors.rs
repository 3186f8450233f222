use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use qc_contract::OpenApi;
use qc_model::Finding;
use qc_vault::SecretRef;
use qc_workflow::{CallPolicy, RetryPolicy};
use url::Url;

use super::Binding;
use crate::{
    codes,
    connector::{Connector, EffectRule},
};

/// How long an attempt of an undeclared call may take, in milliseconds.
const TIMEOUT_MS: u64 = 30_000;

/// What a release can call: its connectors by name, and the documents of `call: openapi` by the address that the
/// workflow writes.
#[derive(Debug, Clone, Default)]
pub struct Connectors {
    by_name: BTreeMap<String, Arc<Connector>>,
    documents: BTreeMap<String, Arc<OpenApi>>,
    /// What the integration may do with a connector and see of it, by the connector's name.
    bindings: BTreeMap<String, Binding>,
    /// Where plain requests go whose endpoint the workflow writes out: scheme, host and port.
    origins: BTreeSet<String>,
}

impl Connectors {
    /// From connectors and pinned documents.
    pub fn new(
        connectors: impl IntoIterator<Item = Connector>,
        documents: impl IntoIterator<Item = (String, OpenApi)>,
    ) -> Self {
        let named =
            connectors.into_iter().map(|one| (one.name().as_str().to_owned(), Arc::new(one)));
        let documents = documents.into_iter().map(|(uri, document)| (uri, Arc::new(document)));
        let origins = BTreeSet::new();
        Self {
            by_name: named.collect(),
            documents: documents.collect(),
            bindings: BTreeMap::new(),
            origins,
        }
    }

    /// With the endpoints of plain requests as the workflow writes them. One whose host is computed names no place.
    #[must_use]
    pub fn with_endpoints<'a>(mut self, endpoints: impl IntoIterator<Item = &'a str>) -> Self {
        self.origins.extend(endpoints.into_iter().filter_map(origin_of));
        self
    }

    /// With what the integration may do with each connector, by name; of those left out everything.
    #[must_use]
    pub fn with_bindings(mut self, bindings: BTreeMap<String, Binding>) -> Self {
        self.bindings = bindings;
        self
    }

    /// What the integration may do with a connector; None: everything.
    pub(super) fn binding(&self, connector: &str) -> Option<&Binding> {
        self.bindings.get(connector)
    }

    /// Whether a plain request of the workflow is written to go to this scheme, host and port.
    pub(super) fn names(&self, url: &Url) -> bool {
        self.origins.contains(&url.origin().ascii_serialization())
    }

    /// A connector.
    pub fn get(&self, name: &str) -> Option<&Arc<Connector>> {
        self.by_name.get(name)
    }

    /// All connectors, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Connector>> {
        self.by_name.values()
    }

    /// A pinned document.
    pub fn document(&self, uri: &str) -> Option<&Arc<OpenApi>> {
        self.documents.get(uri)
    }

    /// The policy of a connector's operation; None when there is no such connector or operation.
    pub fn policy(&self, connector: &str, operation: &str) -> Option<CallPolicy> {
        self.get(connector)?.policy(operation)
    }

    /// The operations of a connector; empty when there is no such connector.
    pub fn operation_names(&self, connector: &str) -> Vec<String> {
        self.get(connector).map(|one| one.operation_names()).unwrap_or_default()
    }

    /// The policy of a plain HTTP request with this method.
    pub fn http_default(method: &str) -> CallPolicy {
        CallPolicy {
            effect: EffectRule::derived(method).class,
            retry: RetryPolicy::default(),
            timeout_ms: TIMEOUT_MS,
            ..CallPolicy::default()
        }
    }

    /// The policy of an operation of a pinned document; the finding says why it cannot be called.
    pub fn openapi_policy(&self, uri: &str, operation: &str) -> Result<CallPolicy, Box<Finding>> {
        let Some(document) = self.document(uri) else {
            let message = format!("the document `{uri}` is not part of the project");
            return Err(Box::new(
                Finding::error(codes::UNKNOWN_TARGET, message)
                    .help("nothing is fetched at run time: put the document into the project"),
            ));
        };
        let Some(found) = document.operation(operation) else {
            let mut finding = Finding::error(
                codes::UNKNOWN_TARGET,
                format!("`{uri}` has no operation `{operation}`"),
            );
            if let Some(name) = document.closest_operation(operation) {
                finding = finding.help(format!("did you mean `{name}`?"));
            }
            return Err(Box::new(finding));
        };
        Ok(Self::http_default(found.method.as_str()))
    }

    /// The secrets that the connectors need.
    pub fn secrets(&self) -> BTreeSet<&SecretRef> {
        self.iter().flat_map(|connector| connector.secrets()).collect()
    }
}

/// Scheme, host and port of an endpoint in which they are no expression or variable.
fn origin_of(endpoint: &str) -> Option<String> {
    let (scheme, rest) = endpoint.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    if [scheme, host].iter().any(|part| part.contains(['{', '}', '$', '"', ' '])) {
        return None;
    }
    let url = Url::parse(&format!("{scheme}://{host}")).ok()?;
    Some(url.origin().ascii_serialization())
}
