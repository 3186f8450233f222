use std::path::Path;

use qc_project::{Project, ProjectFiles};

use super::Trouble;

/// Reads a project's folder.
pub(super) fn project(folder: &Path) -> Result<Project, Trouble> {
    ProjectFiles::read(folder).map(Project::load).map_err(Trouble::findings)
}

/// Percent-encodes what stands in a query.
pub(super) fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A query of the pairs that have a value; empty when none has.
pub(super) fn query(pairs: &[(&str, Option<&str>)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if let Some(value) = value {
            text.push(if text.is_empty() { '?' } else { '&' });
            text.push_str(name);
            text.push('=');
            text.push_str(&encoded(value));
        }
    }
    text
}

/// The first characters of a hash, enough for people.
pub(super) fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}

/// A time without what people do not read: `2026-11-22 14:40:00`.
pub(super) fn clock(time: &str) -> String {
    let seconds: String = time.chars().take(19).collect();
    seconds.replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_leave_out_what_is_not_said() {
        assert_eq!(query(&[("a", None), ("b", Some("x y&z")), ("c", Some("1"))]), "?b=x+y%26z&c=1");
        assert_eq!(query(&[("a", None)]), "");
    }
}
