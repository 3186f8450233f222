use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use qc_model::Name;
use rusqlite::{Connection, OptionalExtension};

use super::trouble::{Outcome, Trouble};

/// So many words are remembered; then remembering begins anew. (Names, releases and outcomes are
/// few; this only bounds the memory of who stores something odd.)
const REMEMBERED_MAX: usize = 50_000;

/// The writer's side: from texts to their numbers, adding new ones.
#[derive(Debug, Default)]
pub(super) struct WordNumbers {
    known: HashMap<Box<str>, i64>,
}

impl WordNumbers {
    /// The number of a text, which is stored when it is new.
    pub(super) fn number(&mut self, db: &Connection, text: &str) -> Outcome<i64> {
        if let Some(number) = self.known.get(text) {
            return Ok(*number);
        }
        let number = match find(db, text)? {
            Some(number) => number,
            None => db.prepare_cached("INSERT INTO word (text) VALUES (?1)")?.insert([text])?,
        };
        if self.known.len() >= REMEMBERED_MAX {
            self.known.clear();
        }
        self.known.insert(text.into(), number);
        Ok(number)
    }

    /// Forgets everything: what was new in a transaction that was undone does not exist.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }
}

/// The number of a text, when it is stored.
pub(super) fn find(db: &Connection, text: &str) -> Outcome<Option<i64>> {
    let mut query = db.prepare_cached("SELECT no FROM word WHERE text = ?1")?;
    Ok(query.query_row([text], |row| row.get(0)).optional()?)
}

/// The readers' side: from numbers to texts. Words are never changed or removed, so what was
/// read once stays true.
#[derive(Debug, Default)]
pub(super) struct WordTexts {
    known: RwLock<HashMap<i64, Word>>,
}

#[derive(Debug, Clone)]
struct Word {
    text: Arc<str>,
    /// The text as a name, when it is one.
    name: Option<Name>,
}

impl WordTexts {
    /// The text with this number.
    pub(super) fn text(&self, db: &Connection, number: i64) -> Outcome<Arc<str>> {
        Ok(self.word(db, number)?.text)
    }

    /// The name with this number.
    pub(super) fn name(&self, db: &Connection, number: i64) -> Outcome<Name> {
        let word = self.word(db, number)?;
        word.name.ok_or_else(|| Trouble::Damaged(format!("`{}` is stored as a name", word.text)))
    }

    fn word(&self, db: &Connection, number: i64) -> Outcome<Word> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&number).cloned();
        if let Some(word) = known {
            return Ok(word);
        }
        let text: Option<String> = db
            .prepare_cached("SELECT text FROM word WHERE no = ?1")?
            .query_row([number], |row| row.get(0))
            .optional()?;
        let text =
            text.ok_or_else(|| Trouble::Damaged(format!("the word {number} is not stored")))?;
        let word = Word { name: Name::new(&text).ok(), text: text.into() };
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(number, word.clone());
        Ok(word)
    }
}
