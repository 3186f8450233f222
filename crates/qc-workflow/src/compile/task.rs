//! Tasks and lists of tasks.

use std::sync::Arc;

use qc_document::{closest, push_pointer};

use super::{Compiler, NESTING_LIMIT, TASK_LIMIT, call::Site, variables::Stage};
use crate::{
    codes,
    dsl::{self, Text},
    program::{Attempt, Flow, Kind, List, Loop, Raise, Shape, Task, TaskFact, TaskIndex},
};

impl Compiler<'_> {
    /// Compiles a list; `prefix` is the list's pointer.
    pub(super) fn list(&mut self, tasks: &[dsl::Task], prefix: &str, depth: usize) -> List {
        let names: Vec<&Text> = tasks.iter().map(|task| &task.name).collect();
        self.numbered(tasks, &names, prefix, depth)
    }

    /// Branches have no neighbours to go to.
    fn branches(&mut self, tasks: &[dsl::Task], prefix: &str, depth: usize) -> List {
        self.numbered(tasks, &[], prefix, depth)
    }

    fn numbered(
        &mut self,
        tasks: &[dsl::Task],
        names: &[&Text],
        prefix: &str,
        depth: usize,
    ) -> List {
        let compiled = tasks.iter().enumerate().filter_map(|(at, task)| {
            let mut pointer = format!("{prefix}/{at}");
            push_pointer(&mut pointer, &task.name.text);
            self.task(task, &pointer, names, depth)
        });
        compiled.collect()
    }

    /// Compiles one task. `neighbours` are the names that `then` may go to.
    pub(super) fn task(
        &mut self,
        task: &dsl::Task,
        pointer: &str,
        neighbours: &[&Text],
        depth: usize,
    ) -> Option<TaskIndex> {
        if self.tasks.len() >= TASK_LIMIT || depth >= NESTING_LIMIT {
            if !std::mem::replace(&mut self.full, true) {
                let message = format!(
                    "the workflow has more than {TASK_LIMIT} tasks or nests deeper than \
                     {NESTING_LIMIT}, functions unfolded"
                );
                self.report(codes::TOO_LARGE, task.name.span, message).help =
                    Some("split it into several integrations, or use a loop".to_owned());
            }
            return None;
        }
        let index = TaskIndex::try_from(self.tasks.len()).ok()?;
        // The place is taken first, so that a task stands before the tasks in it.
        self.tasks.push(None);
        let pointer: Arc<str> = pointer.into();
        self.facts.push(TaskFact {
            pointer: Arc::clone(&pointer),
            name: Arc::clone(&task.name.text),
            kind: kind_name(&task.kind),
            place: self.source.place(task.name.span),
        });
        let condition = self.optional_expression(task.condition.as_ref(), Stage::TaskInput);
        let input = self.mould(&task.input, Stage::TaskInput);
        let timeout = self.timeout(task.timeout.as_ref(), Stage::Definition);
        let site = Site { pointer: &pointer, name: &task.name, depth };
        let kind = self.kind(&task.kind, site, neighbours);
        let output = self.mould(&task.output, Stage::Definition);
        let export = self.mould(&task.export, Stage::Export);
        let then = task.then.as_ref().map_or(Flow::Continue, |then| self.flow(then, neighbours));
        let compiled = Task {
            name: Arc::clone(&task.name.text),
            pointer,
            definition: Arc::new(task.node.to_value()),
            condition,
            input,
            output,
            export,
            timeout,
            then,
            kind: kind?,
            in_retry: self.retrying > 0,
            undo: None,
        };
        self.tasks[index as usize] = Some(compiled);
        Some(index)
    }

    fn kind(&mut self, kind: &dsl::TaskKind, site: Site<'_>, near: &[&Text]) -> Option<Kind> {
        let stage = Stage::Definition;
        let below = |part: &str| format!("{}/{part}", site.pointer);
        let depth = site.depth + 1;
        match kind {
            dsl::TaskKind::Do(tasks) => Some(Kind::Do(self.list(tasks, &below("do"), depth))),
            dsl::TaskKind::Set(node) => self.shape(node, stage).map(Kind::Set),
            dsl::TaskKind::Switch(cases) => Some(self.switch(cases, near)),
            dsl::TaskKind::For(each) => self.each(each, &below("do"), depth),
            dsl::TaskKind::Fork { compete, branches } => {
                let branches = self.branches(branches, &below("fork/branches"), depth);
                Some(Kind::Fork { compete: *compete, branches })
            }
            dsl::TaskKind::Try(attempt) => Some(self.attempt(attempt, site, near)),
            dsl::TaskKind::Raise(raised) => self.raise(raised),
            dsl::TaskKind::Wait(length) => self.length(length, stage).map(Kind::Wait),
            dsl::TaskKind::Call(call) => self.call(call, site),
            dsl::TaskKind::Emit(with) => self.data(with, stage).map(Kind::Emit),
            dsl::TaskKind::Listen(listen) => {
                let body = below("foreach/do");
                self.listen(listen, &body, depth).map(|listen| Kind::Listen(Box::new(listen)))
            }
            dsl::TaskKind::Run(subflow) => {
                self.subflow(subflow, site).map(|subflow| Kind::Run(Box::new(subflow)))
            }
        }
    }

    fn switch(&mut self, cases: &[dsl::Case], near: &[&Text]) -> Kind {
        let mut compiled = Vec::new();
        let mut fallback = None;
        for case in cases {
            let flow = self.flow(&case.then, near);
            match &case.when {
                None => fallback = Some(flow),
                Some(when) => {
                    if let Some(when) = self.expression(when, Stage::Definition) {
                        compiled.push((when, flow));
                    }
                }
            }
        }
        Kind::Switch { cases: compiled, fallback }
    }

    fn each(&mut self, each: &dsl::Loop, prefix: &str, depth: usize) -> Option<Kind> {
        self.check_variables(&each.each, &each.at, "each");
        let collection = self.collection(&each.collection);
        let outer = self.locals.len();
        self.locals.extend([Arc::clone(&each.each.text), Arc::clone(&each.at.text)]);
        let condition = self.optional_expression(each.condition.as_ref(), Stage::Definition);
        let body = self.list(&each.tasks, prefix, depth);
        self.locals.truncate(outer);
        Some(Kind::For(Box::new(Loop { collection: collection?, condition, body })))
    }

    /// The variables of a loop.
    pub(super) fn check_variables(&mut self, item: &Text, at: &Text, key: &str) {
        self.check_variable(item);
        self.check_variable(at);
        if item.text == at.text {
            let message = format!("`{key}` and `at` are both `{}`", at.text);
            self.report(codes::VARIABLE_NAME, at.span, message);
        }
    }

    fn collection(&mut self, node: &qc_document::Node) -> Option<Shape> {
        self.shape(node, Stage::Definition)
    }

    fn attempt(&mut self, attempt: &dsl::Attempt, site: Site<'_>, near: &[&Text]) -> Kind {
        let depth = site.depth + 1;
        let retry = attempt.retry.as_ref().map(|_| ());
        self.retrying += usize::from(retry.is_some());
        let body = self.list(&attempt.tasks, &format!("{}/try", site.pointer), depth);
        self.retrying -= usize::from(retry.is_some());
        self.check_variable(&attempt.variable);
        self.locals.push(Arc::clone(&attempt.variable.text));
        let when = self.optional_expression(attempt.when.as_ref(), Stage::Definition);
        let except_when = self.optional_expression(attempt.except_when.as_ref(), Stage::Definition);
        let retry = attempt.retry.as_ref().and_then(|retry| self.retry(retry));
        let prefix = format!("{}/catch/do", site.pointer);
        let handler = attempt.handler.as_ref().map(|tasks| self.list(tasks, &prefix, depth));
        self.locals.pop();
        let then = attempt.then.as_ref().map(|then| self.flow(then, near));
        let filter = attempt.filter.clone();
        Kind::Try(Box::new(Attempt { body, filter, when, except_when, retry, handler, then }))
    }

    fn raise(&mut self, raised: &dsl::Raised) -> Option<Kind> {
        let workflow = self.workflow;
        let error = match raised {
            dsl::Raised::Named(name) => self.lookup("errors", &workflow.components.errors, name)?,
            dsl::Raised::Inline(error) => error,
        };
        let stage = Stage::Definition;
        let kind = self.wording(&error.kind, stage);
        let title = error.title.as_ref().map(|text| self.wording(text, stage));
        let detail = error.detail.as_ref().map(|text| self.wording(text, stage));
        let instance = error.instance.as_ref().map(|text| self.wording(text, stage));
        Some(Kind::Raise(Box::new(Raise {
            kind: kind?,
            status: error.status,
            title: title.flatten(),
            detail: detail.flatten(),
            instance: instance.flatten(),
        })))
    }

    fn flow(&mut self, then: &Text, near: &[&Text]) -> Flow {
        match &*then.text {
            "continue" => return Flow::Continue,
            "exit" => return Flow::Exit,
            "end" => return Flow::End,
            _ => {}
        }
        if let Some(at) = near.iter().position(|name| name.text == then.text) {
            return Flow::To(at);
        }
        let message = format!("`then` goes to `{}`, which is no task of the same list", then.text);
        let help = match closest(&then.text, near.iter().map(|name| &*name.text)) {
            Some(name) => format!("did you mean `{name}`?"),
            None if near.is_empty() => "use `continue`, `exit` or `end` here".to_owned(),
            None => "`then` takes `continue`, `exit`, `end` or a task of the list it stands in"
                .to_owned(),
        };
        self.report(codes::UNKNOWN_TASK, then.span, message).help = Some(help);
        Flow::Continue
    }
}

fn kind_name(kind: &dsl::TaskKind) -> &'static str {
    match kind {
        dsl::TaskKind::Do(_) => "do",
        dsl::TaskKind::Set(_) => "set",
        dsl::TaskKind::Switch(_) => "switch",
        dsl::TaskKind::For(_) => "for",
        dsl::TaskKind::Fork { .. } => "fork",
        dsl::TaskKind::Try(_) => "try",
        dsl::TaskKind::Raise(_) => "raise",
        dsl::TaskKind::Wait(_) => "wait",
        dsl::TaskKind::Call(_) => "call",
        dsl::TaskKind::Emit(_) => "emit",
        dsl::TaskKind::Listen(_) => "listen",
        dsl::TaskKind::Run(_) => "run",
    }
}
