use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    marker::PhantomData,
    str,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Entropy, Timestamp};

/// Crockford's base 32 without I, L, O and U, lower case: safe in URLs and read aloud.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A text is not an id of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not {what}: expected `{prefix}_` and 26 characters of 0-9 a-z without i, l, o, u"
)]
pub struct IdError {
    text: String,
    what: &'static str,
    prefix: &'static str,
}

fn encode(mut bits: u128) -> [u8; 26] {
    let mut text = [b'0'; 26];
    for slot in text.iter_mut().rev() {
        *slot = ALPHABET[(bits & 31) as usize];
        bits >>= 5;
    }
    text
}

fn decode(text: &str) -> Option<u128> {
    if text.len() != 26 || text.as_bytes()[0] > b'7' {
        return None;
    }
    text.bytes().try_fold(0u128, |bits, byte| {
        let digit = ALPHABET.iter().position(|a| *a == byte)?;
        Some((bits << 5) | digit as u128)
    })
}

/// 48 bits of milliseconds, then 80 random bits: ids sort by the time they were made (as ULIDs).
fn time_ordered(at: Timestamp, entropy: &dyn Entropy) -> u128 {
    let millis = u128::try_from(at.as_millis()).unwrap_or(0) & ((1 << 48) - 1);
    (millis << 80) | (entropy.next_u128() & ((1 << 80) - 1))
}

/// What an id identifies: gives the printed prefix, so that ids of two kinds never mix.
pub trait IdKind: 'static {
    /// What stands before the underscore.
    const PREFIX: &'static str;
    /// The kind in words, with its article.
    const WHAT: &'static str;
}

/// 128 bits, ordered by creation time, printed as the kind's prefix, `_` and base 32.
pub struct Id<K>(u128, PhantomData<fn() -> K>);

/// Marks the ids of runs.
pub enum RunKind {}
/// Marks the ids of events.
pub enum EventKind {}
/// Marks the ids of transactions.
pub enum TxnKind {}

/// One execution of a workflow.
pub type RunId = Id<RunKind>;
/// One accepted event.
pub type EventId = Id<EventKind>;
/// One transaction of the store, so that an unknown outcome can be resolved by reading back.
pub type TxnId = Id<TxnKind>;

impl IdKind for RunKind {
    const PREFIX: &'static str = "run";
    const WHAT: &'static str = "a run id";
}
impl IdKind for EventKind {
    const PREFIX: &'static str = "evt";
    const WHAT: &'static str = "an event id";
}
impl IdKind for TxnKind {
    const PREFIX: &'static str = "txn";
    const WHAT: &'static str = "a transaction id";
}

impl<K> Id<K> {
    /// A new id, ordered after ids made at earlier milliseconds.
    pub fn new(at: Timestamp, entropy: &dyn Entropy) -> Self {
        Self(time_ordered(at, entropy), PhantomData)
    }

    /// When it was made, to the millisecond.
    pub fn made_at(self) -> Timestamp {
        Timestamp::from_millis(i64::try_from(self.0 >> 80).unwrap_or(i64::MAX))
    }

    /// From its 128 bits, as stored.
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits, PhantomData)
    }

    /// The 128 bits, for storage; big-endian bytes sort by creation time.
    pub const fn bits(self) -> u128 {
        self.0
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<K: IdKind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = encode(self.0);
        f.write_str(K::PREFIX)?;
        f.write_str("_")?;
        f.write_str(str::from_utf8(&text).unwrap_or_default())
    }
}

impl<K: IdKind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<K: IdKind> str::FromStr for Id<K> {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        text.strip_prefix(K::PREFIX)
            .and_then(|rest| rest.strip_prefix('_'))
            .and_then(decode)
            .map(Self::from_bits)
            .ok_or_else(|| IdError {
                text: text.chars().take(64).collect(),
                what: K::WHAT,
                prefix: K::PREFIX,
            })
    }
}

impl<K: IdKind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, K: IdKind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;
    impl Entropy for Fixed {
        fn next_u64(&self) -> u64 {
            0xdead_beef_dead_beef
        }
    }

    #[test]
    fn prints_parses_and_sorts_by_time() {
        let early = RunId::new(Timestamp::from_millis(1_000), &Fixed);
        let late = RunId::new(Timestamp::from_millis(1_001), &Fixed);
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(late.to_string().parse::<RunId>().unwrap(), late);
        assert_eq!(late.to_string().len(), 30);
        assert_eq!(late.made_at(), Timestamp::from_millis(1_001));
    }

    #[test]
    fn refuses_other_texts() {
        for text in [
            "",
            "run_",
            "evt_00000000000000000000000000",
            "run_0000000000000000000000000u",
            "run_80000000000000000000000000",
        ] {
            assert!(text.parse::<RunId>().is_err(), "{text}");
        }
    }
}
