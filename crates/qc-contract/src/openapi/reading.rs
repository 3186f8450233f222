//! What the readers of both generations share.

use std::sync::Arc;

use qc_document::{Node, NodeValue, pointer_segments};
use qc_model::Finding;

use crate::codes;
use crate::documents::{At, Documents};
use crate::model::{
    Method, Operation, Parameter, ParameterLocation, SchemaAt, SecurityRequirement, StatusPattern,
};

/// The key of a path under which operations of other methods stand (OpenAPI 3.2).
pub(super) const ADDITIONAL: &str = "additionalOperations";

/// Most findings about the form of one description.
const FINDING_LIMIT: usize = 300;

/// A description being read. Descriptions are other people's files: what can be understood is, the rest is a finding.
pub(crate) struct Reading<'d, 'f> {
    pub(crate) documents: &'d Documents,
    pub(crate) findings: &'f mut Vec<Finding>,
}

impl<'d> Reading<'d, '_> {
    pub(crate) fn push(&mut self, finding: Finding) {
        if self.findings.len() < FINDING_LIMIT {
            self.findings.push(finding);
        }
    }

    pub(crate) fn malformed(&mut self, at: &At, message: impl Into<String>) {
        let finding = Finding::error(codes::MALFORMED, message).at(self.documents.place(at));
        self.push(finding);
    }

    /// The value that a node is or refers to. A broken reference was reported when the files were gathered; a circle
    /// is reported here.
    pub(crate) fn follow(&mut self, at: At, node: &'d Node) -> Option<(At, &'d Node)> {
        match self.documents.follow(at.clone(), node) {
            Ok(found) => Some(found),
            Err(broken @ crate::documents::Broken::Circular) => {
                let finding = self.documents.broken_at(&at, &broken);
                self.push(finding);
                None
            }
            Err(_) => None,
        }
    }

    /// All paths with their items, references followed.
    pub(super) fn paths(&mut self) -> Vec<(Arc<str>, At, &'d Node)> {
        let at = At { file: 0, pointer: "/paths".to_owned() };
        let paths = self.documents.root().get("paths").and_then(Node::as_mapping);
        let mut found = Vec::new();
        for (key, item) in paths.unwrap_or_default() {
            if key.name.starts_with("x-") {
                continue;
            }
            let own = at.child(&key.name);
            if !key.name.starts_with('/') {
                self.malformed(&own, format!("the path `{}` must begin with `/`", key.name));
                continue;
            }
            if let Some((at, item)) = self.follow(own, item) {
                if item.as_mapping().is_none() {
                    self.malformed(&at, format!("the path `{}` must be an object", key.name));
                    continue;
                }
                found.push((Arc::clone(&key.name), at, item));
            }
        }
        found
    }

    /// The operations of a path item with their methods.
    pub(super) fn methods(&mut self, at: &At, item: &'d Node) -> Vec<(Method, At, &'d Node)> {
        let mut found = Vec::new();
        for (key, node) in item.as_mapping().unwrap_or_default() {
            let method = Method::KEYS.iter().find(|(name, _)| *name == &*key.name);
            let at = at.child(&key.name);
            match (method, &node.value) {
                (Some((_, method)), NodeValue::Mapping(_)) => found.push((*method, at, node)),
                (Some(_), _) => self.malformed(&at, format!("`{}` must be an object", key.name)),
                (None, _) if &*key.name == ADDITIONAL => {
                    found.extend(self.additional(&at, node));
                }
                (None, _) => {}
            }
        }
        found
    }

    /// `additionalOperations` of OpenAPI 3.2: operations by the method as it stands in requests.
    fn additional(&mut self, at: &At, all: &'d Node) -> Vec<(Method, At, &'d Node)> {
        let mut found = Vec::new();
        let Some(entries) = all.as_mapping() else {
            self.malformed(at, "`additionalOperations` must be an object");
            return found;
        };
        for (key, node) in entries {
            let at = at.child(&key.name);
            match Method::named(&key.name) {
                Some(method @ Method::Other(_)) if node.as_mapping().is_some() => {
                    found.push((method, at, node));
                }
                Some(Method::Other(_)) => {
                    self.malformed(&at, format!("`{}` must be an object", key.name));
                }
                Some(known) => {
                    let own = known.as_str().to_ascii_lowercase();
                    let message = format!("`{known}` has a key of its own, `{own}`, in a path");
                    self.malformed(&at, message);
                }
                None => self.malformed(&at, format!("`{}` is no method of HTTP", key.name)),
            }
        }
        found
    }

    pub(crate) fn schema_at(at: At) -> SchemaAt {
        SchemaAt { file: at.file, pointer: Arc::from(at.pointer), fields: None }
    }

    pub(super) fn status(&mut self, at: &At, key: &str) -> Option<StatusPattern> {
        let range = key.strip_suffix("XX").or_else(|| key.strip_suffix("xx"));
        let pattern = match (key, range) {
            ("default", _) => Some(StatusPattern::Default),
            (_, Some(digit)) => {
                let digit = digit.parse().ok().filter(|digit| (1..=5).contains(digit));
                digit.map(StatusPattern::Range)
            }
            _ => {
                let status = key.parse().ok().filter(|status| (100..=599).contains(status));
                status.map(StatusPattern::Exact)
            }
        };
        if pattern.is_none() {
            self.malformed(
                at,
                format!("`{key}` is no status, no range such as `4XX` and not `default`"),
            );
        }
        pattern
    }

    /// A query is one value as a whole, or has parameters.
    pub(super) fn check_query(&mut self, at: &At, parameters: &[Parameter]) {
        let whole = parameters.iter().filter(|p| p.location == ParameterLocation::Querystring);
        let mut other = parameters.iter().filter(|p| p.location == ParameterLocation::Query);
        let whole = whole.count();
        if whole > 1 || (whole == 1 && other.next().is_some()) {
            let message = "a parameter `in: querystring` is all of the query: there is one at most, and none `in: query` beside it";
            self.malformed(at, message);
        }
    }

    /// Parameters of the path item, overridden by those of the operation.
    pub(super) fn merged(mut shared: Vec<Parameter>, own: Vec<Parameter>) -> Vec<Parameter> {
        shared.retain(|parameter| {
            !own.iter().any(|o| o.name == parameter.name && o.location == parameter.location)
        });
        shared.extend(own);
        shared
    }

    /// Every `{name}` of a path needs a path parameter and the other way round.
    pub(super) fn check_path(&mut self, operation: &Operation) {
        let names: Vec<&str> = template_names(&operation.path).collect();
        let documents = self.documents;
        let place = || documents.place(&operation.at());
        for name in &names {
            if operation.parameter(ParameterLocation::Path, name).is_none() {
                let message = format!(
                    "the path `{}` has `{{{name}}}`, but `{}` declares no such path parameter",
                    operation.path, operation.id
                );
                self.push(Finding::warning(codes::PATH_PARAMETER, message).at(place()));
            }
        }
        for parameter in &operation.parameters {
            let used = names.contains(&&*parameter.name);
            if parameter.location == ParameterLocation::Path && !used {
                let message = format!(
                    "the path parameter `{}` of `{}` does not stand in its path `{}`",
                    parameter.name, operation.id, operation.path
                );
                self.push(Finding::warning(codes::PATH_PARAMETER, message).at(place()));
            }
        }
    }
}

/// The names in the braces of a path template.
pub(crate) fn template_names(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name)
}

/// `get_pets_petId` from `GET /pets/{petId}`.
pub(super) fn derived_id(method: Method, path: &str) -> Arc<str> {
    let mut id = method.as_str().to_ascii_lowercase();
    for segment in pointer_segments(path) {
        let clean: String = segment
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
            .collect();
        if !clean.is_empty() {
            id.push('_');
            id.push_str(&clean);
        }
    }
    Arc::from(id)
}

/// The alternatives of a list of requirements.
pub(crate) fn security(node: &Node) -> Vec<SecurityRequirement> {
    let alternatives = node.as_sequence().unwrap_or_default();
    let requirement = |alternative: &Node| {
        let schemes = alternative.as_mapping().unwrap_or_default().iter();
        let schemes = schemes.map(|(key, scopes)| {
            let scopes = scopes.as_sequence().unwrap_or_default().iter().filter_map(shared_text);
            (Arc::clone(&key.name), scopes.collect())
        });
        SecurityRequirement { schemes: schemes.collect() }
    };
    alternatives.iter().map(requirement).collect()
}

pub(crate) fn shared_text(node: &Node) -> Option<Arc<str>> {
    if let NodeValue::String(text) = &node.value { Some(Arc::clone(text)) } else { None }
}

pub(super) fn flag(node: &Node, key: &str) -> bool {
    node.get(key).and_then(Node::as_bool) == Some(true)
}

pub(crate) fn text(node: &Node, key: &str) -> Option<Arc<str>> {
    node.get(key).and_then(shared_text)
}
