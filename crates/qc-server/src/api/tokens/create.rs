use http::Method;
use qc_access::{Action, Denial, IssueRequest, Role, Scope, TokenKind, issue};
use qc_document::parse_duration;
use qc_store::ChangeOutcome;

use super::shown;
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
    let permit = call.may(None, None).await?;
    let request = read(call.body()?)?;
    within(&call, request.scopes.as_deref())?;
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
    Ok(Reply::created(&CreatedToken { secret, token: shown(&issued.record) }))
}

/// Who is narrowed to scopes gives away none but these: a token never makes a mightier one.
fn within(call: &Call, given: Option<&[Scope]>) -> Result<(), Problem> {
    let Some(own) = call.principal().scopes.as_deref() else { return Ok(()) };
    let covered = |scope: &Scope| {
        let text = scope.to_string();
        let any_name = text.rsplit_once('/').and_then(|(head, tail)| {
            let (_, verb) = tail.split_once(':')?;
            format!("{head}/*:{verb}").parse::<Scope>().ok()
        });
        own.contains(scope) || any_name.is_some_and(|any| own.contains(&any))
    };
    if given.is_some_and(|scopes| scopes.iter().all(covered)) {
        return Ok(());
    }
    Err(call.asker.refuse(Action::TokensWrite, Denial::Scope, None))
}

fn read(request: CreateToken) -> Result<IssueRequest, Problem> {
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
    match role {
        Some(role) if wrong.is_empty() => Ok(IssueRequest {
            name: request.name,
            kind: TokenKind::ApiKey,
            person,
            environment,
            role,
            scopes: narrowed.then_some(scopes),
            lifetime,
        }),
        _ => Err(wrong.into_iter().fold(
            Problem::new(422, codes::BAD_BODY, "Unusable body", "the token cannot be made so"),
            |problem, (pointer, detail)| problem.pointing(pointer, detail),
        )),
    }
}
