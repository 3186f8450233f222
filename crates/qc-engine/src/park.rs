//! Parked keys: what people decide about a line whose first run failed, where the integration parks
//! such keys (`ordering.on_failure: park`).
//!
//! The failed run becomes a dead letter as ever and stays at the head of its line, so that nobody
//! passes it by; the ledger says that the key is parked. Unlike with `block`, settling the dead letter
//! alone frees nobody: somebody decides about the key. Either the others go on (`resume`: the letter
//! stays open; `skip`: it is given up), or they are given up, too (`discard`). A retry of the letter
//! that comes to a good end frees the key as well.

use aws_lc_rs::digest::{SHA256, digest};
use qc_model::{Actor, RunId};
use qc_store::{RunHead, RunStatus};

use crate::{Engine, EngineError, LineName, OnFailure, forward::Errand, operate::GivenUp, record};

/// What a discard would give up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineDiscard {
    /// The failed run at the head.
    pub first: RunId,
    /// Those that wait behind it; the first 1,000.
    pub behind: Vec<RunId>,
    /// Stands for exactly these runs: to be given back.
    pub confirm: String,
}

impl Engine {
    /// Whether the release of a run parks the keys of runs that fail.
    pub(crate) async fn parks(&self, head: &RunHead) -> Result<bool, EngineError> {
        let journal = self.shared.store.journal(head.facts.id).await?;
        let deployment = self.release_of(head, &journal).await?;
        let rule = deployment.release.ordering.as_ref();
        Ok(rule.is_some_and(|rule| rule.on_failure == OnFailure::Park))
    }

    /// Whether the key of a run that is first in its line is parked.
    pub(crate) async fn is_parked(&self, first: &RunHead) -> bool {
        // A release that cannot be read is no reason not to show the line.
        first.state.status == RunStatus::Faulted && self.parks(first).await.unwrap_or(false)
    }

    /// Has a line go on without the failed run at its head, which is given up.
    pub async fn skip_line(
        &self,
        line: &LineName,
        reason: &str,
        actor: &Actor,
    ) -> Result<RunId, EngineError> {
        let errand = Errand::SkipLine { reason: reason.to_owned() };
        self.give_first_up(line, GivenUp::Both, errand, reason, actor).await
    }

    /// What giving a whole line up would give up now.
    pub async fn plan_discard_line(&self, line: &LineName) -> Result<LineDiscard, EngineError> {
        let no_line = || EngineError::NoLine(line.key.clone());
        let first = self.shared.store.first_in_line(&line.scope(), &line.key).await?;
        let first = first.ok_or_else(no_line)?;
        let head = self.shared.store.run(first).await?.ok_or_else(no_line)?;
        if head.state.status != RunStatus::Faulted {
            return Err(EngineError::WrongState {
                run: first,
                status: head.state.status.as_str(),
                reason: "a line is given up when the run at its head ended in failure".to_owned(),
            });
        }
        let behind = self.line(line).await?.map(|view| view.behind).unwrap_or_default();
        let mut text = format!("{}\n{}\n{first}\n", line.scope(), line.key);
        for run in &behind {
            text.push_str(&run.to_string());
            text.push('\n');
        }
        let hash = record::hex(digest(&SHA256, text.as_bytes()).as_ref());
        Ok(LineDiscard { first, behind, confirm: hash[..32].to_owned() })
    }

    /// Gives up the failed run at the head of a line and those that were planned with it. The last
    /// ones go first: were this node to end in the middle of it, those that are left would still stand
    /// behind the run that failed, and are planned again.
    pub async fn discard_line(
        &self,
        line: &LineName,
        confirm: &str,
        reason: &str,
        actor: &Actor,
    ) -> Result<LineDiscard, EngineError> {
        let plan = self.plan_discard_line(line).await?;
        if plan.confirm != confirm {
            return Err(EngineError::WrongState {
                run: plan.first,
                status: RunStatus::Faulted.as_str(),
                reason: "who stands in the line is not who was planned; plan again".to_owned(),
            });
        }
        for run in plan.behind.iter().rev() {
            match self.cancel(*run, reason, actor).await {
                // Somebody else ended it meanwhile.
                Ok(()) | Err(EngineError::WrongState { .. } | EngineError::NoRun(_)) => {}
                Err(error) => return Err(error),
            }
        }
        self.skip_line(line, reason, actor).await?;
        Ok(plan)
    }
}
