//! Groups of dead letters that died of the same, and what people say of them.

pub(super) mod acknowledge;
pub(super) mod list;
pub(super) mod mute;
pub(super) mod reopen;
pub(super) mod resolve;
pub(super) mod show;

use qc_engine::{FailureGroup, Word};

use super::{
    Call, Permit, Reply,
    route::{Parameter, path},
    wire::{DeadGroup, DeadGroupShown},
};
use crate::Problem;

const GROUP: Parameter = path("group", "The group's id, as the list shows it");

/// The group that the path names, when the caller may do the action to it.
async fn group(call: &Call) -> Result<(FailureGroup, Permit<'_>), Problem> {
    let id: String = call.path("group")?;
    // Looked at before the decision, as its environment and integration are what is decided on.
    let group = call.state.engine.failure_group(&id).await?;
    let letters = &group.letters;
    let permit =
        call.may(Some(letters.environment.as_str()), Some(letters.integration.as_str())).await?;
    Ok((group, permit))
}

/// Says a word of the group that the path names.
async fn say(call: &Call, word: Word, note: Option<&str>) -> Result<Reply, Problem> {
    let (group, permit) = group(call).await?;
    let group = permit.state.engine.tell_failures(&group.id, &word, note, &permit.actor).await?;
    Ok(Reply::ok(&DeadGroupShown { schema_version: 1, group: DeadGroup::from(&group) }))
}
