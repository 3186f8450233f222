//! How far a poll has come, as a document. It belongs to the trigger, not to a release: a new release goes on where
//! the one before it stopped.

use bytes::Bytes;
use qc_model::{EnvironmentName, Name, Timestamp};
use qc_store::{DocumentOp, Expect, Store, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The documents' kind.
pub(super) const KIND: &str = "poll-cursor";
/// The version that is written.
const VERSION: u32 = 1;
/// The largest cursor as text, in bytes: it is a place, not a payload.
const LARGEST: usize = 64 << 10;

#[derive(Serialize, Deserialize)]
struct Body {
    v: u32,
    cursor: Value,
}

/// A cursor with what must be there when it moves.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cursor {
    name: String,
    pub(super) value: Value,
    expect: Expect,
}

impl Cursor {
    /// Reads the cursor; the first one when there is none yet.
    pub(super) async fn read(
        store: &dyn Store,
        environment: &EnvironmentName,
        integration: &Name,
        trigger: &Name,
        start: &Value,
    ) -> Result<Self, StoreError> {
        let name = format!("{environment}/{integration}/{trigger}");
        let Some(document) = store.document(KIND, &name).await? else {
            return Ok(Self { name, value: start.clone(), expect: Expect::Absent });
        };
        let body: Body = serde_json::from_slice(&document.body)
            .map_err(|error| StoreError::Corrupt(format!("the {KIND} {name}: {error}")))?;
        if body.v != VERSION {
            let why = format!("the {KIND} {name} has the version {}", body.v);
            return Err(StoreError::Corrupt(why));
        }
        Ok(Self { name, value: body.cursor, expect: Expect::Revision(document.revision) })
    }

    /// Whether it stands where it was read.
    pub(super) async fn stands(&self, store: &dyn Store) -> Result<bool, StoreError> {
        let there = store.document(KIND, &self.name).await?.map(|document| document.revision);
        Ok(match self.expect {
            Expect::Revision(revision) => there == Some(revision),
            _ => there.is_none(),
        })
    }

    /// The change that moves it; none when it stays. An error says why it cannot be moved there.
    pub(super) fn moved(&self, to: Value, at: Timestamp) -> Result<Option<DocumentOp>, String> {
        if to == self.value && self.expect != Expect::Absent {
            return Ok(None);
        }
        if to.is_null() && !self.value.is_null() {
            return Err(
                "it gives null, which would begin anew; write `… // .cursor` to stay".to_owned()
            );
        }
        let body = serde_json::to_vec(&Body { v: VERSION, cursor: to })
            .map_err(|error| error.to_string())?;
        if body.len() > LARGEST {
            return Err(format!("it gives {} bytes; a cursor has at most {LARGEST}", body.len()));
        }
        Ok(Some(DocumentOp::Put {
            kind: KIND.to_owned(),
            name: self.name.clone(),
            expect: self.expect,
            body: Bytes::from(body),
            at,
        }))
    }
}

#[cfg(test)]
mod tests {
    use qc_store::memory::MemoryStore;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn it_begins_where_it_is_declared_and_moves_once_from_one_place() {
        let store = MemoryStore::new();
        let (environment, name) =
            (EnvironmentName::new("production").unwrap(), Name::new("x").unwrap());
        let read = async || {
            Cursor::read(&store, &environment, &name, &name, &json!("2026")).await.unwrap()
        };
        let first = read().await;
        assert_eq!(first.value, json!("2026"));
        let at = Timestamp::from_millis(1);
        let change = |op: DocumentOp| {
            qc_store::Write::Change(Box::new(qc_store::Change {
                id: qc_model::TxnId::from_bits(1),
                documents: vec![op],
                ledger: Vec::new(),
                signals: Vec::new(),
            }))
        };
        let op = first.moved(json!("2027"), at).unwrap().unwrap();
        store.write(vec![change(op.clone())]).await.unwrap();
        assert!(!first.stands(&store).await.unwrap());
        // A second move from the same place is a conflict, and changes nothing.
        store.write(vec![change(op)]).await.unwrap();
        let second = read().await;
        assert_eq!((&second.value, second.expect), (&json!("2027"), Expect::Revision(1)));
        assert!(second.stands(&store).await.unwrap());
        assert_eq!(second.moved(json!("2027"), at), Ok(None));
        assert!(second.moved(Value::Null, at).unwrap_err().contains("// .cursor"));
        assert!(second.moved(json!("x".repeat(LARGEST)), at).is_err());
    }
}
