//! What a scenario does to the systems around it, in full: for those who ask whether it does the same when an answer says
//! less.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use qc_engine::RunEnd;
use qc_model::{Finding, Name};
use qc_simulator::{Condition, Deed, Drift, Fault, LedgerEntry};
use qc_store::{Document, SignalEntry, SignalFilter, Store, StoreError, documents_under};

use super::{
    Scenario,
    life::Outcome,
    run::{apart, carried},
    send::Door,
    verdict::elapsed,
    world::World,
};
use crate::{
    Project, codes,
    compile::Compiled,
    project::{IntegrationFolder, Loaded},
};

/// What the integration keeps, by the kinds of its documents.
const KEPT: [&str; 2] = ["state", "crossref"];

/// Header fields that speak of a request, not of what is asked.
const ABOUT_REQUESTS: [&str; 6] =
    ["idempotency-key", "qc-hops", "traceparent", "tracestate", "x-request-id", "x-correlation-id"];

/// A field of the answers of an operation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AnswerField {
    pub(crate) connector: Name,
    pub(crate) operation: String,
    /// JSON Pointer; `*` stands for every item of a list.
    pub(crate) pointer: String,
}

/// What a scenario did.
pub(crate) struct Observed {
    /// What did not come true.
    pub(crate) findings: Vec<Finding>,
    /// What each connector's system received.
    pub(crate) requests: BTreeMap<Name, Vec<Arc<LedgerEntry>>>,
    /// Everything that somebody outside can see of it: requests, ends, events, tasks, and what is kept; without the ids of
    /// runs, in a fixed order. The same from the same files, whenever and wherever it is carried out.
    pub(crate) traces: Vec<String>,
    /// How long it took, in virtual time.
    pub(crate) elapsed: Duration,
}

/// Carries a scenario out, with answers that lack some fields.
///
/// Errors: what is wrong with the project.
pub(crate) fn observed(
    project: &Project,
    folder: &IntegrationFolder,
    compiled: &Compiled,
    file: &Loaded<Scenario>,
    without: &[&AnswerField],
) -> Result<Observed, Vec<Finding>> {
    let world = World::build(project, folder, compiled, file)?;
    let mut lacking: BTreeMap<(&Name, &str), Vec<String>> = BTreeMap::new();
    for AnswerField { connector, operation, pointer } in without {
        lacking.entry((connector, operation)).or_default().push(pointer.clone());
    }
    for ((connector, operation), at) in lacking {
        let Some(provider) = world.providers.get(connector) else { continue };
        let when = Condition { operation: Some(operation.to_owned()), ..Condition::default() };
        let then = Deed::Drift(Drift::Remove { at });
        provider.inject(Fault { when, then, times: None }).map_err(|finding| vec![*finding])?;
    }
    let (outcome, findings) = carried(&Door { project, folder, file, world: &world });
    let requests: BTreeMap<Name, Vec<Arc<LedgerEntry>>> =
        world.providers.iter().map(|(name, it)| (name.clone(), it.requests())).collect();
    let mut traces = ends(folder, &outcome);
    traces.extend(requests.values().flatten().map(|entry| request(entry)));
    let read = apart(|| stored(&world).map_err(|error| error.to_string())).and_then(|read| read);
    traces.extend(read.map_err(|why| {
        vec![Finding::error(codes::SCENARIO_BROKEN, format!("the store cannot be read: {why}"))]
    })?);
    let runs = outcome.heads.iter().chain(&outcome.others);
    let runs: Vec<String> = runs.map(|head| head.facts.id.to_string()).collect();
    for trace in &mut traces {
        for run in &runs {
            *trace = trace.replace(run, "run");
        }
    }
    traces.sort();
    Ok(Observed { findings, requests, traces, elapsed: elapsed(&outcome) })
}

/// A request without what differs with the run's id: its key, and fields about the request itself.
fn request(entry: &LedgerEntry) -> String {
    let own = |(name, value): &&(String, String)| {
        !ABOUT_REQUESTS.contains(&name.to_ascii_lowercase().as_str())
            && entry.key.as_ref() != Some(value)
    };
    let headers: Vec<&(String, String)> = entry.headers.iter().filter(own).collect();
    let LedgerEntry { provider, method, target, body, .. } = entry;
    format!("{provider} {method} {target} {headers:?} {body:?}")
}

/// How the runs ended. What a workflow answers counts where it says what that is; else it is whatever its last task had.
fn ends(folder: &IntegrationFolder, outcome: &Outcome) -> Vec<String> {
    let program = folder.program.as_ref();
    let says_output = program.is_some_and(|it| it.definition().get("output").is_some());
    let heads = outcome.heads.iter().chain(&outcome.others).map(|head| {
        let state = &head.state;
        format!(
            "{} {:?} {:?} {:?}",
            head.facts.integration, state.status, state.cause, state.summary
        )
    });
    let ends = outcome.ends.iter().map(|end| match end {
        Some(RunEnd::Completed { output }) if says_output => output.to_string(),
        Some(RunEnd::Completed { .. }) => "completed".to_owned(),
        other => format!("{other:?}"),
    });
    let tasks = outcome
        .tasks
        .iter()
        .map(|task| format!("{} {:?} {} {:?}", task.title, task.description, task.of, task.state));
    heads.chain(ends).chain(tasks).collect()
}

/// The events of the bus, and what the integration keeps.
fn stored(world: &World) -> Result<Vec<String>, StoreError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    runtime.block_on(async {
        let (mut traces, mut filter) = (Vec::new(), SignalFilter::default());
        loop {
            let page = world.store.signals(&filter).await?;
            let Some(last) = page.last() else { break };
            filter.after = last.seq;
            let text = |entry: &SignalEntry| {
                let body = String::from_utf8_lossy(&entry.signal.body);
                format!("{} {body}", entry.signal.kind)
            };
            traces.extend(page.iter().map(text));
        }
        for kind in KEPT {
            let kept = documents_under(&*world.store, kind, "").await?;
            let text = |it: &Document| format!("{} {}", it.name, String::from_utf8_lossy(&it.body));
            traces.extend(kept.iter().map(text));
        }
        Ok(traces)
    })
}
