use http::Method;
use qc_access::Action;
use qc_model::EnvironmentName;
use qc_vault::DropLink;

use super::{duration, named};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, path, query, schema},
        wire,
    },
    drops,
};

/// How long a link works when nothing else is said.
const LIFETIME: &str = "24h";

pub(in crate::api) const MAKE: Route = Route {
    id: "makeDropLink",
    method: Method::POST,
    path: "/api/v1/secrets/drop",
    action: Action::SecretsWrite,
    summary: "Make a link at which somebody without rights here gives a secret's value, once",
    parameters: &[],
    body: Some(schema::<wire::MakeDropLink>),
    status: 201,
    answer: Answer::Json(schema::<wire::MadeDropLink>),
    handler: |call| Box::pin(make(call)),
};

pub(in crate::api) const LIST: Route = Route {
    id: "listDropLinks",
    method: Method::GET,
    path: "/api/v1/secrets/drops",
    action: Action::SecretsRead,
    summary: "List the links that work and were not used, without their codes",
    parameters: &[query("environment", "Only this environment")],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<wire::Page<wire::DropLink>>),
    handler: |call| Box::pin(list(call)),
};

pub(in crate::api) const REVOKE: Route = Route {
    id: "revokeDropLink",
    method: Method::DELETE,
    path: "/api/v1/secrets/drops/{link}",
    action: Action::SecretsWrite,
    summary: "End a link before anybody gives a value at it",
    parameters: &[path("link", "Its id")],
    body: None,
    status: 204,
    answer: Answer::Nothing,
    handler: |call| Box::pin(revoke(call)),
};

async fn make(call: Call) -> Result<Reply, Problem> {
    let wire::MakeDropLink { environment, name, expires, rotate_every } = call.body()?;
    let (environment, name) = named(&environment, &name)?;
    let permit = call.may(Some(environment.as_str()), Some(name.name())).await?;
    let lifetime = duration("expires", expires.as_deref().unwrap_or(LIFETIME))?;
    let every = rotate_every.as_deref().map(|text| duration("rotate_every", text)).transpose()?;
    let place = permit.state.authority.place()?.url().to_owned();
    let vault = &permit.state.vault;
    let (link, code) =
        vault.make_drop((&environment, &name), lifetime, every, &permit.actor).await?;
    let url = format!("{place}{}{}", drops::PREFIX, code.expose());
    Ok(Reply::created(&wire::MadeDropLink { url, link: shown(&link) }))
}

async fn list(call: Call) -> Result<Reply, Problem> {
    let environment: Option<EnvironmentName> = call.query("environment")?;
    let environment = environment.or_else(|| call.principal().environment.clone());
    let (permit, cut) = call.list(environment.as_ref().map(EnvironmentName::as_str), None)?;
    let links = permit.state.vault.drops().await?;
    let asked = |link: &&DropLink| {
        environment.as_ref().is_none_or(|own| link.environment == *own)
            && cut.shows(link.environment.as_str(), &link.name)
    };
    let links: Vec<wire::DropLink> = links.iter().filter(asked).map(shown).collect();
    // There are never so many that they would not be one page.
    let most = links.len();
    let page = wire::Page::new(links, most, |link: &wire::DropLink| link.id.clone());
    Ok(Reply::ok(&page.of(cut.units())))
}

async fn revoke(call: Call) -> Result<Reply, Problem> {
    let id: String = call.path("link")?;
    // Looked at before the decision, as its environment and name are what is decided on.
    let link = call.state.vault.drop_by_id(&id).await?;
    let (environment, name) =
        link.map_or((None, None), |link| (Some(link.environment), Some(link.name)));
    let permit =
        call.may(environment.as_ref().map(EnvironmentName::as_str), name.as_deref()).await?;
    permit.state.vault.revoke_drop(&id, &permit.actor).await?;
    Ok(Reply::done())
}

fn shown(link: &DropLink) -> wire::DropLink {
    wire::DropLink {
        id: link.id.clone(),
        environment: link.environment.to_string(),
        name: link.name.clone(),
        created_at: link.created_at.to_string(),
        created_by: link.created_by.clone(),
        expires_at: link.expires_at.to_string(),
    }
}
