//! Reads a write-ahead log that an unclean end has left, before SQLite does.
//!
//! SQLite takes the log up to the first frame whose checksum is wrong and drops the rest without a
//! word: right for the torn end of a power loss, wrong for a flipped bit in the middle, which
//! would silently undo commits that were answered. We fsync every commit before the next one is
//! written, so behind the first bad frame there can be the end of at most one commit. More than
//! one means damage.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// What the log shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wal {
    /// Nothing to say against it.
    Sound,
    /// Answered commits would be lost.
    Damaged {
        /// The first bad frame, from 1.
        frame: u64,
        /// The commits that begin behind it.
        commits_behind: u64,
    },
}

/// Reads the log at `path`; no file is a sound log.
pub(super) fn check(path: &Path) -> io::Result<Wal> {
    match File::open(path) {
        Ok(file) => check_frames(BufReader::with_capacity(1 << 20, file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Wal::Sound),
        Err(error) => Err(error),
    }
}

fn check_frames(mut log: impl Read) -> io::Result<Wal> {
    let mut header = [0; HEADER];
    if !fill(&mut log, &mut header)? {
        return Ok(Wal::Sound);
    }
    let big_endian = match word(&header, 0) {
        0x377f_0682 => false,
        0x377f_0683 => true,
        _ => return Ok(Wal::Sound),
    };
    let page = word(&header, 8) as usize;
    let mut sum = Checksum { big_endian, first: 0, second: 0 };
    sum.add(&header[..24]);
    if !(512..=65536).contains(&page) || !page.is_power_of_two() || !sum.is(&header[24..]) {
        // A header is rewritten only when all the frames before it are in the database.
        return Ok(Wal::Sound);
    }
    let salt = &header[16..24];
    let mut frame = vec![0; FRAME_HEADER + page];
    let mut bad = None;
    let mut commits_behind = 0;
    for number in 1u64.. {
        if !fill(&mut log, &mut frame)? {
            break;
        }
        let current = &frame[8..16] == salt;
        if bad.is_none() {
            sum.add(&frame[..8]);
            sum.add(&frame[FRAME_HEADER..]);
            if current && sum.is(&frame[16..24]) {
                continue;
            }
            bad = Some(number);
        }
        // Frames with another salt are left over from an earlier round of the log.
        if current && word(&frame, 4) != 0 {
            commits_behind += 1;
        }
    }
    Ok(match bad {
        Some(frame) if commits_behind > 1 => Wal::Damaged { frame, commits_behind },
        _ => Wal::Sound,
    })
}

/// Whether the buffer could be filled; the log may end in the middle of a frame.
fn fill(log: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match log.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().fold(0, |word, byte| (word << 8) | u32::from(*byte))
}

/// The running checksum of the file format: two sums over pairs of words.
struct Checksum {
    big_endian: bool,
    first: u32,
    second: u32,
}

impl Checksum {
    fn add(&mut self, bytes: &[u8]) {
        for pair in bytes.chunks_exact(8) {
            let (mut one, mut two) = (word(pair, 0), word(pair, 4));
            if !self.big_endian {
                (one, two) = (one.swap_bytes(), two.swap_bytes());
            }
            self.first = self.first.wrapping_add(one).wrapping_add(self.second);
            self.second = self.second.wrapping_add(two).wrapping_add(self.first);
        }
    }

    /// Stored checksums are always big-endian.
    fn is(&self, stored: &[u8]) -> bool {
        word(stored, 0) == self.first && word(stored, 4) == self.second
    }
}
