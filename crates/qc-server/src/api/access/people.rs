use std::{cmp::Reverse, collections::BTreeSet};

use http::Method;
use qc_access::{Action, TOKEN_KIND, TokenRecord, revoke as revoked};
use qc_identity::Session;
use qc_store::{PAGE_MAX, StoreError};

use crate::{
    Problem,
    api::{
        Call, Permit, Reply, Route,
        route::{Answer, schema},
        unusable, wire,
    },
};

/// The longest name of somebody, in bytes.
const USER: usize = 255;

pub(in crate::api) const LIST: Route = Route {
    id: "listSessions",
    method: Method::GET,
    path: "/api/v1/access/sessions",
    action: Action::TokensRead,
    summary: "List the sessions of people who signed in",
    parameters: &[],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<wire::Page<wire::Session>>),
    handler: |call| Box::pin(list(call)),
};

pub(in crate::api) const REVOKE: Route = Route {
    id: "revokePerson",
    method: Method::POST,
    path: "/api/v1/access/revoke",
    action: Action::TokensWrite,
    summary: "End all sessions and API keys of a person: sessions at once on all nodes, keys within a second",
    parameters: &[],
    body: Some(schema::<wire::RevokePerson>),
    status: 200,
    answer: Answer::Json(schema::<wire::RevokedPerson>),
    handler: |call| Box::pin(revoke(call)),
};

pub(in crate::api) const SEAL: Route = Route {
    id: "sealBreakGlass",
    method: Method::POST,
    path: "/api/v1/access/break-glass/seal",
    action: Action::TokensWrite,
    summary: "Seal the break-glass account anew; its credential is in the answer and nowhere else",
    parameters: &[],
    body: None,
    status: 201,
    answer: Answer::Json(schema::<wire::BreakGlass>),
    handler: |call| Box::pin(seal(call)),
};

async fn list(call: Call) -> Result<Reply, Problem> {
    let permit = call.may(None, None).await?;
    let mut sessions = permit.state.people.sessions().list().await?;
    sessions.sort_by_key(|session| Reverse(session.created_at));
    let items = sessions.iter().map(shown).collect();
    Ok(Reply::ok(&wire::Page::whole(items, None)))
}

async fn revoke(call: Call) -> Result<Reply, Problem> {
    let permit = call.may(None, None).await?;
    let wire::RevokePerson { user } = call.body()?;
    if user.trim().is_empty() || user.len() > USER {
        return Err(unusable("user", &format!("1 to {USER} bytes")));
    }
    let sessions = permit.state.people.revoke(&user, &permit.actor).await?;
    // Who is named by a session is known by the id of the owner directory there; keys have only that.
    let ids = sessions.iter().filter_map(|session| Some(session.person.as_ref()?.to_string()));
    let ids: BTreeSet<String> = ids.chain([user.clone()]).collect();
    let tokens = end_keys(&permit, &ids).await?;
    Ok(Reply::ok(&wire::RevokedPerson {
        schema_version: 1,
        user,
        sessions: sessions.len(),
        tokens,
    }))
}

/// Ends the API keys of these persons; gives how many.
async fn end_keys(permit: &Permit<'_>, persons: &BTreeSet<String>) -> Result<usize, Problem> {
    let state = permit.state;
    let (mut ended, mut after) = (0, None::<String>);
    loop {
        let page = state.store.documents(TOKEN_KIND, after.as_deref(), PAGE_MAX).await?;
        let Some(last) = page.last() else { return Ok(ended) };
        after = Some(last.name.clone());
        for document in &page {
            let record: TokenRecord = serde_json::from_slice(&document.body).map_err(|error| {
                StoreError::Corrupt(format!("the record of token {}: {error}", document.name))
            })?;
            if record.person.as_ref().is_some_and(|own| persons.contains(own.as_str())) {
                let change = revoked(&record, &permit.actor, state.clock.now(), &*state.entropy);
                state.committer.change(change).await?;
                state.tokens.forget(&record.id);
                ended += 1;
            }
        }
    }
}

async fn seal(call: Call) -> Result<Reply, Problem> {
    let permit = call.may(None, None).await?;
    let credential = permit.state.people.seal_break_glass(&permit.actor).await?;
    let credential = credential.expose().to_owned();
    Ok(Reply::created(&wire::BreakGlass { schema_version: 1, credential }))
}

fn shown(session: &Session) -> wire::Session {
    wire::Session {
        id: session.id.clone(),
        kind: session.kind.as_str().to_owned(),
        name: session.name.clone(),
        subject: session.subject.clone(),
        person: session.person.as_ref().map(ToString::to_string),
        role: session.role.as_str().to_owned(),
        device: session.device,
        created_at: session.created_at.to_string(),
        seen_at: session.seen_at.to_string(),
        expires_at: session.ends().to_string(),
    }
}
