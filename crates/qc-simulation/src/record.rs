//! What happened in a story, in order, and what was wrong about it.

use std::{
    collections::VecDeque,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::time::Instant;

use crate::{Broken, Exercise, Exercised, Invariant};

/// So many lines of a script's beginning and of its end are kept.
const HEAD_LINES: usize = 200;
const TAIL_LINES: usize = 800;

/// So many broken invariants of one story are told; the first one is what matters.
const BROKEN_MAX: usize = 20;

/// The longest line, in bytes.
const LINE_BYTES: usize = 4_000;

/// The record that all parts of a story write. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Record(Arc<Mutex<Lines>>);

struct Lines {
    began: Option<Instant>,
    head: Vec<String>,
    tail: VecDeque<String>,
    left_out: usize,
    /// Of every line, also of those that are left out.
    hasher: DefaultHasher,
    broken: Vec<Broken>,
    exercised: Exercised,
}

impl Record {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Lines {
            began: None,
            head: Vec::new(),
            tail: VecDeque::new(),
            left_out: 0,
            hasher: DefaultHasher::new(),
            broken: Vec::new(),
            exercised: Exercised::new(),
        })))
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        // A panic in a story is told with what was recorded before it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The virtual clock begins to run.
    pub(crate) fn begin(&self) {
        self.lines().began = Some(Instant::now());
    }

    /// Something happened.
    pub(crate) fn tell(&self, what: impl fmt::Display) {
        let mut lines = self.lines();
        let at = lines.began.map_or(0.0, |began| began.elapsed().as_secs_f64());
        let mut line = format!("{at:>9.3} {what}");
        line.hash(&mut lines.hasher);
        if line.len() > LINE_BYTES {
            let end = (0..=LINE_BYTES).rev().find(|at| line.is_char_boundary(*at));
            line.truncate(end.unwrap_or(0));
            line.push('…');
        }
        lines.push(line);
    }

    /// Something happened that must not.
    pub(crate) fn broken(&self, invariant: Invariant, detail: impl fmt::Display) {
        let detail = detail.to_string();
        self.tell(format_args!("!!! {invariant}: {detail}"));
        let mut lines = self.lines();
        if lines.broken.len() < BROKEN_MAX {
            lines.broken.push(Broken { invariant, detail });
        }
    }

    /// Whether anything is wrong.
    pub(crate) fn is_broken(&self) -> bool {
        !self.lines().broken.is_empty()
    }

    /// The engine did something of this kind.
    pub(crate) fn count(&self, what: Exercise) {
        *self.lines().exercised.entry(what).or_default() += 1;
    }

    /// How often it did each.
    pub(crate) fn exercised(&self) -> Exercised {
        self.lines().exercised.clone()
    }

    /// Something that belongs to the digest and not into the script.
    pub(crate) fn digest(&self, what: &impl Hash) {
        what.hash(&mut self.lines().hasher);
    }

    /// The digest of everything so far, the script, and what was wrong.
    pub(crate) fn close(&self) -> (u64, String, Vec<Broken>) {
        let lines = self.lines();
        let mut script = lines.head.join("\n");
        if lines.left_out > 0 {
            script.push_str(&format!("\n          … {} lines …", lines.left_out));
        }
        for line in &lines.tail {
            script.push('\n');
            script.push_str(line);
        }
        (lines.hasher.finish(), script, lines.broken.clone())
    }
}

impl Lines {
    fn push(&mut self, line: String) {
        if self.head.len() < HEAD_LINES {
            self.head.push(line);
            return;
        }
        if self.tail.len() == TAIL_LINES {
            self.tail.pop_front();
            self.left_out += 1;
        }
        self.tail.push_back(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_script_keeps_its_beginning_and_its_end_and_every_line_counts() {
        let (one, other) = (Record::new(), Record::new());
        for number in 0..5_000 {
            one.tell(number);
            other.tell(if number == 2_500 { -1 } else { number });
        }
        let (digest, script, broken) = one.close();
        assert!(script.contains(" 0\n") && script.ends_with(" 4999"), "{script}");
        assert!(script.contains("… 4000 lines …"), "{script}");
        assert!(broken.is_empty());
        assert_eq!(script, other.close().1, "the line that differs is left out");
        assert_ne!(digest, other.close().0);
    }
}
