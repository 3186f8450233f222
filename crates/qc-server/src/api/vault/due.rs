use http::Method;
use qc_access::{Action, Resource};
use qc_model::EnvironmentName;

use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, query, schema},
        wire::{Page, RotationTask},
    },
    rotations::{Rotation, What},
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "listRotations",
    method: Method::GET,
    path: "/api/v1/rotations",
    action: Action::SecretsRead,
    summary: "List what is to be rotated, by whom and until when, the most urgent first; rotating ends an entry",
    parameters: &[query("environment", "Only this environment")],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<RotationTask>>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let environment: Option<EnvironmentName> = call.query("environment")?;
    let environment = environment.or_else(|| call.principal().environment.clone());
    let place = environment.as_ref().map(EnvironmentName::as_str);
    let (permit, cut) = call.list(place, None)?;
    let mut due = permit.state.rotations().await?;
    due.retain(|one| {
        environment.as_ref().is_none_or(|wanted| one.environment.as_ref() == Some(wanted))
            && shown_to(&call, one)
    });
    let items = due.iter().map(shown).collect();
    Ok(Reply::ok(&Page::whole(items, None).of(cut.units())))
}

/// Whether whoever asks might look at the thing itself.
fn shown_to(call: &Call, one: &Rotation) -> bool {
    let place = one.environment.as_ref().map(EnvironmentName::as_str);
    let decide = |action, name| call.asker.decide(&call.state.access, action, place, name).is_ok();
    match &one.what {
        What::Secret => decide(Action::SecretsRead, Some(&one.name)),
        What::Connection => decide(Action::ConnectionsRead, Some(&one.name)),
        What::DataKey => decide(Action::SecretsRead, None),
        What::ApiKey { person } => {
            let directory = &call.asker.directory;
            let units = directory.of_key(person.as_ref(), Some(&one.owner));
            let key = Resource { environment: None, name: None, units: &units };
            call.asker.decide_on(&call.state.access, Action::TokensRead, key).is_ok()
        }
    }
}

fn shown(one: &Rotation) -> RotationTask {
    RotationTask {
        id: one.id(),
        kind: one.what.as_str().to_owned(),
        environment: one.environment.as_ref().map(ToString::to_string),
        name: one.name.clone(),
        owner: one.owner.clone(),
        due_at: one.due_at.to_string(),
        state: one.state.as_str().to_owned(),
        how: one.how(),
    }
}
