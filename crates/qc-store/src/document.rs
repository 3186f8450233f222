use bytes::Bytes;
use qc_model::Timestamp;

use crate::{PAGE_MAX, Store, StoreError};

/// Something configured: a release, a deployment, a token. Its body is its owner's, as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// What it is, such as `deployment`.
    pub kind: String,
    /// Which one, unique within its kind.
    pub name: String,
    /// Rises by one with every change; the first is 1.
    pub revision: u64,
    /// The body.
    pub body: Bytes,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// All documents of a kind whose names begin like this, by name. For those of which there are few: all are in memory.
pub async fn documents_under(
    store: &dyn Store,
    kind: &str,
    prefix: &str,
) -> Result<Vec<Document>, StoreError> {
    let (mut found, mut after) = (Vec::new(), prefix.to_owned());
    loop {
        let page = store.documents(kind, Some(&after), PAGE_MAX).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after.clone_from(&last.name);
        for document in page {
            if !document.name.starts_with(prefix) {
                return Ok(found);
            }
            found.push(document);
        }
    }
}

/// One change of one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentOp {
    /// Writes it.
    Put {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
        /// What must be there before.
        expect: Expect,
        /// The new body.
        body: Bytes,
        /// When.
        at: Timestamp,
    },
    /// Removes it.
    Delete {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
        /// What must be there before.
        expect: Expect,
    },
}

/// What must be there before a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Anything or nothing.
    Any,
    /// Nothing.
    Absent,
    /// This revision.
    Revision(u64),
    /// Nothing, or the very same body: for content-addressed documents. When it is there already
    /// nothing changes, its revision included.
    AbsentOrSame,
}
