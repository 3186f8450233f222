//! The frames of an archive: a tag, a length, so many bytes.

/// What every archive begins with; then its format as a number, and the end of the line.
pub(super) const MAGIC: &[u8] = b"QuickConnect backup ";

/// The longest line that an archive may begin with, behind [`MAGIC`].
pub(super) const FORMAT_DIGITS_MAX: usize = 9;

/// The longest frame that is read: a row with a body of the largest size that the store takes, and some.
pub(super) const FRAME_BYTES_MAX: usize = 128 << 20;

/// So many bytes of a large body are in one frame at most.
pub(crate) const CHUNK_BYTES: usize = 256 << 10;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    /// A part begins; its name.
    Part,
    /// A row.
    Row,
    /// A piece of the large body whose row came before.
    Chunk,
    /// The part ends.
    End,
    /// The manifest; the last frame.
    Manifest,
}

const TAGS: [(u8, Tag); 5] = [
    (b'P', Tag::Part),
    (b'R', Tag::Row),
    (b'C', Tag::Chunk),
    (b'E', Tag::End),
    (b'M', Tag::Manifest),
];

impl Tag {
    pub(super) fn byte(self) -> u8 {
        TAGS.iter().find(|(_, tag)| *tag == self).map_or(0, |(byte, _)| *byte)
    }

    pub(super) fn of(byte: u8) -> Option<Self> {
        TAGS.iter().find(|(own, _)| *own == byte).map(|(_, tag)| *tag)
    }
}

/// The head of a frame.
pub(super) fn head(tag: Tag, length: u32) -> [u8; 5] {
    let [a, b, c, d] = length.to_le_bytes();
    [tag.byte(), a, b, c, d]
}
