use std::collections::BTreeMap;

use super::state::State;
use crate::{Document, DocumentOp, Expect};

type Staged = BTreeMap<(String, String), Option<Document>>;

/// A document that is not as expected: its kind, its name, its present revision.
pub(super) type Conflict = (String, String, Option<u64>);

impl State {
    /// Changes all of them or none.
    pub(super) fn change_documents(&mut self, ops: Vec<DocumentOp>) -> Result<(), Conflict> {
        let mut staged = Staged::new();
        for op in ops {
            self.stage(&mut staged, op)?;
        }
        for (key, document) in staged {
            match document {
                Some(document) => self.documents.insert(key, document),
                None => self.documents.remove(&key),
            };
        }
        Ok(())
    }

    fn stage(&self, staged: &mut Staged, op: DocumentOp) -> Result<(), Conflict> {
        let (kind, name, expect) = match &op {
            DocumentOp::Put { kind, name, expect, .. }
            | DocumentOp::Delete { kind, name, expect } => (kind, name, *expect),
        };
        let key = (kind.clone(), name.clone());
        let before = staged.get(&key).cloned().unwrap_or_else(|| self.documents.get(&key).cloned());
        let revision = before.as_ref().map(|document| document.revision);
        let put_body = match &op {
            DocumentOp::Put { body, .. } => Some(body),
            DocumentOp::Delete { .. } => None,
        };
        let same = before.as_ref().is_some_and(|there| Some(&there.body) == put_body);
        let as_expected = match expect {
            Expect::Any => true,
            Expect::Absent => revision.is_none(),
            Expect::Revision(wanted) => revision == Some(wanted),
            Expect::AbsentOrSame => revision.is_none() || same,
        };
        if !as_expected {
            return Err((key.0, key.1, revision));
        }
        if expect == Expect::AbsentOrSame && same {
            return Ok(());
        }
        let after = match op {
            DocumentOp::Put { kind, name, body, at, .. } => {
                let revision = revision.unwrap_or(0) + 1;
                Some(Document { kind, name, revision, body, updated_at: at })
            }
            DocumentOp::Delete { .. } => None,
        };
        staged.insert(key, after);
        Ok(())
    }

    pub(super) fn list_documents(
        &self,
        kind: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Vec<Document> {
        use std::ops::Bound;
        let key = |name: &str| (kind.to_owned(), name.to_owned());
        let from = after.map_or(Bound::Included(key("")), |name| Bound::Excluded(key(name)));
        self.documents
            .range((from, Bound::Unbounded))
            .take_while(|((of, _), _)| of == kind)
            .take(limit)
            .map(|(_, document)| document.clone())
            .collect()
    }
}
