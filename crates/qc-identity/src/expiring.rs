//! Documents that count for minutes: their names begin with their end, so that those to be removed are the first.

use qc_model::Timestamp;
use qc_store::{DocumentOp, Expect, StoreError};

use crate::{Ground, text::sha256_text};

/// So many are removed at a time.
const REMOVED: usize = 200;
/// So many times at once: others write meanwhile.
const ROUNDS: usize = 50;

/// The name of what ends at `end` (seconds since 1970) and is found by a text.
pub(crate) fn name(end: i64, text: &str) -> String {
    format!("{end:012}-{}", sha256_text(text))
}

/// The end that a text begins with, as names do.
pub(crate) fn end_of(text: &str) -> Option<i64> {
    text.get(..12)?.parse().ok()
}

/// Removes those of a kind whose end is past.
pub(crate) async fn remove(ground: &Ground, kind: &str, now: Timestamp) -> Result<(), StoreError> {
    for _ in 0..ROUNDS {
        let first = ground.store.documents(kind, None, REMOVED).await?;
        let over =
            first.into_iter().filter(|one| end_of(&one.name).is_none_or(|end| end < now.as_secs()));
        let gone: Vec<DocumentOp> = over
            .map(|one| DocumentOp::Delete { kind: one.kind, name: one.name, expect: Expect::Any })
            .collect();
        let count = gone.len();
        if count > 0 {
            ground.change(gone, Vec::new()).await?;
        }
        if count < REMOVED {
            break;
        }
    }
    Ok(())
}
