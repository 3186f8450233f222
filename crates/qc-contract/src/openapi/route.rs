//! Which operation a request is for: what simulators and checks of recorded traffic need.

use percent_encoding::percent_decode_str;

use super::OpenApi;
use crate::model::Operation;

/// The outcome of routing.
#[derive(Clone, Debug)]
pub enum Routed<'a> {
    /// An operation, with its path parameters, decoded.
    Found {
        /// The operation.
        operation: &'a Operation,
        /// Path parameters in order of the template.
        path: Vec<(String, String)>,
    },
    /// The path exists, but not with this method; these it has.
    OtherMethods(Vec<&'a str>),
    /// No path fits.
    Nothing,
}

impl OpenApi {
    /// Finds the operation of a method and a path below the base address (percent-encoded, without query). Literal
    /// segments win over parameters, from left to right.
    pub fn route(&self, method: &str, path: &str) -> Routed<'_> {
        let mut best: Option<(&Operation, Fit)> = None;
        let mut others = Vec::new();
        for operation in self.operations() {
            let Some(fit) = fit(&operation.path, path) else { continue };
            if operation.method.as_str() != method {
                others.push(operation.method.as_str());
                continue;
            }
            if best.as_ref().is_none_or(|(_, (literal, _))| fit.0 > *literal) {
                best = Some((operation, fit));
            }
        }
        match best {
            Some((operation, (_, path))) => Routed::Found { operation, path },
            None if others.is_empty() => Routed::Nothing,
            None => {
                others.sort_unstable();
                others.dedup();
                Routed::OtherMethods(others)
            }
        }
    }
}

/// How a path fits a template: which segments literally, and the parameters' values.
type Fit = (Vec<bool>, Vec<(String, String)>);

fn fit(template: &str, path: &str) -> Option<Fit> {
    // `/repos#get` style templates name one path twice; the fragment is not part of what travels.
    let template = template.split(['#', '?']).next().unwrap_or_default();
    let mut wanted = template.split('/');
    let mut given = path.split('/');
    let (mut literal, mut values) = (Vec::new(), Vec::new());
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some((literal, values)),
            (Some(wanted), Some(given)) => {
                literal.push(!wanted.contains('{'));
                segment(wanted, given, &mut values)?;
            }
            _ => return None,
        }
    }
}

/// Fits one segment such as `{id}`, `v{major}.{minor}` or `files`.
fn segment(wanted: &str, given: &str, values: &mut Vec<(String, String)>) -> Option<()> {
    let Some((before, rest)) = wanted.split_once('{') else {
        let decoded = percent_decode_str(given).decode_utf8_lossy();
        return (wanted == given || wanted == decoded).then_some(());
    };
    let (name, after) = rest.split_once('}')?;
    let rest = given.strip_prefix(before)?;
    let next_literal = after.split('{').next().unwrap_or_default();
    let end = if next_literal.is_empty() { rest.len() } else { rest.find(next_literal)? };
    if end == 0 {
        return None;
    }
    let value = percent_decode_str(&rest[..end]).decode_utf8_lossy().into_owned();
    values.push((name.to_owned(), value));
    segment(after, &rest[end..], values)
}
