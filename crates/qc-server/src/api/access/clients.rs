use http::Method;
use qc_access::{Action, Denial, Role, Scope};
use qc_document::parse_duration;
use qc_identity::{CLIENT_LIFETIME, Client, NewClient};
use qc_model::{Name, Timestamp};

use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, path, query, schema},
        unusable, wire,
    },
};

/// How long the present secret holds on when nothing else is said.
const OVERLAP: &str = "24h";
/// The most scopes of a client.
const SCOPES: usize = 200;

pub(in crate::api) const LIST: Route = Route {
    id: "listClients",
    method: Method::GET,
    path: "/api/v1/access/clients",
    action: Action::TokensRead,
    summary: "List the services that get access tokens, those that ended included",
    parameters: &[
        query("after", "Only clients after this id: `next` of the page before"),
        query("limit", "At most so many (1 to 500; 50 when left out)"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<wire::Page<wire::Client>>),
    handler: |call| Box::pin(list(call)),
};

pub(in crate::api) const CREATE: Route = Route {
    id: "createClient",
    method: Method::POST,
    path: "/api/v1/access/clients",
    action: Action::TokensWrite,
    summary: "Register a service that gets access tokens; its secret is in the answer and nowhere else",
    parameters: &[],
    body: Some(schema::<wire::CreateClient>),
    status: 201,
    answer: Answer::Json(schema::<wire::CreatedClient>),
    handler: |call| Box::pin(create(call)),
};

pub(in crate::api) const ROTATE: Route = Route {
    id: "rotateClient",
    method: Method::POST,
    path: "/api/v1/access/clients/{client}/rotate",
    action: Action::TokensWrite,
    summary: "Give a client a new secret; the present one holds on for a while",
    parameters: &[path("client", "Its id")],
    body: Some(schema::<wire::RotateClient>),
    status: 201,
    answer: Answer::Json(schema::<wire::CreatedClient>),
    handler: |call| Box::pin(rotate(call)),
};

pub(in crate::api) const REVOKE: Route = Route {
    id: "revokeClient",
    method: Method::DELETE,
    path: "/api/v1/access/clients/{client}",
    action: Action::TokensWrite,
    summary: "End a client and all its tokens: at once on this node, within five seconds elsewhere",
    parameters: &[path("client", "Its id")],
    body: None,
    status: 204,
    answer: Answer::Nothing,
    handler: |call| Box::pin(revoke(call)),
};

async fn list(call: Call) -> Result<Reply, Problem> {
    let permit = call.may(None, None).await?;
    let limit = call.limit()?;
    let after: Option<String> = call.query("after")?;
    let clients = permit.state.authority.clients(after.as_deref(), limit + 1).await?;
    let now = permit.state.clock.now();
    let clients = clients.iter().map(|client| shown(client, now)).collect();
    Ok(Reply::ok(&wire::Page::new(clients, limit, |client: &wire::Client| client.id.clone())))
}

async fn create(call: Call) -> Result<Reply, Problem> {
    let permit = call.may(None, None).await?;
    let new = read(call.body()?)?;
    let given = new.scopes.as_deref().unwrap_or_default();
    // Who is narrowed to scopes gives away none but these.
    if let Some(own) = call.principal().scopes.as_deref()
        && (given.is_empty() || !given.iter().all(|one| own.iter().any(|it| one.is_within(it))))
    {
        return Err(call.asker.refuse(Action::TokensWrite, Denial::Scope, None));
    }
    let (client, secret) = permit.state.authority.create_client(new, &permit.actor).await?;
    let client = shown(&client, permit.state.clock.now());
    let secret = secret.map(|secret| secret.expose().to_owned());
    Ok(Reply::created(&wire::CreatedClient { secret, client }))
}

async fn rotate(call: Call) -> Result<Reply, Problem> {
    let permit = call.may(None, None).await?;
    let id = call.path::<Name>("client")?;
    let wire::RotateClient { overlap } = call.body()?;
    let overlap = parse_duration(overlap.as_deref().unwrap_or(OVERLAP))
        .map_err(|error| unusable("overlap", &error))?;
    let (client, secret) =
        permit.state.authority.rotate_client(&id, overlap, &permit.actor).await?;
    let client = shown(&client, permit.state.clock.now());
    let secret = Some(secret.expose().to_owned());
    Ok(Reply::created(&wire::CreatedClient { secret, client }))
}

async fn revoke(call: Call) -> Result<Reply, Problem> {
    let permit = call.may(None, None).await?;
    let id = call.path::<Name>("client")?;
    permit.state.authority.revoke_client(&id, &permit.actor).await?;
    Ok(Reply::done())
}

fn read(asked: wire::CreateClient) -> Result<NewClient, Problem> {
    let role = Role::parse(&asked.role)
        .ok_or_else(|| unusable("role", &"it is none that there is; `runtime` sends events"))?;
    let scopes = asked.scopes.map(|texts| {
        if texts.is_empty() || texts.len() > SCOPES {
            let why = format!("1 to {SCOPES}, or left out for all of the role's");
            return Err(unusable("scopes", &why));
        }
        let parse = |text: &String| text.parse::<Scope>().map_err(|it| unusable("scopes", &it));
        texts.iter().map(parse).collect()
    });
    let lifetime = asked.lifetime.as_deref().map(parse_duration).transpose();
    Ok(NewClient {
        id: asked.id.parse().map_err(|error| unusable("id", &error))?,
        environment: asked.environment.parse().map_err(|it| unusable("environment", &it))?,
        role,
        scopes: scopes.transpose()?,
        owner: asked.owner,
        purpose: asked.purpose,
        lifetime: lifetime.map_err(|it| unusable("lifetime", &it))?.unwrap_or(CLIENT_LIFETIME),
        keys: asked.keys,
    })
}

fn shown(client: &Client, now: Timestamp) -> wire::Client {
    let state = match client.revoked_at {
        Some(_) => "revoked",
        None if client.is_live(now) => "live",
        None => "expired",
    };
    let scopes = client.scopes.as_ref();
    let secret = |secret: &qc_identity::StoredSecret| wire::ClientSecret {
        created_at: secret.created_at.to_string(),
        ends_at: secret.ends_at.map(|at| at.to_string()),
    };
    wire::Client {
        id: client.id.to_string(),
        environment: client.environment.to_string(),
        role: client.role.as_str().to_owned(),
        scopes: scopes.map(|scopes| scopes.iter().map(ToString::to_string).collect()),
        owner: client.owner.clone(),
        purpose: client.purpose.clone(),
        proof: if client.keys.is_some() { "keys" } else { "secret" }.to_owned(),
        secrets: client.secrets.iter().map(secret).collect(),
        state: state.to_owned(),
        created_at: client.created_at.to_string(),
        created_by: client.created_by.clone(),
        expires_at: client.expires_at.to_string(),
    }
}
