//! One chain, one live continuation. A run that ended can go on in two ways: opened again from the
//! dead letters, or replayed as a new run. Both make effects under the same keys and neither knows
//! what the other one does, so only the newest run of a chain goes on: a document names the runs of
//! the chain, and whoever goes on compares and sets it in the commit with which it does.

use qc_model::{RunId, Timestamp};
use qc_store::{DocumentOp, Expect, StoreError};
use serde::{Deserialize, Serialize};

use crate::{Engine, EngineError, engine::Shared};

/// The kind of the documents; they bear the name of the chain's first run.
const CHAIN: &str = "chain";

/// So many runs a chain has at most.
const RUNS_MAX: usize = 1_000;

/// So many chains are looked at in one go of tidying.
const TIDY_PAGE: usize = 200;

/// The version that is written.
const VERSION: u32 = 1;

/// A chain as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    name: String,
    /// None: nobody has gone on with it yet.
    revision: Option<u64>,
    /// From the oldest to the newest.
    runs: Vec<RunId>,
}

#[derive(Serialize, Deserialize)]
struct Body {
    v: u32,
    runs: Vec<RunId>,
}

/// Why a run does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Barred {
    /// Another run of the chain went on before it.
    By(RunId),
    /// The chain is too long.
    Full,
}

impl Barred {
    /// In words, for whoever asked.
    pub(crate) fn reason(self) -> String {
        match self {
            Self::By(newest) => format!(
                "{newest} has gone on with the same event and under the same keys; retry or replay \
                 that one, or replay with new effects"
            ),
            Self::Full => format!(
                "its event was run {RUNS_MAX} times under the same keys; replay with new effects"
            ),
        }
    }
}

impl Chain {
    /// Who has gone on, when it is not this run.
    pub(crate) fn bars(&self, run: RunId) -> Option<Barred> {
        self.runs.last().filter(|newest| **newest != run).map(|newest| Barred::By(*newest))
    }

    /// Its runs, from the oldest to the newest; none when nobody has gone on with it yet.
    pub(crate) fn runs(&self) -> &[RunId] {
        &self.runs
    }

    /// `run` is opened again.
    pub(crate) fn reopened(&self, run: RunId, at: Timestamp) -> Result<DocumentOp, Barred> {
        self.written(run, None, at)
    }

    /// `run` goes on as another run.
    pub(crate) fn replayed(
        &self,
        run: RunId,
        newest: RunId,
        at: Timestamp,
    ) -> Result<DocumentOp, Barred> {
        self.written(run, Some(newest), at)
    }

    fn written(
        &self,
        run: RunId,
        newest: Option<RunId>,
        at: Timestamp,
    ) -> Result<DocumentOp, Barred> {
        if let Some(barred) = self.bars(run) {
            return Err(barred);
        }
        let mut runs = self.runs.clone();
        if runs.is_empty() {
            runs.push(run);
        }
        runs.extend(newest);
        if runs.len() > RUNS_MAX {
            return Err(Barred::Full);
        }
        let body = serde_json::to_vec(&Body { v: VERSION, runs }).expect("chains are plain data");
        Ok(DocumentOp::Put {
            kind: CHAIN.to_owned(),
            name: self.name.clone(),
            expect: self.revision.map_or(Expect::Absent, Expect::Revision),
            body: body.into(),
            at,
        })
    }
}

impl Shared {
    /// The chain that began with this run.
    pub(crate) async fn chain(&self, origin: RunId) -> Result<Chain, StoreError> {
        let name = origin.to_string();
        let Some(document) = self.store.document(CHAIN, &name).await? else {
            return Ok(Chain { name, revision: None, runs: Vec::new() });
        };
        let runs = parse(&document.body)
            .ok_or_else(|| StoreError::Corrupt(format!("the chain `{name}` cannot be read")))?;
        Ok(Chain { name, revision: Some(document.revision), runs })
    }
}

impl Engine {
    /// Removes what says of chains whose runs are all gone from the store that they went on. Looks
    /// at one page of chains; gives where the next page begins, None at the end.
    pub async fn tidy_chains(&self, after: Option<&str>) -> Result<Option<String>, EngineError> {
        let shared = &self.shared;
        let page = shared.store.documents(CHAIN, after, TIDY_PAGE).await?;
        let next = page.last().filter(|_| page.len() == TIDY_PAGE).map(|last| last.name.clone());
        for document in page {
            // What cannot be read is kept: it may be a newer program's.
            let Some(runs) = parse(&document.body) else { continue };
            if !self.is_any_there(&runs).await? {
                let (kind, name) = (document.kind, document.name);
                let expect = Expect::Revision(document.revision);
                self.change(vec![DocumentOp::Delete { kind, name, expect }]).await?;
            }
        }
        Ok(next)
    }

    async fn is_any_there(&self, runs: &[RunId]) -> Result<bool, StoreError> {
        // The newest ones stay longest.
        for run in runs.iter().rev() {
            if self.shared.store.run(*run).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn parse(body: &[u8]) -> Option<Vec<RunId>> {
    serde_json::from_slice::<Body>(body).ok().filter(|body| body.v == VERSION).map(|body| body.runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(n: u128) -> RunId {
        RunId::from_bits(n)
    }

    fn chain(runs: Vec<RunId>) -> Chain {
        Chain { name: run(1).to_string(), revision: Some(4), runs }
    }

    #[test]
    fn only_the_newest_run_goes_on() {
        let at = Timestamp::from_millis(5);
        let known = chain(vec![run(1), run(2)]);
        assert_eq!(known.reopened(run(1), at).unwrap_err(), Barred::By(run(2)));
        assert_eq!(known.replayed(run(1), run(3), at).unwrap_err(), Barred::By(run(2)));
        let DocumentOp::Put { expect, body, .. } = known.replayed(run(2), run(3), at).unwrap()
        else {
            panic!("a chain is put")
        };
        assert_eq!(expect, Expect::Revision(4));
        assert_eq!(parse(&body), Some(vec![run(1), run(2), run(3)]));
        let DocumentOp::Put { body, .. } = known.reopened(run(2), at).unwrap() else {
            panic!("a chain is put")
        };
        assert_eq!(parse(&body), Some(vec![run(1), run(2)]));
    }

    #[test]
    fn a_chain_that_nobody_went_on_with_must_still_be_absent() {
        let fresh = Chain { name: run(1).to_string(), revision: None, runs: Vec::new() };
        let DocumentOp::Put { expect, body, .. } =
            fresh.reopened(run(1), Timestamp::from_millis(5)).unwrap()
        else {
            panic!("a chain is put")
        };
        assert_eq!((expect, parse(&body)), (Expect::Absent, Some(vec![run(1)])));
    }

    #[test]
    fn a_chain_has_an_end() {
        let full = chain((1..=1_000).map(run).collect());
        let at = Timestamp::from_millis(5);
        assert_eq!(full.replayed(run(1_000), run(2_000), at).unwrap_err(), Barred::Full);
        assert!(full.reopened(run(1_000), at).is_ok());
    }
}
