use http::Method;
use qc_access::{Action, IssueRequest, Role, issue};
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
    let permit = call.may(None, None)?;
    let request = read(call.body()?)?;
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
    let environment = match request.environment.as_deref().map(str::parse).transpose() {
        Ok(environment) => environment,
        Err(error) => {
            wrong.push(("/environment", format!("{error}")));
            None
        }
    };
    let scopes = request.scopes.unwrap_or_default();
    let narrowed = !scopes.is_empty();
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
