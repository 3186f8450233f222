//! Multipart bodies: parts by their name, each compared by its own media type.

use super::body::{Allowance, compare_bodies};
use super::path::Step;
use super::rules::{Part, Rules};
use super::values::check_all_text;
use super::{Body, Content, Difference};
use crate::pact::rules::escaped;

/// Most parts of one body.
const PART_LIMIT: usize = 1_000;

struct Piece {
    name: String,
    content: Content,
}

pub(super) fn compare(
    wanted: &Content,
    given: &Content,
    rules: &Rules,
    allowance: Allowance,
    found: &mut Vec<Difference>,
) {
    let (wanted, given) = match (pieces(wanted), pieces(given)) {
        (Ok(wanted), Ok(given)) => (wanted, given),
        (Err(why), _) => {
            found.push(Difference::new("/body", format!("the expected body: {why}")));
            return;
        }
        (_, Err(why)) => {
            found.push(Difference::new("/body", why));
            return;
        }
    };
    for (at, piece) in wanted.iter().enumerate() {
        let pointer = format!("/body/{}", escaped(&piece.name));
        let same = given.iter().find(|other| other.name == piece.name);
        let Some(other) = same.or_else(|| given.get(at).filter(|_| piece.name.is_empty())) else {
            found.push(Difference::new(pointer, "is missing"));
            continue;
        };
        let text = |content: &Content| String::from_utf8_lossy(&content.bytes).into_owned();
        if let Some((matchers, _)) = rules.best(Part::Body, &[Step::Name(piece.name.clone())]) {
            let why = check_all_text(matchers, &text(&piece.content), &text(&other.content));
            found.extend(why.into_iter().map(|why| Difference::new(pointer.clone(), why)));
            continue;
        }
        let mut inside = Vec::new();
        let (wanted, given) =
            (Body::Present(piece.content.clone()), Body::Present(other.content.clone()));
        compare_bodies(&wanted, &given, &Rules::default(), allowance, &mut inside);
        found.extend(inside.into_iter().map(|difference| Difference {
            pointer: difference.pointer.replacen("/body", &pointer, 1),
            ..difference
        }));
    }
    if allowance == Allowance::Exact && given.len() > wanted.len() {
        let message = format!("must have {} parts, but has {}", wanted.len(), given.len());
        found.push(Difference::new("/body", message));
    }
}

fn parameter<'t>(header: &'t str, name: &str) -> Option<&'t str> {
    header.split(';').skip(1).find_map(|part| {
        let (key, value) = part.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

fn pieces(content: &Content) -> Result<Vec<Piece>, String> {
    let text = &content.bytes;
    // The boundary is declared; where a file leaves it out, the first line is it.
    let declared =
        parameter(&content.media_type, "boundary").map(|boundary| format!("--{boundary}"));
    let first = || {
        let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        String::from_utf8_lossy(line).trim_end().to_owned()
    };
    let boundary = declared.unwrap_or_else(first);
    if boundary.len() < 3 || !boundary.starts_with("--") {
        return Err("the parts have no boundary".to_owned());
    }
    let mut pieces = Vec::new();
    for part in split(text, boundary.as_bytes()).into_iter().skip(1) {
        if part.starts_with(b"--") {
            return Ok(pieces);
        }
        if pieces.len() >= PART_LIMIT {
            return Err(format!("has more than {PART_LIMIT} parts"));
        }
        pieces.push(piece(part));
    }
    Err("the last boundary is missing".to_owned())
}

fn split<'t>(text: &'t [u8], boundary: &[u8]) -> Vec<&'t [u8]> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while at + boundary.len() <= text.len() {
        let is_line = at == 0 || text[at - 1] == b'\n';
        if is_line && &text[at..at + boundary.len()] == boundary {
            parts.push(&text[start..at]);
            at += boundary.len();
            start = at;
        } else {
            at += 1;
        }
    }
    parts.push(&text[start..]);
    parts
}

fn piece(part: &[u8]) -> Piece {
    let text = part.strip_prefix(b"\r\n").or(part.strip_prefix(b"\n")).unwrap_or(part);
    let text = text.strip_suffix(b"\r\n").or(text.strip_suffix(b"\n")).unwrap_or(text);
    let gap = |gap: &[u8]| {
        text.windows(gap.len()).position(|window| window == gap).map(|at| (at, gap.len()))
    };
    let (head, body) = match gap(b"\r\n\r\n").or_else(|| gap(b"\n\n")) {
        Some((at, length)) => (&text[..at], &text[at + length..]),
        None => (&text[..0], text),
    };
    let head = String::from_utf8_lossy(head).into_owned();
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let disposition = header("content-disposition").unwrap_or_default();
    Piece {
        name: parameter(&disposition, "name").unwrap_or_default().to_owned(),
        content: Content::bytes(body.to_vec(), header("content-type")),
    }
}
