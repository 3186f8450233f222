//! How values stand in the database.

use std::{borrow::Cow, error::Error};

use aws_lc_rs::digest::{Context, SHA256};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use qc_model::{Id, Name, Timestamp};
use qc_store::{DeadState, LedgerKind, LiveCause, RunStatus};
use tokio_postgres::{
    Row,
    types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked},
};

use super::trouble::{Outcome, Trouble};

/// An id as a UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Uuid(pub(super) u128);

impl<K> From<Id<K>> for Uuid {
    fn from(id: Id<K>) -> Self {
        Self(id.bits())
    }
}

impl Uuid {
    pub(super) const fn id<K>(self) -> Id<K> {
        Id::from_bits(self.0)
    }
}

impl ToSql for Uuid {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_u128(self.0);
        Ok(IsNull::No)
    }

    accepts!(UUID);
    to_sql_checked!();
}

impl FromSql<'_> for Uuid {
    fn from_sql(_: &Type, mut raw: &[u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        if raw.len() != 16 {
            return Err(format!("an id of {} bytes is stored", raw.len()).into());
        }
        Ok(Self(raw.get_u128()))
    }

    accepts!(UUID);
}

/// Stands for several texts where they are looked up together: half of a SHA-256.
pub(super) fn mark(texts: &[&str]) -> Uuid {
    let mut context = Context::new(&SHA256);
    for text in texts {
        // With its length, so that no two lists of texts are one.
        context.update(&text.len().to_be_bytes());
        context.update(text.as_bytes());
    }
    let digest = context.finish();
    Uuid(digest.as_ref().get_u128())
}

/// A text without NUL, which PostgreSQL cannot hold; keeps the order of bytes.
pub(super) fn text(text: &str) -> Cow<'_, str> {
    if text.contains(['\0', '\u{1}']) {
        Cow::Owned(text.replace('\u{1}', "\u{1}\u{2}").replace('\0', "\u{1}\u{1}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The text as it was given.
pub(super) fn text_of(stored: String) -> String {
    if !stored.contains('\u{1}') {
        return stored;
    }
    let mut text = String::with_capacity(stored.len());
    let mut characters = stored.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1}' {
            text.push(if characters.next() == Some('\u{1}') { '\0' } else { '\u{1}' });
        } else {
            text.push(character);
        }
    }
    text
}

/// The fields of a row, each as what it stands for.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a Row);

impl Fields<'_> {
    pub(super) fn id<K>(self, column: usize) -> Outcome<Id<K>> {
        Ok(self.0.try_get::<_, Uuid>(column)?.id())
    }

    pub(super) fn optional_id<K>(self, column: usize) -> Outcome<Option<Id<K>>> {
        Ok(self.0.try_get::<_, Option<Uuid>>(column)?.map(Uuid::id))
    }

    pub(super) fn text(self, column: usize) -> Outcome<String> {
        Ok(text_of(self.0.try_get(column)?))
    }

    pub(super) fn optional_text(self, column: usize) -> Outcome<Option<String>> {
        Ok(self.0.try_get::<_, Option<String>>(column)?.map(text_of))
    }

    pub(super) fn name(self, column: usize) -> Outcome<Name> {
        name_of(self.0.try_get(column)?)
    }

    pub(super) fn optional_name(self, column: usize) -> Outcome<Option<Name>> {
        self.0.try_get::<_, Option<&str>>(column)?.map(name_of).transpose()
    }

    pub(super) fn time(self, column: usize) -> Outcome<Timestamp> {
        Ok(Timestamp::from_millis(self.0.try_get(column)?))
    }

    pub(super) fn count(self, column: usize) -> Outcome<u64> {
        let stored: i64 = self.0.try_get(column)?;
        u64::try_from(stored).map_err(|_| Trouble::Damaged(format!("the count {stored} is stored")))
    }

    pub(super) fn bytes(self, column: usize) -> Outcome<Bytes> {
        Ok(Bytes::copy_from_slice(self.0.try_get(column)?))
    }

    /// A value that is stored as it is.
    pub(super) fn get<'b, T: FromSql<'b>>(&'b self, column: usize) -> Outcome<T> {
        Ok(self.0.try_get(column)?)
    }
}

fn name_of(stored: &str) -> Outcome<Name> {
    Name::new(stored).map_err(|_| Trouble::Damaged(format!("`{stored}` is stored as a name")))
}

/// A count as stored; one beyond 2^63 equals no stored one.
pub(super) fn count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// How many, for a comparison in SQL.
pub(super) fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn claims_of(stored: i64) -> Outcome<u32> {
    u32::try_from(stored).map_err(|_| Trouble::Damaged(format!("the count {stored} is stored")))
}

pub(super) fn status_of(stored: &str) -> Outcome<RunStatus> {
    RunStatus::parse(stored).ok_or_else(|| unknown("run status", stored))
}

pub(super) fn cause_of(stored: &str) -> Outcome<LiveCause> {
    LiveCause::parse(stored).ok_or_else(|| unknown("live cause", stored))
}

pub(super) fn dead_of(stored: &str) -> Outcome<DeadState> {
    DeadState::parse(stored).ok_or_else(|| unknown("dead letter state", stored))
}

pub(super) fn kind_of(stored: &str) -> Outcome<LedgerKind> {
    LedgerKind::parse(stored).ok_or_else(|| unknown("ledger kind", stored))
}

fn unknown(what: &str, stored: &str) -> Trouble {
    Trouble::Damaged(format!("the {what} `{stored}` is stored, which no version knows"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_tell_lists_of_texts_apart() {
        assert_eq!(mark(&["a", "b"]), mark(&["a", "b"]));
        for other in [&["ab", ""][..], &["", "ab"], &["ab"], &["a", "b", ""]] {
            assert_ne!(mark(&["a", "b"]), mark(other));
        }
    }

    #[test]
    fn texts_come_back_and_keep_their_order() {
        let mut texts = [
            "", "\0", "\0\0", "\0a", "\u{1}", "\u{1}\0", "\u{2}", "a", "a\0", "a\0b", "a\u{1}",
            "ab", "ä",
        ];
        texts.sort_unstable();
        let stored: Vec<String> = texts.iter().map(|one| text(one).into_owned()).collect();
        assert!(stored.is_sorted(), "{stored:?}");
        for (given, stored) in texts.iter().zip(stored) {
            assert!(!stored.contains('\0'));
            assert_eq!(text_of(stored), *given);
        }
    }
}
