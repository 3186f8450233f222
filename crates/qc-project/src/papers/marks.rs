//! The generated part of a file that people write, too.

use std::ops::Range;

/// How the line begins that begins a generated part.
const BEGIN: &str = "<!-- qc:guide ";
const BEGIN_END: &str = " (generated: write around it, not in it) -->";
const END: &str = "<!-- qc:guide end -->";

/// Whose generated part it is: a trigger's, between two versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marks {
    /// `integration/trigger`.
    pub trigger: String,
    /// The older version.
    pub from: String,
    /// The newer one.
    pub to: String,
}

/// A generated part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marked {
    pub(super) marks: Marks,
    /// Where it is, with its marks.
    pub(super) range: Range<usize>,
}

/// A begin without an end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the generated part that begins at byte {at} has no end: the line `<!-- qc:guide end -->` is missing"
)]
pub struct Unmarked {
    /// Where it begins.
    pub at: usize,
}

impl Marks {
    /// A generated text between its marks.
    pub fn around(&self, generated: &str) -> String {
        let Self { trigger, from, to } = self;
        format!("{BEGIN}{trigger} {from} to {to}{BEGIN_END}\n\n{}\n\n{END}\n", generated.trim())
    }

    /// A text in which the generated part is this one; at its end when it had none.
    ///
    /// Errors: when a part has no end.
    pub fn put(&self, text: &str, generated: &str) -> Result<String, Unmarked> {
        let part = self.around(generated);
        let there = parts(text)?.into_iter().find(|it| it.marks == *self);
        Ok(match there {
            Some(Marked { range, .. }) => {
                format!("{}{part}{}", &text[..range.start], &text[range.end..])
            }
            None if text.trim().is_empty() => {
                let title = format!("# {}: from {} to {}", self.trigger, self.from, self.to);
                format!("{title}\n\n{part}")
            }
            None => format!("{}\n\n{part}", text.trim_end()),
        })
    }

    fn parse(line: &str) -> Option<Self> {
        let said = line.strip_prefix(BEGIN)?.strip_suffix(BEGIN_END)?;
        let (trigger, versions) = said.split_once(' ')?;
        let (from, to) = versions.split_once(" to ")?;
        Some(Self { trigger: trigger.to_owned(), from: from.to_owned(), to: to.to_owned() })
    }
}

/// The generated parts of a text, in their order. Marks are whole lines.
pub(super) fn parts(text: &str) -> Result<Vec<Marked>, Unmarked> {
    let (mut found, mut open) = (Vec::new(), None);
    let mut at = 0;
    for whole in text.split_inclusive('\n') {
        let line = whole.trim_end();
        let end = at + whole.len();
        if let Some(marks) = Marks::parse(line) {
            if let Some((_, at)) = open {
                return Err(Unmarked { at });
            }
            open = Some((marks, at));
        } else if line == END
            && let Some((marks, start)) = open.take()
        {
            found.push(Marked { marks, range: start..end });
        }
        at = end;
    }
    match open {
        Some((_, at)) => Err(Unmarked { at }),
        None => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marks() -> Marks {
        Marks { trigger: "a/b".to_owned(), from: "1.0.0".to_owned(), to: "2.0.0".to_owned() }
    }

    #[test]
    fn what_is_around_the_generated_part_stays() {
        let first = marks().put("# Mine\n\nProse.\n", "one").unwrap();
        let text = format!("{first}\nMore prose.\n");
        let second = marks().put(&text, "two").unwrap();
        assert!(second.starts_with("# Mine\n\nProse.\n") && second.ends_with("\nMore prose.\n"));
        assert!(second.contains("two") && !second.contains("one"), "{second}");
        let other = Marks { to: "3.0.0".to_owned(), ..marks() };
        assert!(other.put(&second, "three").unwrap().contains("two"), "another part stays");
    }

    #[test]
    fn a_part_without_an_end_is_said() {
        let text = marks().around("x").replace(END, "");
        assert_eq!(marks().put(&text, "y"), Err(Unmarked { at: 0 }));
        let twice = format!("{text}{}", marks().around("x"));
        assert_eq!(marks().put(&twice, "y"), Err(Unmarked { at: 0 }));
    }

    proptest! {
        #[test]
        fn putting_is_idempotent_and_finds_itself(prose in "[a-z#<! \\n-]{0,60}", body in "[a-z \\n]{0,30}") {
            let once = marks().put(&prose, &body).unwrap();
            prop_assert_eq!(&marks().put(&once, &body).unwrap(), &once);
            let found = parts(&once).unwrap();
            prop_assert_eq!(found.len(), 1);
            prop_assert_eq!(&once[found[0].range.clone()], marks().around(&body));
        }
    }
}
