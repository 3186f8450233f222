use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use qc_access::{Action, Resource, TOKEN_KIND, TokenKind, TokenRecord, UsesOf};
use qc_store::StoreError;

use super::shown;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, query, schema},
        wire::{Page, Token},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "listTokens",
    method: Method::GET,
    path: "/api/v1/tokens",
    action: Action::TokensRead,
    summary: "List tokens; their secrets are not stored and cannot be shown",
    parameters: &[
        query("after", "Only tokens after this id: `next` of the page before"),
        query("limit", "At most so many (1 to 500; 50 when left out)"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<Token>>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let (permit, cut) = call.list(None, None)?;
    let limit = call.limit()?;
    let after: Option<String> = call.query("after")?;
    let documents = permit.state.store.documents(TOKEN_KIND, after.as_deref(), limit + 1).await?;
    let now = permit.state.clock.now();
    let mut uses = BTreeMap::new();
    if let (Some(first), Some(last)) = (documents.first(), documents.last()) {
        for kind in [TokenKind::ApiKey, TokenKind::Local] {
            uses.extend(permit.state.uses.of(kind, Some((&first.name, &last.name))).await?);
        }
    }
    let (mut tokens, mut shown_ids) = (Vec::with_capacity(documents.len()), BTreeSet::new());
    for document in documents {
        let record: TokenRecord = serde_json::from_slice(&document.body).map_err(|error| {
            StoreError::Corrupt(format!("the record of token {}: {error}", document.name))
        })?;
        let units = call.asker.directory.of_key(record.person.as_ref(), record.owner.as_deref());
        if cut.shows_units(Resource { units: &units, ..Resource::default() }) {
            shown_ids.insert(record.id.clone());
        }
        let used = uses.get(&record.id).and_then(UsesOf::last);
        tokens.push(shown(&record, used, now));
    }
    let mut page = Page::new(tokens, limit, |token: &Token| token.id.clone());
    page.items.retain(|token| shown_ids.contains(&token.id));
    Ok(Reply::ok(&page.of(cut.units())))
}
