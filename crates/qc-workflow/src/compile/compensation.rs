//! What undoes tasks: a call of its own for every task that is to be undone.

use std::sync::Arc;

use qc_document::{Key, Node, NodeValue, closest};

use super::Compiler;
use crate::{
    Compensation, Compensations, codes,
    dsl::{self, Text},
};

impl Compiler<'_> {
    /// Compiles the declarations. One that names a place goes before one that names a task.
    pub(super) fn compensations(&mut self, declared: &Compensations<'_>) {
        self.source = declared.source.clone();
        let count = self.tasks.len();
        let (places, names): (Vec<_>, Vec<_>) =
            declared.tasks.iter().partition(|one| one.task.starts_with('/'));
        for one in places.into_iter().chain(names) {
            self.compensation(one, count);
        }
        self.source = self.workflow.source.clone();
    }

    fn compensation(&mut self, declared: &Compensation<'_>, count: usize) {
        let named: Vec<usize> = (0..count)
            .filter(|at| {
                self.tasks[*at].as_ref().is_some_and(|task| {
                    &*task.pointer == declared.task || &*task.name == declared.task
                })
            })
            .collect();
        if named.is_empty() {
            let message = format!("the workflow has no task `{}` to be undone", declared.task);
            let names = self.facts.iter().map(|fact| &*fact.name);
            let help = closest(declared.task, names).map_or_else(
                || "name a task of workflow.yaml, or its place such as `/do/0/createTicket`".into(),
                |near| format!("did you mean `{near}`?"),
            );
            self.report(codes::COMPENSATION, declared.task_span, message).help = Some(help);
            return;
        }
        for at in named {
            let Some(task) = self.tasks[at].as_ref().filter(|task| task.undo.is_none()) else {
                continue;
            };
            let pointer = format!("/compensate{}", task.pointer);
            let undo = self.undo_of(declared, &task.name.clone());
            let index = self.task(&undo, &pointer, &[], 0);
            if let Some(task) = &mut self.tasks[at] {
                task.undo = index;
            }
        }
    }

    /// The task that undoes: a call by name. It begins with `{input, output}` of the other one,
    /// which a function gets as it is when no arguments are written.
    fn undo_of(&self, declared: &Compensation<'_>, task: &str) -> dsl::Task {
        let at = |value| Node { span: declared.call_span, value };
        let function = self.workflow.components.functions.contains_key(declared.call);
        let with = declared
            .with
            .cloned()
            .or_else(|| function.then(|| at(NodeValue::String("${ . }".into()))));
        let key = |name: &str| Key { span: declared.call_span, name: name.into() };
        let mut entries = vec![(key("call"), at(NodeValue::String(declared.call.into())))];
        entries.extend(with.clone().map(|with| (key("with"), with)));
        let text = |text: String| Text { text: Arc::from(text), span: declared.call_span };
        let call = dsl::Call::Named { name: text(declared.call.to_owned()), with };
        dsl::Task {
            name: text(format!("compensate.{task}")),
            node: at(NodeValue::Mapping(entries)),
            condition: None,
            input: dsl::Mould::default(),
            output: dsl::Mould::default(),
            export: dsl::Mould::default(),
            timeout: None,
            then: None,
            kind: dsl::TaskKind::Call(Box::new(call)),
        }
    }
}
