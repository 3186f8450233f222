use http::Method;
use qc_access::{Action, Resource};

use super::{shown, units_of};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        call::bad_parameter,
        route::{Answer, query, schema},
        wire::{Page, Release},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "listReleases",
    method: Method::GET,
    path: "/api/v1/releases",
    action: Action::ReleasesRead,
    summary: "List releases, newest first",
    parameters: &[
        query("integration", "Only this integration"),
        query("beginning", "Only releases whose hash begins so"),
        query("before", "Only releases that stand after this one here: `next` of the page before"),
        query("limit", "At most so many (1 to 500; 50 when left out)"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<Release>>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let integration: Option<String> = call.query("integration")?;
    let (permit, cut) = call.list(None, integration.as_deref())?;
    let beginning: Option<String> = call.query("beginning")?;
    let limit = call.limit()?;
    let records =
        qc_release::releases(&*permit.state.store, beginning.as_deref().unwrap_or_default())
            .await?;
    let state = permit.state;
    let mut asked = records.iter().filter(|record| {
        let (own, units) = (record.manifest.integration.as_str(), units_of(state, record));
        integration.as_deref().is_none_or(|name| own == name)
            && cut.shows_units(Resource { environment: None, name: Some(own), units: &units })
    });
    if let Some(before) = call.query::<String>("before")?
        && !asked.any(|record| record.hash == before)
    {
        return Err(bad_parameter("before", "it is the hash of no release of this list"));
    }
    let items: Vec<Release> = asked.by_ref().take(limit).map(shown).collect();
    let next = asked.next().and_then(|_| items.last()).map(|last| last.release.clone());
    Ok(Reply::ok(&Page::whole(items, next).of(cut.units())))
}
