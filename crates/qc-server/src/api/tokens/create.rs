use http::Method;
use qc_access::{Action, IssueRequest, KEY_LIFETIME, Role, TokenKind, issue};
use qc_document::parse_duration;
use qc_model::{Actor, ActorKind};
use qc_store::ChangeOutcome;

use super::{may_of, of_lifetime, shown, within};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{CreateToken, CreatedToken},
    },
    codes,
};

/// The longest name, in bytes.
const NAME: usize = 100;
/// The longest owner or purpose, in bytes.
const TEXT: usize = 200;
/// The most scopes of one token.
const SCOPES: usize = 200;

pub(in crate::api) const ROUTE: Route = Route {
    id: "createToken",
    method: Method::POST,
    path: "/api/v1/tokens",
    action: Action::TokensWrite,
    summary: "Make a token; its text is in the answer and nowhere else",
    parameters: &[],
    body: Some(schema::<CreateToken>),
    status: 201,
    answer: Answer::Json(schema::<CreatedToken>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let mut asked: CreateToken = call.body()?;
    // Who makes a key for nobody in particular answers for it, or who answers for the key that does.
    let maker = call.principal();
    if asked.person.is_none() && maker.person.is_none() && maker.kind != TokenKind::Local {
        asked.owner = asked.owner.or_else(|| maker.owner.clone());
    }
    let request = read(asked, &call.asker.actor(Action::TokensWrite))?;
    let permit = may_of(&call, request.person.as_ref(), Some(&request.owner)).await?;
    within(&call, request.scopes.as_deref())?;
    let warnings = of_lifetime(request.lifetime).into_iter().collect();
    let state = permit.state;
    let issued = issue(request, &permit.actor, state.clock.now(), &*state.entropy);
    match state.committer.change(issued.change).await? {
        ChangeOutcome::Changed => {}
        // The id is random: two alike are as good as impossible, and another try makes another one.
        ChangeOutcome::Conflict { .. } => {
            let detail = "the id was taken; try again";
            return Err(Problem::new(409, codes::CHANGED_MEANWHILE, "Changed meanwhile", detail));
        }
    }
    let secret = issued.text.expose().to_owned();
    let token = shown(&issued.record, None, state.clock.now());
    Ok(Reply::created(&CreatedToken { secret, token, warnings }))
}

fn read(request: CreateToken, actor: &Actor) -> Result<IssueRequest, Problem> {
    let mut wrong: Vec<(&str, String)> = Vec::new();
    if request.name.is_empty() || request.name.len() > NAME {
        wrong.push(("/name", format!("it has 1 to {NAME} bytes")));
    }
    let role = Role::parse(&request.role);
    if role.is_none() {
        let names: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
        wrong.push(("/role", format!("it is one of {}", names.join(", "))));
    }
    let person = match request.person.as_deref().map(str::parse).transpose() {
        Ok(person) => person,
        Err(error) => {
            wrong.push(("/person", format!("{error}")));
            None
        }
    };
    let environment = match request.environment.as_deref().map(str::parse).transpose() {
        Ok(environment) => environment,
        Err(error) => {
            wrong.push(("/environment", format!("{error}")));
            None
        }
    };
    let narrowed = request.scopes.is_some();
    let scopes = request.scopes.unwrap_or_default();
    if narrowed && scopes.is_empty() {
        // An empty list would allow nothing; who leaves it empty rather means everything.
        wrong.push((
            "/scopes",
            "name at least one, or leave it out for all of the role's".to_owned(),
        ));
    }
    if scopes.len() > SCOPES {
        wrong.push(("/scopes", format!("at most {SCOPES}")));
    }
    let scopes: Vec<_> = scopes
        .iter()
        .take(SCOPES)
        .filter_map(|text| {
            text.parse().map_err(|error| wrong.push(("/scopes", format!("{error}")))).ok()
        })
        .collect();
    let lifetime = match request.lifetime.as_deref().map(parse_duration).transpose() {
        Ok(lifetime) => lifetime,
        Err(error) => {
            wrong.push(("/lifetime", error.to_string()));
            None
        }
    };
    for (pointer, text) in [("/owner", &request.owner), ("/purpose", &request.purpose)] {
        if text.as_ref().is_some_and(|text| text.trim().is_empty() || text.len() > TEXT) {
            wrong.push((pointer, format!("it has 1 to {TEXT} bytes")));
        }
    }
    // Somebody answers for every key: who it belongs to, or else who makes it.
    let owner =
        request.owner.or_else(|| request.person.clone()).unwrap_or_else(|| match actor.kind {
            ActorKind::Human => actor.id.clone(),
            _ => actor.text(),
        });
    match role {
        Some(role) if wrong.is_empty() => Ok(IssueRequest {
            owner,
            purpose: request.purpose.unwrap_or_else(|| request.name.clone()),
            name: request.name,
            kind: TokenKind::ApiKey,
            person,
            environment,
            role,
            scopes: narrowed.then_some(scopes),
            lifetime: Some(lifetime.unwrap_or(KEY_LIFETIME)),
        }),
        _ => Err(wrong.into_iter().fold(
            Problem::new(422, codes::BAD_BODY, "Unusable body", "the token cannot be made so"),
            |problem, (pointer, detail)| problem.pointing(pointer, detail),
        )),
    }
}
