//! From method and path to the operation.

use std::collections::HashMap;
use std::sync::Arc;

use http::Method;
use percent_encoding::percent_decode_str;

/// The values of a path's parameters, decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Parameters(pub(crate) Vec<(Arc<str>, String)>);

impl Parameters {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| &**known == name).map(|(_, value)| value.as_str())
    }
}

/// All path templates. Concrete segments go before templated ones, as OpenAPI wants it.
#[derive(Debug, Default)]
pub(super) struct Router {
    by_length: HashMap<usize, Vec<Route>>,
}

#[derive(Debug)]
struct Route {
    segments: Vec<Segment>,
    methods: Vec<(Method, usize)>,
}

#[derive(Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Parameter(Arc<str>),
    /// `{base}...{head}`, `{name}:cancel`: literals and parameters in turn.
    Mixed(Vec<Part>),
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Parameter(Arc<str>),
}

/// What a path leads to.
pub(super) enum Hit {
    Operation(usize, Parameters),
    WrongMethod(String),
    Nothing,
}

impl Router {
    pub(super) fn add(&mut self, template: &str, method: Method, operation: usize) {
        let segments: Vec<Segment> = split(template).map(Segment::parse).collect();
        let routes = self.by_length.entry(segments.len()).or_default();
        if let Some(route) = routes.iter_mut().find(|route| route.segments == segments) {
            route.methods.push((method, operation));
            return;
        }
        routes.push(Route { segments, methods: vec![(method, operation)] });
        routes.sort_by_key(|route| route.segments.iter().map(Segment::rank).collect::<Vec<_>>());
    }

    pub(super) fn find(&self, method: &Method, path: &str) -> Hit {
        let parts: Vec<&str> = split(path).collect();
        let mut allowed: Vec<&str> = Vec::new();
        for route in self.by_length.get(&parts.len()).into_iter().flatten() {
            let Some(parameters) = route.take(&parts) else { continue };
            if let Some((_, operation)) = route.methods.iter().find(|(known, _)| known == method) {
                return Hit::Operation(*operation, parameters);
            }
            allowed.extend(route.methods.iter().map(|(known, _)| known.as_str()));
        }
        if allowed.is_empty() { Hit::Nothing } else { Hit::WrongMethod(allowed.join(", ")) }
    }
}

fn split(path: &str) -> impl Iterator<Item = &str> {
    path.trim_start_matches('/').split('/')
}

impl Route {
    fn take(&self, parts: &[&str]) -> Option<Parameters> {
        let mut parameters = Parameters::default();
        for (segment, part) in self.segments.iter().zip(parts) {
            let text = percent_decode_str(part).decode_utf8().ok()?;
            segment.take(&text, &mut parameters)?;
        }
        Some(parameters)
    }
}

impl Segment {
    fn parse(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else { break };
            if !before.is_empty() {
                parts.push(Part::Literal(before.to_owned()));
            }
            parts.push(Part::Parameter(name.into()));
            rest = after;
        }
        if parts.is_empty() {
            return Self::Literal(text.to_owned());
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        match &parts[..] {
            [Part::Parameter(name)] => Self::Parameter(Arc::clone(name)),
            _ => Self::Mixed(parts),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Literal(_) => 0,
            Self::Mixed(_) => 1,
            Self::Parameter(_) => 2,
        }
    }

    fn take(&self, text: &str, parameters: &mut Parameters) -> Option<()> {
        match self {
            Self::Literal(literal) => (literal == text).then_some(()),
            Self::Parameter(name) => {
                (!text.is_empty()).then(|| parameters.0.push((Arc::clone(name), text.to_owned())))
            }
            Self::Mixed(parts) => take_mixed(parts, text, parameters),
        }
    }
}

/// A parameter goes up to the next literal's first place.
fn take_mixed(parts: &[Part], text: &str, parameters: &mut Parameters) -> Option<()> {
    let mut rest = text;
    for (at, part) in parts.iter().enumerate() {
        match part {
            Part::Literal(literal) => rest = rest.strip_prefix(literal.as_str())?,
            Part::Parameter(name) => {
                let end = match parts.get(at + 1) {
                    Some(Part::Literal(next)) if at + 2 == parts.len() => rest
                        .len()
                        .checked_sub(next.len())
                        .filter(|_| rest.ends_with(next.as_str()))?,
                    Some(Part::Literal(next)) => rest.find(next.as_str())?,
                    _ => rest.len(),
                };
                if end == 0 {
                    return None;
                }
                parameters.0.push((Arc::clone(name), rest[..end].to_owned()));
                rest = &rest[end..];
            }
        }
    }
    rest.is_empty().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(router: &Router, method: Method, path: &str) -> Option<(usize, Vec<String>)> {
        match router.find(&method, path) {
            Hit::Operation(at, parameters) => {
                Some((at, parameters.0.into_iter().map(|(_, value)| value).collect()))
            }
            _ => None,
        }
    }

    #[test]
    fn concrete_paths_go_first_and_values_are_decoded() {
        let mut router = Router::default();
        router.add("/pets/{id}", Method::GET, 0);
        router.add("/pets/mine", Method::GET, 1);
        router.add("/pets/{id}", Method::PUT, 2);
        router.add("/r/{base}...{head}", Method::GET, 3);
        router.add("/jobs/{name}:cancel", Method::POST, 4);
        assert_eq!(found(&router, Method::GET, "/pets/mine"), Some((1, vec![])));
        assert_eq!(found(&router, Method::GET, "/pets/a%2Fb"), Some((0, vec!["a/b".into()])));
        assert_eq!(found(&router, Method::PUT, "/pets/mine"), Some((2, vec!["mine".into()])));
        let both = vec!["v1".into(), "v2".into()];
        assert_eq!(found(&router, Method::GET, "/r/v1...v2"), Some((3, both)));
        let name = vec!["a:b".into()];
        assert_eq!(found(&router, Method::POST, "/jobs/a:b:cancel"), Some((4, name)));
        assert_eq!(found(&router, Method::GET, "/pets"), None);
        assert_eq!(found(&router, Method::GET, "/pets/"), None);
        let Hit::WrongMethod(allowed) = router.find(&Method::DELETE, "/pets/1") else { panic!() };
        assert_eq!(allowed, "GET, PUT");
    }
}
