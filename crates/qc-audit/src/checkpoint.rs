use crate::{Hash, NoteError, SigningKey, VerifyingKey, note};

/// What a log says of itself at a moment: its size and root. Signed, as C2SP's `tlog-checkpoint` says, it holds whoever
/// signed to every entry before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The text that is signed: three lines.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root)
    }

    /// Signs it.
    pub fn sign(&self, key: &SigningKey) -> String {
        key.sign(&self.text())
    }

    /// Of a note that at least one of the keys has signed, with that key.
    pub fn open<'k>(
        note: &str,
        keys: &'k [VerifyingKey],
    ) -> Result<(Self, &'k VerifyingKey), NoteError> {
        let (text, key) = note::open(note, keys)?;
        Ok((Self::parse(text)?, key))
    }

    /// Of a note whose signatures nobody looks at.
    pub fn unverified(note: &str) -> Result<Self, NoteError> {
        Self::parse(note::parts(note)?.0)
    }

    /// Lines behind the third are for extensions and are passed by.
    fn parse(text: &str) -> Result<Self, NoteError> {
        let form = NoteError::Form("its first three lines are not origin, size and root");
        let mut lines = text.lines();
        let (Some(origin), Some(digits), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(form);
        };
        let size = digits.parse::<u64>().ok().filter(|size| size.to_string() == digits);
        match (size, Hash::parse(root)) {
            (Some(size), Some(root)) if !origin.is_empty() => {
                Ok(Self { origin: origin.to_owned(), size, root })
            }
            _ => Err(form),
        }
    }
}
