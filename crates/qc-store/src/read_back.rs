use qc_model::{RunId, TxnId};

use crate::{
    AcceptOutcome, ChangeOutcome, DocumentOp, Store, StoreError, TxnOutcome, Write, WriteOutcome,
};

/// What is to be read back when the outcome of a write is unknown. Cheap to take from a write
/// before it is sent.
#[derive(Debug, Clone)]
pub struct ReadBack(Trace);

#[derive(Debug, Clone)]
enum Trace {
    Accept { run: RunId },
    Commit { run: RunId, expect: u64, txn: TxnId },
    Change { documents: Vec<DocumentOp>, signal: Option<(String, String)> },
    Claim,
}

/// What reading back has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// The write has this outcome.
    Settled(WriteOutcome),
    /// It did not happen, and may be sent again as it is.
    NotWritten,
}

impl ReadBack {
    /// Remembers what identifies the write.
    pub fn of(write: &Write) -> Self {
        Self(match write {
            Write::Accept(accept) => Trace::Accept { run: accept.run.id },
            Write::Commit { txn, .. } => {
                Trace::Commit { run: txn.run, expect: txn.expect, txn: txn.id }
            }
            Write::Change(change) => Trace::Change {
                documents: change.documents.clone(),
                signal: change.signals.last().map(|last| (last.scope.clone(), last.id.clone())),
            },
            Write::Claim { .. } => Trace::Claim,
        })
    }

    /// Reads back what became of the write.
    ///
    /// A change of documents counts as written when every document stands as it wished; a change
    /// that wished what was there before cannot be told apart from one that happened. A claim
    /// counts as not written: sent again it counts twice at worst.
    pub async fn resolve(&self, store: &dyn Store) -> Result<Resolution, StoreError> {
        match &self.0 {
            Trace::Accept { run } => Ok(match store.run(*run).await? {
                Some(_) => Resolution::Settled(WriteOutcome::Accept(AcceptOutcome::Accepted)),
                None => Resolution::NotWritten,
            }),
            Trace::Commit { run, expect, txn } => {
                let head = store.run(*run).await?;
                let version = head.as_ref().map(|head| head.version);
                Ok(match head {
                    Some(head) if head.last_txn == *txn => {
                        Resolution::Settled(WriteOutcome::Commit(TxnOutcome::Committed {
                            version: head.version,
                        }))
                    }
                    Some(head) if head.version == *expect => Resolution::NotWritten,
                    _ => {
                        Resolution::Settled(WriteOutcome::Commit(TxnOutcome::Conflict { version }))
                    }
                })
            }
            Trace::Change { documents, signal } => {
                for op in documents {
                    if !stands(store, op).await? {
                        return Ok(Resolution::NotWritten);
                    }
                }
                if let Some((scope, id)) = signal
                    && store.signal(scope, id).await?.is_none()
                {
                    return Ok(Resolution::NotWritten);
                }
                Ok(Resolution::Settled(WriteOutcome::Change(ChangeOutcome::Changed)))
            }
            Trace::Claim => Ok(Resolution::NotWritten),
        }
    }
}

async fn stands(store: &dyn Store, op: &DocumentOp) -> Result<bool, StoreError> {
    Ok(match op {
        DocumentOp::Put { kind, name, body, .. } => {
            store.document(kind, name).await?.is_some_and(|there| there.body == *body)
        }
        DocumentOp::Delete { kind, name, .. } => store.document(kind, name).await?.is_none(),
    })
}
