//! A run's write of what its integration keeps: the documents and the entry of the journal that
//! holds the answer are one commit, under the run's lease and version. The machine hears of it
//! afterwards; a process that ends in between finds the answer in the journal.
//!
//! When somebody else wrote the same first, nothing was written, and the call is performed again:
//! it reads what is there now, and decides anew. So a conflict never loses a step, and never wedges
//! the run.

use std::{collections::HashMap, sync::Arc};

use qc_workflow::CallId;
use tokio::{sync::oneshot, task::JoinSet};

use super::{NotWritten, commit};
use crate::{
    draft::Draft,
    engine::Shared,
    entry::Journaled,
    kept,
    run::{ActiveRun, Settled},
    settle::{Performed, settle},
    tenure::Tenure,
};

/// So often a call is performed again because others wrote first; then it fails.
const TRIES_MAX: u32 = 64;

/// How often the calls of a run had to be performed again.
pub(super) type Contended = HashMap<CallId, u32>;

/// What became of a write.
pub(super) enum Keeping {
    /// It is on disk, or failed for good: the run hears of it now.
    Told(Box<Performed>),
    /// It is performed again.
    Again,
    /// The run is somebody else's.
    NotOurs,
}

/// Writes what a performed call has to write.
pub(super) async fn keep(
    shared: &Arc<Shared>,
    tenure: &Arc<Tenure>,
    run: &mut ActiveRun,
    mut done: Box<Performed>,
    contended: &mut Contended,
    calls: &mut JoinSet<Performed>,
    cuts: &mut HashMap<CallId, oneshot::Sender<()>>,
) -> Keeping {
    let Some(write) = done.write.take() else { return Keeping::Told(done) };
    let Settled::Answered(output) = &done.settled else { return Keeping::Told(done) };
    let mut draft = Draft::new(shared.now());
    draft.journal(Journaled::Kept {
        call: done.call.clone(),
        attempt: write.ready.request.attempt,
        output: output.clone(),
    });
    draft.documents = write.documents;
    match commit(shared, tenure, run, draft).await {
        Ok(()) => Keeping::Told(done),
        Err(NotWritten::NotOurs) => Keeping::NotOurs,
        Err(NotWritten::Overtaken) => {
            let tries = contended.entry(done.call.clone()).or_default();
            *tries += 1;
            if *tries >= TRIES_MAX {
                done.settled = Settled::Failed(kept::contended(*tries));
                return Keeping::Told(done);
            }
            let (cut, cut_off) = oneshot::channel();
            cuts.insert(done.call.clone(), cut);
            let (shared, tenure) = (shared.clone(), tenure.clone());
            calls.spawn(settle(shared, tenure, run.context.clone(), write.ready, None, cut_off));
            Keeping::Again
        }
    }
}
