//! Connections that end for good before long are told of once: on the log and in the ledger.

use std::time::Duration;

use qc_model::Timestamp;
use qc_store::{LedgerKind, LedgerRow, StoreError};

use super::{Connections, stored::audit};
use crate::{codes, record::Record};

/// So long before its end somebody hears that a connection has to be consented to again.
const NOTICE: Duration = Duration::from_secs(14 * 24 * 3600);

impl Record {
    /// When somebody has to consent again, if that is within two weeks: it ends then, and nothing renews it.
    pub fn ends_soon(&self, now: Timestamp) -> Option<Timestamp> {
        self.ends_at.filter(|end| self.state.allows_use() && end.since(now) < NOTICE)
    }
}

impl Connections {
    /// Tells of a connection that ends soon, once for each end, whichever node looks.
    pub async fn tell_of_end(&self, record: &Record) -> Result<(), StoreError> {
        let now = self.now();
        let Some(end) = record.ends_soon(now).filter(|end| record.told_of != Some(*end)) else {
            return Ok(());
        };
        let Some((present, revision)) = self.find(&record.id()).await? else { return Ok(()) };
        if present.ends_at != Some(end) || present.told_of == Some(end) {
            return Ok(());
        }
        let told = Record { told_of: Some(end), ..present };
        let facts = serde_json::json!({ "ends_at": end.to_string() });
        let row = LedgerRow {
            kind: LedgerKind::Decision,
            code: Some(codes::ENDS_SOON.to_string()),
            ..audit(&told, "ends soon", facts, &Self::actor(), now)
        };
        if self.change(vec![told.put(Some(revision), now)], vec![row]).await? {
            self.shelf.forget(&told.id());
            tracing::warn!(
                connection = %told.id().text(), ends_at = %end, code = %codes::ENDS_SOON,
                "a connection ends soon and cannot be renewed without consent"
            );
        }
        Ok(())
    }
}
