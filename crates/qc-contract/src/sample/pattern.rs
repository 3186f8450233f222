//! Text that matches a regular expression.

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

/// Longest text that is made.
const LENGTH_LIMIT: usize = 4_096;
/// Most pieces of an expression that are visited for one text.
const STEP_LIMIT: u32 = 50_000;

/// Text that matches `regex` with a length within bounds if possible; `None` when the expression is not understood
/// (ECMA features that Rust's syntax lacks).
pub(super) fn matching(regex: &str, seed: u64, least: usize, most: usize) -> Option<String> {
    let hir = regex_syntax::parse(&translated(regex)).ok()?;
    // More repetitions where the text must be longer, as few as possible first.
    for extra in [1, 0, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 64, 128, 1024] {
        let mut making = Making { state: seed, extra, steps: 0, made: String::new() };
        making.piece(&hir);
        let mut made = making.made;
        let length = made.chars().count();
        if length < least && !regex.ends_with('$') {
            made.extend(std::iter::repeat_n('a', (least - length).min(LENGTH_LIMIT)));
        }
        let length = made.chars().count();
        if (least..=most).contains(&length) {
            return Some(made);
        }
    }
    let mut making = Making { state: seed, extra: 0, steps: 0, made: String::new() };
    making.piece(&hir);
    Some(making.made)
}

/// Whether a name is plainly covered by an expression: only literal and anchored ones are understood, which is what
/// `patternProperties` in descriptions are; others count as fitting.
pub(super) fn fits(regex: &str, name: &str) -> bool {
    let literal = regex.trim_start_matches('^').trim_end_matches('$');
    let is_plain = literal.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'));
    if !is_plain {
        return true;
    }
    match (regex.starts_with('^'), regex.ends_with('$')) {
        (true, true) => name == literal,
        (true, false) => name.starts_with(literal),
        (false, true) => name.ends_with(literal),
        (false, false) => name.contains(literal),
    }
}

/// ECMA spellings that Rust's syntax refuses.
fn translated(regex: &str) -> String {
    let mut made = String::with_capacity(regex.len());
    let mut characters = regex.chars();
    while let Some(character) = characters.next() {
        match (character, characters.clone().next()) {
            ('\\', Some('/')) => {
                characters.next();
                made.push('/');
            }
            ('\\', Some(escaped)) => {
                characters.next();
                made.push('\\');
                made.push(escaped);
            }
            _ => made.push(character),
        }
    }
    // ECMA's classes are ASCII.
    made.replace("\\d", "[0-9]").replace("\\w", "[0-9A-Za-z_]")
}

struct Making {
    state: u64,
    extra: u32,
    steps: u32,
    made: String,
}

impl Making {
    fn next(&mut self) -> u64 {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.state >> 33
    }

    fn is_exhausted(&self) -> bool {
        self.made.len() >= LENGTH_LIMIT || self.steps >= STEP_LIMIT
    }

    fn piece(&mut self, hir: &Hir) {
        self.steps += 1;
        if self.is_exhausted() {
            return;
        }
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => self.made.push_str(&String::from_utf8_lossy(&literal.0)),
            HirKind::Class(class) => self.class(class),
            HirKind::Repetition(repetition) => self.repetition(repetition),
            HirKind::Capture(capture) => self.piece(&capture.sub),
            HirKind::Concat(pieces) => pieces.iter().for_each(|piece| self.piece(piece)),
            HirKind::Alternation(pieces) => {
                let at = self.next() % (pieces.len().max(1) as u64);
                if let Some(piece) = usize::try_from(at).ok().and_then(|at| pieces.get(at)) {
                    self.piece(piece);
                }
            }
        }
    }

    fn repetition(&mut self, repetition: &Repetition) {
        let most = repetition.max.unwrap_or(u32::MAX);
        let times = repetition.min.saturating_add(self.extra).min(most);
        for _ in 0..times.max(repetition.min) {
            if self.is_exhausted() {
                break;
            }
            self.piece(&repetition.sub);
        }
    }

    fn class(&mut self, class: &Class) {
        let Class::Unicode(class) = class else { return };
        let ranges = class.ranges();
        // Prefer what reads well: lower case letters and digits, then anything printable.
        let readable = [('a', 'z'), ('0', '9'), ('A', 'Z'), ('!', '~')];
        for (low, high) in readable {
            let within = ranges.iter().find_map(|range| {
                let (start, end) = (range.start().max(low), range.end().min(high));
                (start <= end).then_some((start, end))
            });
            if let Some((start, end)) = within {
                let span = u64::from(u32::from(end) - u32::from(start) + 1);
                let offset = u32::try_from(self.next() % span).unwrap_or(0);
                self.made.push(char::from_u32(u32::from(start) + offset).unwrap_or(start));
                return;
            }
        }
        if let Some(range) = ranges.first() {
            self.made.push(range.start());
        }
    }
}
