//! Whether what `then` says came true.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use qc_document::Span;
use qc_engine::{RunEnd, over_event};
use qc_model::{Clock, Finding};
use qc_simulator::{LedgerEntry, Provider};
use qc_store::{DeadFilter, DeadState, RunHead, RunStatus, SignalFilter, Store};
use serde_json::Value;

use super::{
    Step, SystemFault, SystemWanted,
    life::{Outcome, provider},
    send::Door,
};
use crate::{
    codes,
    compile::compile_jq,
    shape::{Integer, Jq, Named, Spanned},
};

/// Longest excerpt of a value in a finding.
const EXCERPT: usize = 400;

pub(super) struct Judge<'a> {
    pub(super) door: &'a Door<'a>,
    pub(super) outcome: &'a Outcome,
    pub(super) findings: Vec<Finding>,
}

impl Judge<'_> {
    pub(super) fn judge(mut self) -> Vec<Finding> {
        self.runs();
        self.children();
        self.output();
        self.time();
        let then = &self.door.file.value.then;
        for (name, wanted) in then.systems.iter() {
            if let Some(provider) = provider(self.door, name.as_str()) {
                let provider = Arc::clone(provider);
                self.system(name.as_str(), name.span, wanted, &provider);
            }
        }
        self.one_key_per_effect();
        self.faults();
        self.findings
    }

    fn report(&mut self, span: Span, message: String) -> &mut Finding {
        let finding = self.door.file.error(codes::EXPECTATION, span, message);
        self.findings.push(finding);
        self.findings.last_mut().expect("one was just added")
    }

    fn runs(&mut self) {
        let then = &self.door.file.value.then;
        let outcome = self.outcome;
        let ends = &then.ends;
        let (wanted, span) = match &then.runs {
            Some(runs) => (usize::try_from(runs.value.0).unwrap_or(usize::MAX), runs.span),
            None => (outcome.sent_runs.len(), ends.span),
        };
        let there = outcome.heads.len();
        if there != wanted {
            self.report(span, format!("there are {there} runs, not {wanted}"));
        }
        for (head, end) in outcome.heads.iter().zip(&outcome.ends) {
            if head.state.status != ends.value.0 {
                let (is, wanted) = (head.state.status.as_str(), ends.value.0.as_str());
                let message = format!("the run {} is {is}, not {wanted}", head.facts.id);
                let why = why(head, end.as_ref());
                self.report(ends.span, message).cause = why;
            }
        }
    }

    /// How many runs the children's integrations completed.
    fn children(&mut self) {
        let outcome = self.outcome;
        for (integration, wanted) in self.door.file.value.then.children.iter() {
            let completed = outcome.others.iter().filter(|head| {
                head.facts.integration == integration.value
                    && head.state.status == RunStatus::Completed
            });
            let there = completed.count();
            if usize::try_from(wanted.value.0).ok() != Some(there) {
                let message = format!(
                    "{there} runs of `{}` completed, not {}",
                    integration.value, wanted.value.0
                );
                self.report(wanted.span, message);
            }
        }
    }

    fn output(&mut self) {
        for jq in &self.door.file.value.then.output {
            for (head, end) in self.outcome.heads.iter().zip(&self.outcome.ends) {
                if let Some(RunEnd::Completed { output }) = end {
                    self.holds(jq, output, &format!("the output of the run {}", head.facts.id));
                }
            }
        }
    }

    /// Whether a condition holds over a value.
    fn holds(&mut self, jq: &Jq, value: &Value, what: &str) {
        let at = self.door.world.clock.now();
        let verdict = match compile_jq(self.door.file, jq, &[]) {
            Ok(expression) => over_event(&expression, value, at).map_err(|error| error.to_string()),
            Err(finding) => {
                self.findings.push(*finding);
                return;
            }
        };
        match verdict {
            Ok(Value::Bool(true)) => {}
            Ok(other) => {
                let shown = excerpt(value);
                let message = format!("it does not hold for {what}: it gives {}", excerpt(&other));
                self.report(jq.span, message).help = Some(format!("there is: {shown}"));
            }
            Err(error) => {
                let shown = excerpt(value);
                let message = format!("it cannot be evaluated over {what}: {error}");
                self.report(jq.span, message).help = Some(format!("there is: {shown}"));
            }
        }
    }

    fn time(&mut self) {
        let elapsed = elapsed(self.outcome);
        let then = &self.door.file.value.then;
        if let Some(most) = &then.elapsed_at_most
            && elapsed > most.value
        {
            self.report(
                most.span,
                format!("it took {elapsed:?} of virtual time, more than {:?}", most.value),
            );
        }
        if let Some(least) = &then.elapsed_at_least
            && elapsed < least.value
        {
            self.report(
                least.span,
                format!("it took {elapsed:?} of virtual time, less than {:?}", least.value),
            );
        }
    }

    fn system(&mut self, name: &str, span: Span, wanted: &SystemWanted, provider: &Provider) {
        let state = provider.state();
        for jq in &wanted.state {
            self.holds(jq, &state, &format!("what `{name}` holds"));
        }
        let entries = provider.requests();
        let received = count(&entries, |_| true);
        self.counts(&wanted.requests, &received, |operation, n, wanted| {
            format!("`{name}.{operation}` received {n} requests, not {wanted}")
        });
        let Some(effects) = &wanted.effects else { return };
        let applied = count(&entries, |entry| entry.applied);
        self.counts(effects, &applied, |operation, n, wanted| {
            format!("`{name}.{operation}` took effect {n} times, not {wanted}")
        });
        for (operation, n) in &applied {
            if effects.get(operation.as_str()).is_none() {
                let message = format!(
                    "`{name}.{operation}` took effect {n} times, which `effects` does not list"
                );
                self.report(span, message);
            }
        }
    }

    fn counts(
        &mut self,
        wanted: &Named<String, Spanned<Integer<0, 1_000_000>>>,
        there: &BTreeMap<String, i64>,
        say: impl Fn(&str, i64, i64) -> String,
    ) {
        for (operation, number) in wanted.iter() {
            let n = there.get(&operation.value).copied().unwrap_or(0);
            if n != number.value.0 {
                self.report(number.span, say(&operation.value, n, number.value.0));
            }
        }
    }

    /// However often a call was sent: for one thing of the business it had one key. Holds for every scenario.
    fn one_key_per_effect(&mut self) {
        let mut keys: BTreeMap<(String, String, String), String> = BTreeMap::new();
        let mut broken = Vec::new();
        for (system, provider) in &self.door.world.providers {
            for entry in provider.requests() {
                let (Some(operation), Some(reference), Some(key)) =
                    (&entry.operation, &entry.reference, &entry.key)
                else {
                    continue;
                };
                let what = (system.to_string(), operation.to_string(), reference.clone());
                let first = keys.entry(what).or_insert_with(|| key.clone());
                if first != key {
                    broken.push(format!("`{system}.{operation}` was called for `{reference}` with two keys: `{first}` and `{key}`"));
                }
            }
        }
        let span = self.door.file.value.then.ends.span;
        for message in broken {
            self.report(span, message);
        }
    }

    /// A fault that never happened has proved nothing.
    fn faults(&mut self) {
        let scenario = &self.door.file.value;
        let later = scenario.when.iter().filter_map(|step| match step {
            Step::Fault(fault) => Some(&**fault),
            _ => None,
        });
        let unmet: Vec<&SystemFault> =
            scenario.faults.iter().chain(later).filter(|fault| self.is_unmet(fault)).collect();
        for fault in unmet {
            let message = format!(
                "the fault `{}` at `{}` never happened",
                fault.fault.then.name(),
                fault.system.value
            );
            let finding = self.door.file.error(codes::FAULT_UNUSED, fault.span, message);
            self.findings.push(finding.help("mend its `when` (operation, nth call), or remove it"));
        }
    }

    fn is_unmet(&self, fault: &SystemFault) -> bool {
        let Some(provider) = provider(self.door, fault.system.as_str()) else { return false };
        let name = fault.fault.then.name();
        // The ledger names one fault a request; one that came beside another is known by having been used up.
        let struck = provider.requests().iter().any(|entry| entry.fault.as_deref() == Some(name));
        let whole = fault.fault.to_value();
        let left = provider.faults();
        let untouched = left.as_array().is_some_and(|left| left.contains(&whole));
        !struck && untouched
    }
}

/// The codes of the open dead letters, as wanted.
pub(super) async fn dead_letters(door: &Door<'_>) -> Vec<Finding> {
    let wanted = &door.file.value.then.dead_letters;
    let filter = DeadFilter { state: Some(DeadState::Open), ..DeadFilter::default() };
    let letters = match door.world.store.dead_letters(&filter).await {
        Ok(letters) => letters,
        Err(error) => return vec![Finding::error(codes::SCENARIO_BROKEN, error.to_string())],
    };
    let mut there: Vec<(String, String)> =
        letters.into_iter().map(|letter| (letter.code, letter.summary)).collect();
    let mut findings = Vec::new();
    for code in wanted {
        if let Some(at) = there.iter().position(|(known, _)| *known == code.value) {
            there.remove(at);
        } else {
            let message = format!("there is no dead letter with the code `{}`", code.value);
            findings.push(door.file.error(codes::EXPECTATION, code.span, message));
        }
    }
    for (code, summary) in there {
        let message = format!("there is a dead letter `{code}` that `dead_letters` does not list");
        findings.push(
            door.file
                .error(codes::EXPECTATION, door.file.value.then.ends.span, message)
                .cause(summary),
        );
    }
    findings
}

/// How many events of each type are on the bus, as wanted.
pub(super) async fn published(door: &Door<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (kind, wanted) in door.file.value.then.published.iter() {
        let mut filter = SignalFilter { kind: Some(kind.value.clone()), ..SignalFilter::default() };
        let mut there: i64 = 0;
        loop {
            let page = match door.world.store.signals(&filter).await {
                Ok(page) => page,
                Err(error) => {
                    return vec![Finding::error(codes::SCENARIO_BROKEN, error.to_string())];
                }
            };
            let Some(last) = page.last() else { break };
            filter.after = last.seq;
            there += i64::try_from(page.len()).unwrap_or(i64::MAX);
        }
        if there != wanted.value.0 {
            let message =
                format!("there are {there} events `{}`, not {}", kind.value, wanted.value.0);
            findings.push(door.file.error(codes::EXPECTATION, wanted.span, message));
        }
    }
    findings
}

/// Virtual time from the first event to the last change of a run.
pub(super) fn elapsed(outcome: &Outcome) -> Duration {
    let last = outcome.heads.iter().map(|head| head.state.updated_at).max();
    last.zip(outcome.first_sent).map_or(Duration::ZERO, |(last, first)| last.since(first))
}

fn why(head: &RunHead, end: Option<&RunEnd>) -> Option<String> {
    match end {
        Some(RunEnd::Faulted { failure, .. }) => {
            let text = format!("{} {}: {}", failure.code, failure.title, failure.detail);
            Some(text.chars().take(EXCERPT).collect())
        }
        Some(RunEnd::Cancelled { reason }) => Some(reason.clone()),
        _ => head.state.summary.clone(),
    }
}

fn count(
    entries: &[Arc<LedgerEntry>],
    which: impl Fn(&LedgerEntry) -> bool,
) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for entry in entries.iter().filter(|entry| which(entry)) {
        let operation = entry.operation.as_deref().unwrap_or("(no operation)").to_owned();
        *counts.entry(operation).or_insert(0) += 1;
    }
    counts
}

fn excerpt(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(EXCERPT) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
