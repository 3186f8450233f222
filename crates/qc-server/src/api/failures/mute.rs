use http::Method;
use qc_access::Action;
use qc_document::parse_duration;
use qc_engine::Word;
use qc_model::Timestamp;

use super::GROUP;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{DeadGroupShown, MuteRequest},
    },
    codes,
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "muteFailures",
    method: Method::POST,
    path: "/api/v1/failures/{group}/mute",
    action: Action::DlqTriage,
    summary: "Leave a group of failures out of the usual list until a time, at most 30 days away",
    parameters: &[GROUP],
    body: Some(schema::<MuteRequest>),
    status: 200,
    answer: Answer::Json(schema::<DeadGroupShown>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let MuteRequest { until, lasting, note } = call.body()?;
    let unusable = |detail: String| Problem::new(422, codes::BAD_BODY, "Unusable body", detail);
    let until = match (until, lasting) {
        (Some(until), None) => {
            until.parse::<Timestamp>().map_err(|error| unusable(format!("`until`: {error}")))?
        }
        (None, Some(lasting)) => {
            let lasting = parse_duration(&lasting);
            call.state.clock.now() + lasting.map_err(|error| unusable(format!("`for`: {error}")))?
        }
        _ => {
            return Err(unusable("give one of `until` (a time) and `for` (a duration)".to_owned()));
        }
    };
    super::say(&call, Word::Mute { until }, note.as_deref()).await
}
