use http::Method;
use qc_access::{Action, Denial, RotateError, Rotation, TokenKind, rotate};
use qc_document::parse_duration;
use qc_store::ChangeOutcome;

use super::{may_of, of_lifetime, record_of, shown, within};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, path, schema},
        unusable,
        wire::{CreatedToken, RotateToken},
    },
    codes,
};

/// How long the present version holds on when nothing else is said.
const OVERLAP: &str = "24h";

pub(in crate::api) const ROUTE: Route = Route {
    id: "rotateToken",
    method: Method::POST,
    path: "/api/v1/tokens/{token}/rotate",
    action: Action::TokensWrite,
    summary: "Give a token a new version; the present one holds on for a while, and there are two at most",
    parameters: &[path("token", "Its id")],
    body: Some(schema::<RotateToken>),
    status: 201,
    answer: Answer::Json(schema::<CreatedToken>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let id: String = call.path("token")?;
    let asked = read(&call.body()?)?;
    // Looked at before the decision, as whose it is is what is decided on.
    let (record, revision) = record_of(&call.state, &id).await?;
    let permit = may_of(&call, record.person.as_ref(), record.owner.as_deref()).await?;
    let state = permit.state;
    within(&call, record.scopes.as_deref())?;
    // Its text is the right of the machine's owner, which an administrator has not.
    if record.kind == TokenKind::Local && call.principal().kind != TokenKind::Local {
        return Err(call.asker.refuse(Action::TokensWrite, Denial::Role, None));
    }
    let now = state.clock.now();
    let rotated = rotate((&record, revision), asked, &permit.actor, now, &*state.entropy);
    let issued = rotated.map_err(|error| refused(&error))?;
    match state.committer.change(issued.change).await? {
        ChangeOutcome::Changed => state.tokens.forget(&id),
        ChangeOutcome::Conflict { .. } => {
            let detail = "the token was changed at the same time; look at it and try again";
            return Err(Problem::new(409, codes::CHANGED_MEANWHILE, "Changed meanwhile", detail));
        }
    }
    let secret = issued.text.expose().to_owned();
    let warnings = of_lifetime(asked.lifetime).into_iter().collect();
    let used = state.uses.of(record.kind, Some((&id, &id))).await?;
    let used = used.get(&id).and_then(qc_access::UsesOf::last);
    let token = shown(&issued.record, used, now);
    Ok(Reply::created(&CreatedToken { secret, token, warnings }))
}

fn read(asked: &RotateToken) -> Result<Rotation, Problem> {
    if asked.at_once && asked.overlap.is_some() {
        return Err(unusable("overlap", &"it is `at_once`: then there is none"));
    }
    let duration = |what, text: &str| parse_duration(text).map_err(|it| unusable(what, &it));
    let overlap = asked.overlap.as_deref().unwrap_or(OVERLAP);
    let overlap = (!asked.at_once).then(|| duration("overlap", overlap)).transpose()?;
    let lifetime = asked.lifetime.as_deref().map(|text| duration("lifetime", text)).transpose()?;
    if lifetime.is_some_and(|lifetime| lifetime.is_zero()) {
        return Err(unusable("lifetime", &"it is more than nothing"));
    }
    Ok(Rotation { overlap, lifetime })
}

fn refused(error: &RotateError) -> Problem {
    match error {
        RotateError::TwoLive(_) | RotateError::Over(_) => {
            Problem::new(409, qc_access::codes::NOT_ROTATED, "Not rotated", error.to_string())
        }
        RotateError::Overlap => unusable("overlap", error),
    }
}
