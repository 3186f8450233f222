//! The files of one folder, and how references name them.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::sync::Arc;

/// Path to text, inside one folder. Paths use `/` and are relative to the folder; they never begin with `/` or
/// contain `..`.
pub trait Files {
    /// The text of a file, if it is there.
    fn text(&self, path: &str) -> Option<Arc<str>>;
}

impl<T: AsRef<str>, S: BuildHasher> Files for HashMap<String, T, S> {
    fn text(&self, path: &str) -> Option<Arc<str>> {
        self.get(path).map(|text| Arc::from(text.as_ref()))
    }
}

impl<T: AsRef<str>> Files for BTreeMap<String, T> {
    fn text(&self, path: &str) -> Option<Arc<str>> {
        self.get(path).map(|text| Arc::from(text.as_ref()))
    }
}

/// Why a reference names no file of the folder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outside {
    /// It is a URL.
    Remote,
    /// It climbs out with `..` or is absolute.
    Escapes,
}

/// The path that `reference` (relative, without fragment) means when it stands in the file `base`.
pub(crate) fn resolve_path(base: &str, reference: &str) -> Result<String, Outside> {
    if reference.is_empty() {
        return Ok(base.to_owned());
    }
    let scheme_end = reference.find(':');
    let first_slash = reference.find('/').unwrap_or(reference.len());
    if reference.starts_with("//") || scheme_end.is_some_and(|end| end < first_slash) {
        return Err(Outside::Remote);
    }
    if reference.starts_with('/') || reference.contains('\\') {
        return Err(Outside::Escapes);
    }
    let decoded = percent_encoding::percent_decode_str(reference).decode_utf8_lossy();
    let mut segments: Vec<&str> = base.split('/').collect();
    segments.pop();
    for segment in decoded.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop().ok_or(Outside::Escapes)?;
            }
            name => segments.push(name),
        }
    }
    Ok(segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_stay_in_the_folder() {
        let path = |base: &str, reference: &str| resolve_path(base, reference);
        assert_eq!(path("a/b.yaml", "c.yaml"), Ok("a/c.yaml".to_owned()));
        assert_eq!(path("a/b.yaml", "./x/../c.yaml"), Ok("a/c.yaml".to_owned()));
        assert_eq!(path("a/b.yaml", "../c%20d.yaml"), Ok("c d.yaml".to_owned()));
        assert_eq!(path("b.yaml", ""), Ok("b.yaml".to_owned()));
        assert_eq!(path("a/b.yaml", "../../c.yaml"), Err(Outside::Escapes));
        assert_eq!(path("a/b.yaml", "%2e%2e/%2e%2e/c.yaml"), Err(Outside::Escapes));
        assert_eq!(path("b.yaml", "/etc/passwd"), Err(Outside::Escapes));
        assert_eq!(path("b.yaml", "..\\x"), Err(Outside::Escapes));
        for url in ["https://x/y.yaml", "//x/y", "file:///etc/passwd", "urn:x"] {
            assert_eq!(path("b.yaml", url), Err(Outside::Remote), "{url}");
        }
    }
}
