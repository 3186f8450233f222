use std::collections::BTreeMap;

use http::Method;
use qc_access::{
    Action, Denial, Enough, Holding, Known, Owned, Principal, Scope, TokenKind, UsesOf, reach,
    review,
};
use qc_document::parse_duration;
use qc_model::{Name, Timestamp};

use crate::{
    Problem, State,
    api::{
        Call, Reply, Route,
        call::bad_parameter,
        connections::shown,
        record_of,
        route::{Answer, query, schema},
        unusable, wire,
    },
    codes,
    owners::SOON,
};

/// Since when uses count when nothing else is said.
const SINCE: &str = "30d";
/// The longest owner, in bytes.
const OWNER: usize = 200;
/// What an integration's name stands for in scopes.
const OF_INTEGRATIONS: [&str; 7] =
    ["events", "runs", "dlq", "tasks", "triggers", "deployments", "ledger"];

pub(in crate::api) const REVIEW: Route = Route {
    id: "reviewAccess",
    method: Method::GET,
    path: "/api/v1/access/review",
    action: Action::TokensRead,
    summary: "Compare what keys and clients may do with what they did, and propose less",
    parameters: &[query(
        "since",
        "How far back uses count, such as `30d`, which it is when left out",
    )],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<wire::AccessReview>),
    handler: |call| Box::pin(reviewed(call)),
};

pub(in crate::api) const RADIUS: Route = Route {
    id: "blastRadius",
    method: Method::GET,
    path: "/api/v1/access/blast-radius",
    action: Action::TokensRead,
    summary: "Show what whoever holds a token, a client's secret or a connection can touch",
    parameters: &[
        query("token", "A token's id"),
        query("client", "A client's id"),
        query("connection", "A connection, as `environment/name`"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<wire::BlastRadius>),
    handler: |call| Box::pin(radius(call)),
};

pub(in crate::api) const REASSIGN: Route = Route {
    id: "reassignAccess",
    method: Method::POST,
    path: "/api/v1/access/reassign",
    action: Action::TokensWrite,
    summary: "Give a token or a client another owner",
    parameters: &[],
    body: Some(schema::<wire::Reassign>),
    status: 204,
    answer: Answer::Nothing,
    handler: |call| Box::pin(reassigned(call)),
};

async fn reassigned(call: Call) -> Result<Reply, Problem> {
    let permit = call.may(None, None).await?;
    let wire::Reassign { token, client, owner } = call.body()?;
    if owner.trim().is_empty() || owner.len() > OWNER {
        return Err(unusable("owner", &format!("it has 1 to {OWNER} bytes")));
    }
    let state = permit.state;
    let holding = match (token, client) {
        (Some(id), None) => Holding::from(record_of(state, &id).await?.0),
        (None, Some(id)) => {
            let name: Name = id.parse().map_err(|_| no_client(&id))?;
            state.authority.client_by_id(&name).await?.holding()
        }
        _ => return Err(unusable("token", &"give one of `token` and `client`")),
    };
    if holding.principal.kind == TokenKind::Local {
        return Err(call.asker.refuse(Action::TokensWrite, Denial::Role, None));
    }
    if state.is_stranger(&owner) {
        let why = "it is nobody of the organisation that deployed releases know";
        return Err(unusable("owner", &why));
    }
    state.give_owner(&holding, &owner, &permit.actor).await?;
    Ok(Reply::done())
}

async fn reviewed(call: Call) -> Result<Reply, Problem> {
    let permit = call.may(None, None).await?;
    let text: Option<String> = call.query("since")?;
    let since = parse_duration(text.as_deref().unwrap_or(SINCE))
        .map_err(|error| bad_parameter("since", &error.to_string()))?;
    let state = permit.state;
    let now = state.clock.now();
    let since = now - since;
    let mut items = Vec::new();
    let (keys, clients) = (
        state.uses.of(TokenKind::ApiKey, None).await?,
        state.uses.of(TokenKind::AccessToken, None).await?,
    );
    for holder in state.holdings(now).await? {
        let all = if holder.principal.kind == TokenKind::ApiKey { &keys } else { &clients };
        let none = UsesOf::default();
        let uses = all.get(&holder.principal.id).unwrap_or(&none);
        items.push(compared(state, &holder, uses, since, now));
    }
    Ok(Reply::ok(&wire::AccessReview { schema_version: 1, since: since.to_string(), items }))
}

fn compared(
    state: &State,
    holder: &Holding,
    uses: &UsesOf,
    since: Timestamp,
    now: Timestamp,
) -> wire::ReviewedHolder {
    let principal = &holder.principal;
    let told = review(&state.access, principal, uses, since);
    let mut findings = Vec::new();
    match &holder.owner {
        None => findings.push("nobody answers for it: give it an owner".to_owned()),
        Some(owner) if state.is_stranger(owner) => {
            findings.push(format!("its owner `{owner}` is nobody of the organisation"));
        }
        Some(_) => {}
    }
    if let Some(end) = holder.expires_at.filter(|end| *end < now + SOON) {
        findings.push(format!("it ends at {end}"));
    }
    if told.more {
        findings.push("it did more than is written down, so nothing is proposed".to_owned());
    }
    // What is younger than the time that is looked at has had no chance to be used.
    let young = holder.created_at > since;
    let proposal = match told.enough {
        Some(Enough::Nothing) if young => None,
        enough => enough.map(|enough| commands(holder, &enough)),
    };
    let texts = |scopes: &[Scope]| scopes.iter().map(ToString::to_string).collect();
    wire::ReviewedHolder {
        kind: principal.kind.as_str().to_owned(),
        id: principal.id.clone(),
        name: principal.name.clone(),
        owner: holder.owner.clone(),
        role: principal.role.as_str().to_owned(),
        scopes: principal.scopes.as_deref().map(texts),
        used: texts(&told.used),
        unused: texts(&told.unused),
        last_used_at: uses.last().map(|at| at.to_string()),
        findings,
        proposal: proposal.unwrap_or_default(),
    }
}

/// The commands that give it no more than it used.
fn commands(holder: &Holding, enough: &Enough) -> Vec<String> {
    let Holding { principal, owner, purpose, .. } = holder;
    let client = principal.kind == TokenKind::AccessToken;
    let verbs = if client { "access clients" } else { "tokens" };
    let revoke = format!("qc {verbs} revoke {}", principal.id);
    let Enough::These { role, scopes } = enough else { return vec![revoke] };
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
    // The id of a client is never used again.
    let name = if client { format!("{}-2", principal.id) } else { quoted(&principal.name) };
    let mut words = vec![format!("qc {verbs} create {name} --role {}", role.as_str())];
    let options = [
        ("environment", principal.environment.as_ref().map(ToString::to_string)),
        ("person", principal.person.as_ref().map(ToString::to_string)),
        ("owner", owner.as_deref().map(quoted)),
        ("purpose", purpose.as_deref().map(quoted)),
    ];
    for (name, value) in options {
        words.extend(value.map(|value| format!("--{name} {value}")));
    }
    words.extend(scopes.iter().map(|scope| format!("--scope '{scope}'")));
    vec![words.join(" "), revoke]
}

async fn radius(call: Call) -> Result<Reply, Problem> {
    let permit = call.may(None, None).await?;
    let state = permit.state;
    let asked = [call.query::<String>("token")?, call.query("client")?, call.query("connection")?];
    match asked {
        [Some(id), None, None] => {
            let (record, _) = record_of(state, &id).await?;
            of_principal(state, format!("token {id}"), &record.principal()).await
        }
        [None, Some(id), None] => {
            let name: Name = id.parse().map_err(|_| no_client(&id))?;
            let holding = state.authority.client_by_id(&name).await?.holding();
            of_principal(state, format!("client {id}"), &holding.principal).await
        }
        [None, None, Some(id)] => of_connection(state, &id).await,
        _ => Err(bad_parameter("token", "give one of `token`, `client` and `connection`")),
    }
}

fn no_client(id: &str) -> Problem {
    Problem::new(
        404,
        codes::NO_TOKEN_RECORD,
        "No such client",
        format!("there is no client `{id}`"),
    )
}

async fn of_principal(state: &State, of: String, principal: &Principal) -> Result<Reply, Problem> {
    let known = known(state).await?;
    let directory = state.catalogue.directory();
    let units = directory.of_principal(principal);
    let of_thing = |action, environment: Option<&str>, name: Option<&str>| {
        directory.of_thing(action, environment, name)
    };
    let owned = Owned { units: &units, of: &of_thing };
    let reached = reach(&state.access, principal, &known, owned);
    let reaches = reached.into_iter().map(|one| wire::Reach {
        action: one.action.as_str().to_owned(),
        environment: one.environment,
        everything: one.everything,
        names: one.names,
        grant: one.grant,
    });
    let (reaches, operations) = (reaches.collect(), Vec::new());
    Ok(Reply::ok(&wire::BlastRadius { schema_version: 1, of, reaches, operations }))
}

/// Everything that there is.
async fn known(state: &State) -> Result<Known, Problem> {
    let mut known = Known::default();
    for environment in state.access.production() {
        known.add(environment.as_str(), &[], "");
    }
    for deployment in state.engine.deployments().iter() {
        let name = deployment.release.integration.as_str();
        known.add(deployment.environment.as_str(), &OF_INTEGRATIONS, name);
    }
    state.vault.refresh().await?;
    for secret in state.vault.list(None) {
        known.add(secret.environment.as_str(), &["secrets"], &secret.name);
    }
    for connection in state.connections.list(None).await? {
        let shown = shown(&connection, state.clock.now());
        known.add(&shown.environment, &["connections"], &shown.name);
    }
    Ok(known)
}

/// The operations that deployed integrations can call by a connection: those that its scopes allow.
async fn of_connection(state: &State, text: &str) -> Result<Reply, Problem> {
    let all = state.connections.list(None).await?;
    let now = state.clock.now();
    let shown = all.iter().map(|record| shown(record, now));
    let found = shown.into_iter().find(|one| format!("{}/{}", one.environment, one.name) == text);
    let found = found.ok_or_else(|| {
        let detail = "there is no such connection; `qc conn list` shows them";
        Problem::new(404, codes::NO_TOKEN_RECORD, "No such connection", detail)
    })?;
    let mut operations: BTreeMap<(String, String, String), wire::ReachedOperation> =
        BTreeMap::new();
    for deployment in state.engine.deployments().iter() {
        for connector in deployment.release.connectors.iter() {
            let own = connector.connection(&deployment.environment);
            if own.is_none_or(|own| own.text() != text) {
                continue;
            }
            let integration = deployment.release.integration.to_string();
            for operation in connector.api().operations() {
                let needs = connector.scopes_of(operation);
                let one = wire::ReachedOperation {
                    integration: integration.clone(),
                    connector: connector.name().to_string(),
                    operation: operation.id.to_string(),
                    method: operation.method.as_str().to_owned(),
                    allowed: needs.iter().all(|scope| found.scopes.contains(scope)),
                    scopes: needs,
                };
                let key = (one.integration.clone(), one.connector.clone(), one.operation.clone());
                operations.insert(key, one);
            }
        }
    }
    let (of, operations) = (format!("connection {text}"), operations.into_values().collect());
    Ok(Reply::ok(&wire::BlastRadius { schema_version: 1, of, reaches: Vec::new(), operations }))
}
