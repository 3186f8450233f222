//! A provider held against its description: case after case, at a pace, within limits.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use qc_contract::{OpenApi, Operation};
use qc_model::Caller;
use serde_json::{Map, Value};

use crate::cases::{self, Case, Change, NotTried};
use crate::codes;
use crate::credentials::{Credentials, carriers};
use crate::judge::{Hearing, Outcome, Problem, Verdict};
use crate::report::{CaseResult, Cut, Exchange, Report, Seen, Subject};
use crate::resources::{Known, Resources};
use crate::target::Target;
use crate::wire::{Courier, Wire};

/// Most cases of one verification, unless less is asked for.
pub const CASE_LIMIT: usize = 5_000;
/// Most cases of one operation.
pub const OPERATION_CASE_LIMIT: usize = 250;

/// What to verify, and how.
pub struct Verification<'a> {
    /// The description.
    pub api: &'a Arc<OpenApi>,
    /// Where requests go.
    pub target: Target,
    /// Who sends them. Redirects must not be followed.
    pub caller: Arc<dyn Caller>,
    /// With what requests prove who sends them.
    pub credentials: &'a Credentials,
    /// Values for path parameters, by name or by `operation.name`.
    pub values: &'a BTreeMap<String, Value>,
    /// Only these operations; all when empty.
    pub operations: &'a [String],
    /// What generated values grow from: the same seed, the same cases.
    pub seed: u64,
    /// Most requests a second; unlimited for simulators in this process.
    pub rate: Option<u32>,
    /// Most cases, at most [`CASE_LIMIT`].
    pub case_limit: usize,
    /// Whether refusals may have statuses that are not described.
    pub is_lenient: bool,
}

impl Verification<'_> {
    /// Sends all cases and judges what comes.
    pub async fn run(&self) -> Report {
        let mut courier = Courier::new(Arc::clone(&self.caller), self.target.clone(), self.rate);
        let mut resources = self.resources();
        let mut report = Report::new(Subject::Provider, self.target.base(), self.seed);
        let mut cut = Cut { kept: 0, possible: 0 };
        for (operation, planned) in self.planned() {
            cut.kept += planned.all.len();
            cut.possible += planned.possible;
            report.not_tried.extend(planned.not_tried.iter().cloned());
            let mut seen = Seen::of(operation);
            for case in &planned.all {
                let tried = self
                    .perform(&mut courier, &mut resources, (operation, &planned.wire), case)
                    .await;
                seen.saw(tried.exchange.status);
                report.results.push(tried);
            }
            report.seen.push(seen);
        }
        report.requests = courier.sent();
        report.cut = (cut.kept < cut.possible).then_some(cut);
        report
    }

    pub(crate) fn resources(&self) -> Resources<'_> {
        Resources {
            api: self.api,
            credentials: self.credentials,
            seed: self.seed,
            given: self.values,
            found: HashMap::new(),
        }
    }

    /// The operations that are asked for, with their cases: each gets an equal part of the limit.
    pub(crate) fn planned(&self) -> Vec<(&Operation, cases::Cases)> {
        let is_asked = |operation: &&Operation| {
            self.operations.is_empty() || self.operations.iter().any(|id| **id == *operation.id)
        };
        let asked: Vec<&Operation> = self.api.operations().iter().filter(is_asked).collect();
        let limit = self.case_limit.min(CASE_LIMIT);
        let mut left = limit;
        let mut planned = Vec::new();
        for (at, operation) in asked.iter().enumerate() {
            let share = left.div_ceil(asked.len() - at).min(OPERATION_CASE_LIMIT);
            let made = cases::cases_of(self.api, operation, self.credentials, self.seed, share);
            left -= made.all.len();
            planned.push((*operation, made));
        }
        planned
    }

    /// One case, from what it needs to its verdict.
    pub(crate) async fn perform(
        &self,
        courier: &mut Courier,
        resources: &mut Resources<'_>,
        (operation, valid): (&Operation, &Wire),
        case: &Case,
    ) -> CaseResult {
        let known = if matches!(case.change, Change::Elsewhere(_)) {
            Known::default()
        } else {
            resources.known(courier, operation).await
        };
        let Some(wire) = self.request((operation, valid), case, &known.values) else {
            let verdict = self.unsent(operation, case);
            return CaseResult::of(operation, case, verdict, Exchange::unsent());
        };
        let answer = courier.send(&wire).await;
        if operation.method.as_str() == "DELETE" || wire.method == "DELETE" {
            resources.forget();
        }
        let hearing = Hearing {
            api: self.api,
            operation,
            case,
            unknown: &known.unknown,
            is_lenient: self.is_lenient,
        };
        let verdict = hearing.judge(&answer);
        let exchange = Exchange::of(&wire, answer.as_ref().ok(), &carriers(self.api));
        CaseResult::of(operation, case, verdict, exchange)
    }

    /// The request of a case, signed.
    pub(crate) fn request(
        &self,
        (operation, valid): (&Operation, &Wire),
        case: &Case,
        known: &Map<String, Value>,
    ) -> Option<Wire> {
        let mut wire = cases::changed(self.api, operation, valid, &case.change, known)?;
        self.credentials.sign(self.api, operation, case.sign, &mut wire);
        Some(wire)
    }

    /// Why a case has no request: an example that does not fit, since all others were tried when they were made.
    fn unsent(&self, operation: &Operation, case: &Case) -> Verdict {
        let Change::Arguments(arguments) = &case.change else {
            let problem = Problem::new(codes::BROKE, "the request cannot be written", "nothing");
            return Verdict::undecided(problem);
        };
        let arguments = Value::Object(arguments.clone());
        let mismatches = self.api.build(operation, &arguments).err().unwrap_or_default();
        let problems = mismatches.iter().map(|mismatch| {
            let message = format!("the example does not fit its own schema: {mismatch}");
            Problem::new(codes::EXAMPLE, message, "correct the example, or the schema")
        });
        Verdict { outcome: Outcome::Failed, problems: problems.collect() }
    }
}

/// What nobody tried because of limits, for reports.
pub(crate) fn cut_words(cut: &Cut) -> NotTried {
    NotTried {
        operation: String::new(),
        what: format!("{} of {} cases", cut.possible - cut.kept, cut.possible),
        why: format!(
            "at most {CASE_LIMIT} cases are tried, {OPERATION_CASE_LIMIT} of an operation; verify fewer operations at once with --operation, or raise --max-cases"
        ),
    }
}
