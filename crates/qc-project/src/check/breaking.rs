//! What is written about breaking changes is there to be read.

use qc_document::closest;

use super::Subject;
use crate::{codes, shape::Spanned};

/// How the ids of changes begin.
const ID: &str = "chg-";

pub(super) fn check(subject: &mut Subject<'_>) {
    let file = subject.file;
    for (id, change) in file.value.breaking_changes.iter() {
        let digits = id.value.strip_prefix(ID).unwrap_or_default();
        if digits.len() != 16 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let message = format!("`{}` is no id of a change", id.value);
            subject.error(codes::BREAKING_CHANGE, id.span, message, "`qc gate` prints the ids");
        }
        resolve(subject, &change.changelog);
        resolve(subject, &change.migration);
    }
}

/// A file of the folder, and a heading of it when one is named.
fn resolve(subject: &mut Subject<'_>, link: &Spanned<String>) {
    let (path, heading) = match link.split_once('#') {
        Some((path, heading)) => (path, Some(heading)),
        None => (link.as_str(), None),
    };
    let whole = subject.folder.path(path);
    let Some(text) = subject.project.files().text(&whole) else {
        let message = format!("`{whole}` is not there, or no text");
        let help = "create it, or mend the path";
        return subject.error(codes::MISSING_FILE, link.span, message, help);
    };
    let Some(heading) = heading else { return };
    let there: Vec<String> = headings(text).map(anchor).collect();
    if !there.contains(&anchor(heading)) {
        let message = format!("`{whole}` has no heading `{heading}`");
        let help = match closest(&anchor(heading), there.iter().map(String::as_str)) {
            Some(close) => format!("did you mean `{path}#{close}`?"),
            None => "write the entry".to_owned(),
        };
        subject.error(codes::BREAKING_CHANGE, link.span, message, help);
    }
}

/// The headings of a Markdown text, fenced code left out.
fn headings(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter_map(move |line| {
        let line = line.trim_end();
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
            return None;
        }
        let words = line.trim_start_matches('#');
        let depth = line.len() - words.len();
        (!is_code && (1..=6).contains(&depth) && words.starts_with(' ')).then(|| words.trim())
    })
}

/// How a heading is linked to: lower case, spaces as hyphens, no other punctuation. Version numbers may be written
/// with their dots.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter_map(|c| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        c if c.is_alphanumeric() => Some(c),
        _ => None,
    });
    kept.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_found_outside_of_code_and_by_their_anchors() {
        let text = "# Changes\n\n```\n# no heading\n```\n## 2.0.0 - 2026-11-01\n#hash\n";
        assert_eq!(headings(text).collect::<Vec<_>>(), ["Changes", "2.0.0 - 2026-11-01"]);
        assert_eq!(anchor("2.0.0 - 2026-11-01"), "200---2026-11-01");
        assert_eq!(anchor("2.0.0"), anchor("[2.0.0]"));
    }
}
