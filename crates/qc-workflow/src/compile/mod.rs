//! From what the file says to what can run: expressions parsed with exactly the variables in
//! scope, names and flow targets resolved, schemas compiled, policies bound. All problems at once.

mod call;
mod compensation;
mod event;
mod expression;
mod hints;
mod kept;
mod retry;
mod run;
mod schedule;
mod task;
mod unavailable;
mod variables;

use std::{collections::BTreeMap, sync::Arc};

use qc_contract::Schema;
use qc_document::{Document, Node, Source, Span, closest};
use qc_model::{Code, Finding, Severity};

use crate::{
    Bindings, ChildSite, Compensations, codes,
    dsl::{self, Text, Workflow},
    program::{CallSite, Kind, Length, Mould, Program, Task, TaskFact},
};
use variables::Stage;

/// Most tasks that a workflow may have, functions unfolded.
const TASK_LIMIT: usize = 2_000;

/// Deepest nesting of tasks, functions unfolded.
const NESTING_LIMIT: usize = 32;

/// Compiles a workflow against what the project binds. All problems are found at once; the program
/// is there when none is an error.
pub fn compile(workflow: &Workflow, bindings: &dyn Bindings) -> (Option<Program>, Vec<Finding>) {
    compile_compensated(workflow, bindings, None)
}

/// Compiles a workflow as [`compile`] does, with what undoes its tasks when a run fails.
pub fn compile_compensated(
    workflow: &Workflow,
    bindings: &dyn Bindings,
    compensations: Option<&Compensations<'_>>,
) -> (Option<Program>, Vec<Finding>) {
    let mut compiler = Compiler::new(workflow, bindings);
    let program = compiler.workflow(compensations);
    let mut findings = compiler.findings;
    findings.sort_by_key(|finding| finding.place.as_ref().map(|place| place.start));
    findings.dedup();
    let sound = !findings.iter().any(|finding| finding.severity == Severity::Error);
    (sound.then_some(program), findings)
}

struct Compiler<'a> {
    workflow: &'a Workflow,
    /// The file that is being read: the workflow's, or that of the compensations.
    source: Source,
    bindings: &'a dyn Bindings,
    findings: Vec<Finding>,
    tasks: Vec<Option<Task>>,
    facts: Vec<TaskFact>,
    calls: Vec<CallSite>,
    children: Vec<ChildSite>,
    /// Variables of loops and catches around the current place, outermost first.
    locals: Vec<Arc<str>>,
    /// Functions that are being unfolded.
    functions: Vec<Arc<str>>,
    /// How many retrying `try` blocks are around the current place.
    retrying: usize,
    reads_workflow: bool,
    full: bool,
}

impl<'a> Compiler<'a> {
    fn new(workflow: &'a Workflow, bindings: &'a dyn Bindings) -> Self {
        Self {
            workflow,
            source: workflow.source.clone(),
            bindings,
            findings: Vec::new(),
            tasks: Vec::new(),
            facts: Vec::new(),
            calls: Vec::new(),
            children: Vec::new(),
            locals: Vec::new(),
            functions: Vec::new(),
            retrying: 0,
            reads_workflow: false,
            full: false,
        }
    }

    fn workflow(&mut self, compensations: Option<&Compensations<'_>>) -> Program {
        let workflow = self.workflow;
        let input = self.mould(&workflow.input, Stage::WorkflowInput);
        let timeout = self.timeout(workflow.timeout.as_ref(), Stage::WorkflowInput);
        let root = self.list(&workflow.tasks, "/do", 0);
        let output = self.mould(&workflow.output, Stage::WorkflowOutput);
        let schedule = workflow.schedule.as_ref().and_then(|schedule| self.schedule(schedule));
        self.unused_functions();
        if let Some(compensations) = compensations {
            self.compensations(compensations);
        }
        // A hole means that a task could not be compiled; then there are findings.
        let tasks: Vec<Task> = std::mem::take(&mut self.tasks).into_iter().flatten().collect();
        Program {
            namespace: Arc::clone(&workflow.namespace),
            name: Arc::clone(&workflow.name),
            version: Arc::clone(&workflow.version),
            definition: Arc::clone(&workflow.definition),
            reads_workflow: self.reads_workflow,
            input,
            output,
            timeout,
            root,
            listens: tasks.iter().any(|task| matches!(task.kind, Kind::Listen(_))),
            compensates: tasks.iter().any(|task| task.undo.is_some()),
            holds: tasks.iter().any(Task::may_be_held),
            tasks,
            secrets: workflow.components.secrets.iter().map(|s| Arc::clone(&s.text)).collect(),
            calls: std::mem::take(&mut self.calls),
            children: std::mem::take(&mut self.children),
            facts: std::mem::take(&mut self.facts),
            schedule,
            promised: self.bindings.event_contracts(),
        }
    }

    /// Functions that nothing calls are compiled too, for their findings only.
    fn unused_functions(&mut self) {
        let workflow = self.workflow;
        let (tasks, facts) = (self.tasks.len(), self.facts.len());
        let (calls, children) = (self.calls.len(), self.children.len());
        for (name, function) in &workflow.components.functions {
            self.functions.push(Arc::clone(name));
            self.task(function, &format!("/use/functions/{name}"), &[], 0);
            self.functions.pop();
        }
        self.tasks.truncate(tasks);
        self.facts.truncate(facts);
        self.calls.truncate(calls);
        self.children.truncate(children);
    }

    fn report(&mut self, code: Code, span: Span, message: impl Into<String>) -> &mut Finding {
        let place = self.source.place(span);
        self.findings.push(Finding::error(code, message).at(place));
        let last = self.findings.len() - 1;
        &mut self.findings[last]
    }

    fn warn(&mut self, code: Code, span: Span, message: impl Into<String>, help: &str) {
        let place = self.source.place(span);
        self.findings.push(Finding::warning(code, message).at(place).help(help));
    }

    /// Finds a name in a section of `use`.
    fn lookup<T>(
        &mut self,
        section: &str,
        entries: &'a BTreeMap<Arc<str>, T>,
        name: &Text,
    ) -> Option<&'a T> {
        let found = entries.get(&name.text);
        if found.is_none() {
            let message = format!("`use.{section}` has no `{}`", name.text);
            let near = closest(&name.text, entries.keys().map(|key| &**key));
            let help = near.map_or_else(
                || format!("define it under `use.{section}`"),
                |near| format!("did you mean `{near}`?"),
            );
            self.report(codes::UNKNOWN_REFERENCE, name.span, message).help = Some(help);
        }
        found
    }

    /// A secret must be declared in `use.secrets`.
    fn check_secret(&mut self, name: &str, span: Span) {
        let declared = &self.workflow.components.secrets;
        if declared.iter().any(|secret| &*secret.text == name) {
            return;
        }
        let near = closest(name, declared.iter().map(|secret| &*secret.text));
        let help = near.map_or_else(
            || format!("add `{name}` to `use.secrets`"),
            |near| format!("did you mean `{near}`?"),
        );
        let message = format!("the secret `{name}` is not declared");
        self.report(codes::UNKNOWN_SECRET, span, message).help = Some(help);
    }

    fn mould(&mut self, mould: &dsl::Mould, stage: Stage) -> Mould {
        let schema = mould.schema.as_ref().and_then(|node| self.schema(node));
        let shape = mould.shape.as_ref().and_then(|node| self.shape(node, stage));
        Mould { schema, shape }
    }

    fn schema(&mut self, node: &Node) -> Option<Schema> {
        let document = Document { source: self.source.clone(), root: node.clone() };
        let no_files: BTreeMap<String, String> = BTreeMap::new();
        match Schema::from_document(&document, &no_files) {
            Ok(schema) => Some(schema),
            Err(findings) => {
                for finding in findings {
                    let place = finding.place.unwrap_or_else(|| document.source.place(node.span));
                    let message = finding.message;
                    let mut mine = Finding::error(codes::SCHEMA, message).at(place);
                    mine.help = finding.help;
                    self.findings.push(mine);
                }
                None
            }
        }
    }

    fn timeout(&mut self, timeout: Option<&dsl::Timeout>, stage: Stage) -> Option<Length> {
        let workflow = self.workflow;
        match timeout? {
            dsl::Timeout::Named(name) => {
                let found = self.lookup("timeouts", &workflow.components.timeouts, name)?;
                self.length(found, stage)
            }
            dsl::Timeout::After(length) => self.length(length, stage),
        }
    }

    fn length(&mut self, length: &dsl::Length, stage: Stage) -> Option<Length> {
        match length {
            dsl::Length::Fixed(ms) => Some(Length::Fixed(*ms)),
            dsl::Length::Computed(text) => self.expression(text, stage).map(Length::Computed),
        }
    }
}
