//! What a schema says about itself without restricting anything: found through references and `allOf`.

use super::shape::Conj;
use super::side::{Side, Spot};
use crate::model::Version;

/// Deepest nesting that is looked through.
const DEPTH_LIMIT: usize = 24;

/// The node of an annotation, such as `description` or `readOnly`: the outermost one.
pub(super) fn annotation<'d>(side: &Side<'d>, conj: &Conj<'d>, key: &str) -> Option<Spot<'d>> {
    conj.schemas.iter().find_map(|schema| find(side, *schema, key, 0))
}

fn find<'d>(side: &Side<'d>, schema: Spot<'d>, key: &str, depth: usize) -> Option<Spot<'d>> {
    if depth > DEPTH_LIMIT {
        return None;
    }
    let reference = schema.text("$ref");
    let is_read = reference.is_none() || side.version == Version::V3_1;
    if let Some(found) = schema.get(key).filter(|_| is_read) {
        return Some(found);
    }
    let target = reference.and_then(|reference| side.target(schema.file, reference));
    if let Some(found) = target.and_then(|target| find(side, target, key, depth + 1)) {
        return Some(found);
    }
    if !is_read {
        return None;
    }
    schema.items("allOf").find_map(|branch| find(side, branch, key, depth + 1))
}
