//! That a connection works again, told to all nodes: a document that is written with the tokens, so that it is neither
//! forgotten when the process ends between the two nor told too early.

use std::{collections::HashMap, time::Duration};

use qc_store::{DocumentOp, Expect, PAGE_MAX, StoreError};
use tokio::sync::Notify;

use super::Connections;
use crate::{provider::ConnectionId, record::NEWS_KIND};

/// Older news concerns nobody: who waited then has looked again by itself.
const RECENT: Duration = Duration::from_secs(20 * 60);

/// Rings when this process has news.
#[derive(Default)]
pub(super) struct Bell(Notify);

impl Bell {
    pub(super) fn ring(&self) {
        self.0.notify_one();
    }
}

/// The news that somebody has heard.
#[derive(Debug, Default)]
pub struct Seen(HashMap<String, u64>);

impl Connections {
    /// The change that says that a connection works again.
    pub(super) fn works_again(&self, id: &ConnectionId) -> DocumentOp {
        DocumentOp::Put {
            kind: NEWS_KIND.to_owned(),
            name: id.text(),
            expect: Expect::Any,
            body: serde_json::json!({ "schema_version": 1 }).to_string().into_bytes().into(),
            at: self.now(),
        }
    }

    pub(super) fn tells_news(documents: &[DocumentOp]) -> bool {
        documents.iter().any(|op| matches!(op, DocumentOp::Put { kind, .. } if kind == NEWS_KIND))
    }

    /// The connections that work again since somebody looked last, on whichever node they were mended.
    pub async fn news(&self, seen: &mut Seen) -> Result<Vec<ConnectionId>, StoreError> {
        let (mut news, mut after): (Vec<ConnectionId>, Option<String>) = (Vec::new(), None);
        loop {
            let page = self.store().documents(NEWS_KIND, after.as_deref(), PAGE_MAX).await?;
            let Some(last) = page.last() else { return Ok(news) };
            after = Some(last.name.clone());
            for one in &page {
                let known = seen.0.insert(one.name.clone(), one.revision) == Some(one.revision);
                if known || self.now().since(one.updated_at) > RECENT {
                    continue;
                }
                let named = one.name.split_once('/');
                let id = named.and_then(|(environment, name)| {
                    Some(ConnectionId { environment: environment.parse().ok()?, name: name.into() })
                });
                news.extend(id);
            }
        }
    }

    /// Waits until this process has news; other nodes' have to be looked for.
    pub async fn news_came(&self) {
        self.bell.0.notified().await;
    }
}
