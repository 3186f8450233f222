//! A synchronous driver: answers calls from a script, fires timers by jumping in time.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use qc_contract::Schema;
use qc_document::{Document, ParseLimits, Source, parse_yaml};
use qc_model::{Applied, Class, Code, Failure, Finding, Retry, Severity, Timestamp};
use qc_workflow::{
    Action, Bindings, CallOutput, CallPolicy, CallRequest, CallTarget, ChildRequest, Compensation,
    Compensations, Deadline, Effect, Happening, Input, Jitter, ListenId, Machine, NoteKind,
    Outcome, Program, RequestFacts, RetryPolicy, RuntimeFacts, Start, Subscription, TaskNote,
    compile, compile_compensated, correlation_key, load,
};
use serde_json::{Value, json};

/// Where the shared standards are; None when they are not on this machine.
pub(crate) fn shared() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a test finds its data through the environment")]
    let given = std::env::var("QC_SHARED").ok().map(PathBuf::from);
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let found = given.unwrap_or(beside);
    if found.is_dir() {
        return Some(found);
    }
    println!("skipped: {} is not there (set QC_SHARED)", found.display());
    None
}

/// What tests bind: the connector `crm`, any OpenAPI document, and overrides by task name.
#[derive(Default)]
pub(crate) struct Bound {
    pub(crate) overrides: BTreeMap<String, CallPolicy>,
    /// What is promised of events, by their type.
    pub(crate) promised: BTreeMap<String, Vec<Schema>>,
}

pub(crate) fn policy(effect: Effect) -> CallPolicy {
    let retry = RetryPolicy { jitter: Jitter::None, ..RetryPolicy::default() };
    CallPolicy { effect, retry, timeout_ms: 10_000, ..CallPolicy::default() }
}

impl Bindings for Bound {
    fn operation(&self, connector: &str, operation: &str) -> Option<CallPolicy> {
        let effect = match (connector, operation) {
            ("crm", "read") => Effect::Idempotent,
            ("crm", "upsert") => Effect::Keyed,
            ("crm", "verified") => Effect::Verify,
            ("crm", "create") => Effect::Once,
            _ => return None,
        };
        Some(policy(effect))
    }

    fn operation_names(&self, connector: &str) -> Vec<String> {
        let names: &[&str] =
            if connector == "crm" { &["read", "upsert", "verified", "create"] } else { &[] };
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn http_default(&self, method: &str) -> CallPolicy {
        let safe = matches!(method, "GET" | "HEAD" | "PUT" | "DELETE");
        policy(if safe { Effect::Idempotent } else { Effect::Once })
    }

    fn task_override(&self, _pointer: &str, task_name: &str) -> Option<CallPolicy> {
        self.overrides.get(task_name).cloned()
    }

    fn event_contracts(&self) -> BTreeMap<String, Vec<Schema>> {
        self.promised.clone()
    }

    fn openapi(&self, document: &str, operation: &str) -> Result<CallPolicy, Box<Finding>> {
        if document.contains("missing") {
            let message = format!("no operation `{operation}` in `{document}`");
            return Err(Box::new(Finding::error(Code::new("QC-C999"), message)));
        }
        Ok(policy(Effect::Idempotent))
    }
}

pub(crate) fn document(text: &str) -> Document {
    let source = Source::new("workflow.yaml", text);
    parse_yaml(source, &ParseLimits::default()).expect("is YAML")
}

/// Adds the head that every workflow needs.
pub(crate) fn with_head(body: &str) -> String {
    let head = "document: { dsl: '1.0.3', namespace: test, name: demo, version: '1.0.0' }\n";
    format!("{head}{body}")
}

/// Loads and compiles; panics with the findings when there are errors.
pub(crate) fn program_of(text: &str, bound: &Bound) -> Arc<Program> {
    let (workflow, findings) = load(&document(text));
    let workflow = workflow.unwrap_or_else(|| panic!("{}", shown(&findings)));
    let (program, findings) = compile(&workflow, bound);
    Arc::new(program.unwrap_or_else(|| panic!("{}", shown(&findings))))
}

/// Loads and compiles with what undoes tasks: a map as in `integration.yaml`.
pub(crate) fn compensated(text: &str, compensation: &str) -> Result<Arc<Program>, Vec<Finding>> {
    let (workflow, findings) = load(&document(text));
    let workflow = workflow.ok_or(findings)?;
    let declared =
        parse_yaml(Source::new("integration.yaml", compensation), &ParseLimits::default())
            .expect("is YAML");
    let entries = declared.root.as_mapping().expect("a map");
    let tasks = entries
        .iter()
        .map(|(task, rule)| {
            let call = rule.get("do").expect("a call");
            Compensation {
                task: &task.name,
                task_span: task.span,
                call: call.as_str().expect("a name"),
                call_span: call.span,
                with: rule.get("with"),
            }
        })
        .collect();
    let compensations = Compensations { source: &declared.source, tasks };
    let (program, findings) =
        compile_compensated(&workflow, &Bound::default(), Some(&compensations));
    program.map(Arc::new).ok_or(findings)
}

pub(crate) fn shown(findings: &[Finding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// All findings of loading and compiling a body.
pub(crate) fn findings_of(body: &str) -> Vec<Finding> {
    let (workflow, mut findings) = load(&document(&with_head(body)));
    if let Some(workflow) = workflow {
        findings.extend(compile(&workflow, &Bound::default()).1);
    }
    findings
}

/// The codes of all errors in a body.
pub(crate) fn errors_of(body: &str) -> Vec<String> {
    let errors = findings_of(body).into_iter().filter(|f| f.severity == Severity::Error);
    errors.map(|finding| finding.code.to_string()).collect()
}

pub(crate) fn answer(content: Value) -> CallOutput {
    CallOutput { status: 200, headers: BTreeMap::new(), content, request: RequestFacts::default() }
}

pub(crate) fn failure(class: Class) -> Failure {
    Failure::new(class, Code::new("QC-N999"), "The call failed", "for the test")
}

pub(crate) fn ambiguous(class: Class) -> Failure {
    Failure { applied: Applied::Maybe, ..failure(class) }
}

pub(crate) fn stated(ms: u64) -> Failure {
    Failure { retry: Retry::After { stated_ms: Some(ms) }, ..failure(Class::Throttled) }
}

pub(crate) fn start_with(input: Value, entropy: u64) -> Start {
    let runtime = RuntimeFacts {
        name: "quickconnect".into(),
        version: "0.1.0".into(),
        metadata: json!({"tenant": "acme"}),
    };
    let at = Timestamp::from_millis(1_795_358_400_000);
    let (run, origin) = ("run-1".to_owned(), "run-0".to_owned());
    Start { run, origin, input, at, entropy, runtime, depth: 0, deadline: None }
}

/// A run under the test's control.
pub(crate) struct Run {
    pub(crate) machine: Option<Machine>,
    pub(crate) now: Timestamp,
    steps: u64,
    /// Calls requested and not answered, oldest first.
    pub(crate) open: Vec<CallRequest>,
    pub(crate) interrupted: Vec<String>,
    pub(crate) events: Vec<Value>,
    pub(crate) notes: Vec<TaskNote>,
    pub(crate) finished: Vec<Outcome>,
    pub(crate) sent: Vec<CallRequest>,
    pub(crate) start: Start,
    pub(crate) inputs: Vec<Input>,
    pub(crate) actions: Vec<Vec<Action>>,
    /// Listens that wait, as they were told.
    pub(crate) listens: BTreeMap<ListenId, Subscription>,
    /// Listens that are to be offered what came in before.
    fresh: Vec<ListenId>,
    /// Events that came in.
    kept: Vec<Value>,
    /// Children asked for and not ended (or, when not awaited, not started), oldest first.
    pub(crate) children: Vec<ChildRequest>,
    pub(crate) cancelled: Vec<String>,
}

impl Run {
    pub(crate) fn of(body: &str, input: Value) -> Self {
        Self::with(body, input, &Bound::default())
    }

    pub(crate) fn with(body: &str, input: Value, bound: &Bound) -> Self {
        Self::start(program_of(&with_head(body), bound), input, 42)
    }

    pub(crate) fn start(program: Arc<Program>, input: Value, entropy: u64) -> Self {
        Self::began(program, start_with(input, entropy))
    }

    /// A run that has to be over within so many milliseconds of its event, and begins so many after it.
    pub(crate) fn within(program: Arc<Program>, within_ms: u64, late_ms: u64) -> Self {
        let start = start_with(json!({}), 42);
        let at = start.at + Duration::from_millis(within_ms - late_ms);
        Self::began(program, Start { deadline: Some(Deadline { at, within_ms }), ..start })
    }

    pub(crate) fn began(program: Arc<Program>, start: Start) -> Self {
        let now = start.at;
        let (machine, actions) = Machine::start(program, &start);
        let mut this = Self {
            machine: None,
            now,
            steps: 0,
            open: Vec::new(),
            interrupted: Vec::new(),
            events: Vec::new(),
            notes: Vec::new(),
            finished: Vec::new(),
            sent: Vec::new(),
            start,
            inputs: Vec::new(),
            actions: Vec::new(),
            listens: BTreeMap::new(),
            fresh: Vec::new(),
            kept: Vec::new(),
            children: Vec::new(),
            cancelled: Vec::new(),
        };
        this.take(machine, actions);
        this
    }

    pub(crate) fn machine(&self) -> &Machine {
        self.machine.as_ref().expect("there is a machine")
    }

    fn take(&mut self, machine: Machine, actions: Vec<Action>) {
        self.machine = Some(machine);
        self.actions.push(actions.clone());
        for action in actions {
            match action {
                Action::Call(request) => {
                    self.sent.push(request.clone());
                    self.open.push(request);
                }
                Action::Interrupt { call, .. } => self.interrupted.push(call.to_string()),
                Action::Emit { event, .. } => self.events.push(event),
                Action::Note(note) => self.notes.push(note),
                Action::Finish(outcome) => self.finished.push(outcome),
                Action::Listen(subscription) => {
                    self.fresh.push(subscription.id.clone());
                    self.listens.insert(subscription.id.clone(), subscription);
                }
                Action::StopListening { id } => {
                    assert!(self.listens.remove(&id).is_some(), "{id} was not listened to");
                }
                Action::StartChild(request) => self.children.push(request),
                Action::CancelChild { id, compensate, .. } => {
                    let how = if compensate { " and undone" } else { "" };
                    self.cancelled.push(format!("{id}{how}"));
                }
            }
        }
    }

    pub(crate) fn tell(&mut self, happening: Happening) {
        self.steps += 1;
        let input = Input { at: self.now, entropy: self.steps.wrapping_mul(77_777), happening };
        self.inputs.push(input.clone());
        let machine = self.machine.take().expect("there is a machine");
        let (machine, actions) = machine.step(&input);
        self.take(machine, actions);
        self.offer_kept();
    }

    /// An event comes in; it is offered to the listens that wait. Says how many took it.
    pub(crate) fn offer(&mut self, event: Value) -> usize {
        let waiting: Vec<ListenId> = self.listens.keys().cloned().collect();
        let taken = waiting.iter().filter(|id| self.offer_to(id, &event)).count();
        self.kept.push(event);
        taken
    }

    /// What came in before is offered to listens that began or changed.
    fn offer_kept(&mut self) {
        while !self.fresh.is_empty() {
            let id = self.fresh.remove(0);
            for event in self.kept.clone() {
                self.offer_to(&id, &event);
            }
        }
    }

    fn offer_to(&mut self, id: &ListenId, event: &Value) -> bool {
        if !self.machine().wants(id, event) {
            return false;
        }
        let subscription = self.listens.get(id).expect("only who listens wants");
        let found = subscription.filters.iter().any(|filter| {
            let kind = filter.event_type.as_ref().is_none_or(|kind| event["type"] == **kind);
            let key = filter.key.is_empty()
                || correlation_key(&filter.site, event).as_ref() == Some(&filter.key);
            kind && key
        });
        assert!(found, "an index over {subscription:?} finds what is wanted");
        self.tell(Happening::EventReceived { listen: id.clone(), event: event.clone() });
        true
    }

    /// Takes the oldest open child of a task.
    pub(crate) fn child(&mut self, task: &str) -> ChildRequest {
        let at = self.children.iter().position(|request| &*request.task == task);
        let at = at.unwrap_or_else(|| panic!("no open child of `{task}`: {:?}", self.children));
        self.children.remove(at)
    }

    pub(crate) fn child_starts(&mut self, task: &str, run: &str) -> &mut Self {
        let request = self.child(task);
        if request.awaited {
            self.children.insert(0, request.clone());
        }
        let (id, attempt) = (request.id, request.attempt);
        self.tell(Happening::ChildStarted { id, attempt, run: run.to_owned() });
        self
    }

    pub(crate) fn child_ends(&mut self, task: &str, outcome: Outcome) -> &mut Self {
        let ChildRequest { id, attempt, .. } = self.child(task);
        self.tell(Happening::ChildEnded { id, attempt, outcome });
        self
    }

    /// Takes the oldest open call of a task.
    fn opened(&mut self, task: &str) -> CallRequest {
        let at = self.open.iter().position(|request| &*request.task == task);
        let at = at.unwrap_or_else(|| panic!("no open call of `{task}`: {:?}", self.open));
        self.open.remove(at)
    }

    pub(crate) fn succeed(&mut self, task: &str, content: Value) -> &mut Self {
        let request = self.opened(task);
        let output = answer(content);
        self.tell(Happening::CallSucceeded { call: request.id, attempt: request.attempt, output });
        self
    }

    pub(crate) fn fail(&mut self, task: &str, failure: Failure) -> &mut Self {
        let request = self.opened(task);
        self.tell(Happening::CallFailed { call: request.id, attempt: request.attempt, failure });
        self
    }

    /// Jumps to the next timer and fires it; says how far it jumped.
    pub(crate) fn wake(&mut self) -> Duration {
        let timers = self.machine().timers();
        let (timer, at) = timers.into_iter().min_by_key(|(id, at)| (*at, *id)).expect("a timer");
        let passed = at.since(self.now);
        self.now = self.now.max(at);
        self.tell(Happening::TimerFired { timer });
        passed
    }

    pub(crate) fn pass(&mut self, ms: u64) -> &mut Self {
        self.now = self.now + Duration::from_millis(ms);
        self
    }

    /// Answers every call and fires every timer until the run ends.
    pub(crate) fn finish(
        &mut self,
        mut answer: impl FnMut(&CallRequest) -> Result<CallOutput, Box<Failure>>,
    ) -> Outcome {
        for _ in 0..50_000 {
            if let Some(outcome) = self.machine().outcome() {
                return outcome.clone();
            }
            if let Some(child) = self.children.first().cloned().filter(|child| !child.awaited) {
                self.child_starts(&child.task, "child");
                continue;
            }
            if let Some(child) = self.children.first().cloned() {
                self.child_ends(&child.task, Outcome::Completed { output: json!("child") });
                continue;
            }
            if self.open.is_empty() && self.machine().timers().is_empty() {
                let reason = "nothing else would end it".to_owned();
                self.tell(Happening::Cancelled { reason, compensate: true });
                continue;
            }
            if self.open.is_empty() {
                self.wake();
                continue;
            }
            let request = self.open.remove(0);
            let (call, attempt) = (request.id.clone(), request.attempt);
            self.tell(match answer(&request) {
                Ok(output) => Happening::CallSucceeded { call, attempt, output },
                Err(failure) => Happening::CallFailed { call, attempt, failure: *failure },
            });
        }
        panic!("the run does not end");
    }

    pub(crate) fn outcome(&self) -> &Outcome {
        self.machine().outcome().unwrap_or_else(|| panic!("the run goes on: {:?}", self.open))
    }

    pub(crate) fn output(&self) -> &Value {
        match self.outcome() {
            Outcome::Completed { output } => output,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn error(&self) -> &Value {
        match self.outcome() {
            Outcome::Faulted { error, .. } => error,
            other => panic!("{other:?}"),
        }
    }

    /// Names of tasks that had a note of this kind, in order.
    pub(crate) fn noted(&self, wanted: fn(&NoteKind) -> bool) -> Vec<&str> {
        self.notes.iter().filter(|note| wanted(&note.kind)).map(|note| &*note.task).collect()
    }

    pub(crate) fn started(&self) -> Vec<&str> {
        self.noted(|kind| *kind == NoteKind::Started)
    }

    /// Tasks of the calls that are open.
    pub(crate) fn waiting(&self) -> Vec<&str> {
        self.open.iter().map(|request| &*request.task).collect()
    }
}

/// The output of a workflow that calls nothing.
pub(crate) fn output_of(body: &str, input: Value) -> Value {
    let mut run = Run::of(body, input);
    run.finish(|request| panic!("unexpected call {request:?}"));
    run.output().clone()
}

/// The error of a workflow that calls nothing.
pub(crate) fn error_of(body: &str, input: Value) -> Value {
    let mut run = Run::of(body, input);
    run.finish(|request| panic!("unexpected call {request:?}"));
    run.error().clone()
}

/// The endpoint of a plain HTTP request.
pub(crate) fn endpoint(request: &CallRequest) -> &str {
    match &request.target {
        CallTarget::Http { endpoint, .. } => endpoint,
        other => panic!("{other:?}"),
    }
}
