//! Tasks and lists of tasks.

use std::collections::HashMap;

use qc_document::{Node, ObjectReader, Reader, Span};

use super::{
    Attempt, Case, ErrorFilter, Loop, Raised, Retry, Task, TaskKind, Text,
    call::call,
    components::error,
    duration::{length, timeout},
    fields::{mould, optional_text, required_text, text},
    listen::listen,
    retry::retry,
    run::run,
};
use crate::codes;

/// The keys that say what a task does. `for` stands before `do`, as it has a `do` of its own.
const KINDS: [&str; 12] =
    ["call", "emit", "for", "fork", "listen", "raise", "run", "set", "switch", "try", "wait", "do"];

/// Reads a list of tasks: `- name: { … }` each.
pub(super) fn task_list(reader: &Reader<'_>, node: &Node, what: &str) -> Vec<Task> {
    let Some(items) = reader.list(node, what) else { return Vec::new() };
    if items.is_empty() {
        reader.report(codes::TASK_ITEM, node.span, format!("{what} has no task"));
    }
    let mut seen: HashMap<&str, Span> = HashMap::new();
    let mut tasks = Vec::with_capacity(items.len());
    for item in items {
        let Some([(key, body)]) = item.as_mapping() else {
            let message = format!("an item of {what} must be one task under its name");
            let help = "write `- nameOfTheTask:` and what it does below it, indented";
            reader.push(reader.error(codes::TASK_ITEM, item.span, message).help(help));
            continue;
        };
        if let Some(first) = seen.insert(&key.name, key.span) {
            let message = format!("two tasks of {what} are called `{}`", key.name);
            let finding = reader.error(codes::DUPLICATE_TASK, key.span, message);
            reader.push(finding.label(reader.source().place(first), "the first is here"));
        }
        if matches!(&*key.name, "continue" | "exit" | "end" | "") {
            let message = format!("a task cannot be called `{}`", key.name);
            let help = "`then` uses the words `continue`, `exit` and `end` itself";
            reader.push(reader.error(codes::TASK_ITEM, key.span, message).help(help));
        }
        let name = Text { text: key.name.clone(), span: key.span };
        tasks.extend(task(reader, name, body));
    }
    tasks
}

fn required_tasks(fields: &mut ObjectReader<'_, '_>, key: &'static str) -> Vec<Task> {
    let reader = fields.reader();
    fields
        .required(key)
        .map(|node| task_list(reader, node, &format!("`{key}`")))
        .unwrap_or_default()
}

/// Reads one task.
pub(super) fn task(reader: &Reader<'_>, name: Text, node: &Node) -> Option<Task> {
    let mut fields = reader.object(node, &format!("the task `{}`", name.text))?;
    let condition = optional_text(&mut fields, "if");
    let input = mould(&mut fields, "input", "from");
    let output = mould(&mut fields, "output", "as");
    let export = mould(&mut fields, "export", "as");
    let timeout = timeout(&mut fields);
    let then = optional_text(&mut fields, "then");
    if let Some(metadata) = fields.optional("metadata") {
        reader.entries(metadata, "`metadata`");
    }
    let kind = kind(&mut fields, &name);
    fields.finish();
    let kind = kind?;
    Some(Task { name, node: node.clone(), condition, input, output, export, timeout, then, kind })
}

fn kind(fields: &mut ObjectReader<'_, '_>, name: &Text) -> Option<TaskKind> {
    let reader = fields.reader();
    let looping = fields.has("for");
    let present: Vec<&'static str> =
        KINDS.into_iter().filter(|k| fields.has(k) && !(looping && *k == "do")).collect();
    let [only] = present[..] else {
        for kind in KINDS {
            fields.entry(kind);
        }
        let said = if present.is_empty() {
            "does not say what to do"
        } else {
            "says several things to do"
        };
        let message = format!("the task `{}` {said}", name.text);
        let help = "a task has exactly one of `call`, `do`, `emit`, `for`, `fork`, `listen`, \
                    `raise`, `run`, `set`, `switch`, `try`, `wait`";
        reader.push(reader.error(codes::TASK_KIND, name.span, message).help(help));
        return None;
    };
    match only {
        "call" => call(fields).map(|call| TaskKind::Call(Box::new(call))),
        "do" => Some(TaskKind::Do(required_tasks(fields, "do"))),
        "emit" => emit(fields),
        "for" => each(fields),
        "fork" => fork(fields),
        "raise" => raise(fields),
        "set" => set(fields),
        "switch" => switch(fields),
        "try" => attempt(fields),
        "wait" => {
            let node = fields.required("wait")?;
            length(reader, node, "`wait`").map(TaskKind::Wait)
        }
        "run" => run(fields),
        _ => listen(fields),
    }
}

fn set(fields: &mut ObjectReader<'_, '_>) -> Option<TaskKind> {
    let node = fields.required("set")?;
    let legal = node.as_str().is_some() || node.as_mapping().is_some_and(|m| !m.is_empty());
    if !legal {
        fields.reader().wrong_kind(node, "`set`", "an object with entries, or an expression");
        return None;
    }
    Some(TaskKind::Set(node.clone()))
}

fn emit(fields: &mut ObjectReader<'_, '_>) -> Option<TaskKind> {
    let mut emit = fields.object("emit")?;
    let mut event = emit.object("event")?;
    emit.finish();
    let with = event.required("with");
    event.finish();
    let with = with?;
    let mut properties = fields.reader().object(with, "`with`")?;
    required_text(&mut properties, "type")?;
    properties.rest();
    properties.finish();
    Some(TaskKind::Emit(with.clone()))
}

fn each(fields: &mut ObjectReader<'_, '_>) -> Option<TaskKind> {
    let reader = fields.reader();
    let header = fields.object("for").and_then(|mut header| {
        let span = header.span();
        let each = optional_text(&mut header, "each");
        let at = optional_text(&mut header, "at");
        let collection = header.required("in");
        header.finish();
        let collection = collection?;
        if collection.as_str().is_none() && collection.as_sequence().is_none() {
            reader.wrong_kind(collection, "`in`", "an expression or a list");
            return None;
        }
        let named = |written: Option<Text>, name: &str| {
            written.unwrap_or_else(|| Text { text: name.into(), span })
        };
        Some((named(each, "item"), named(at, "index"), collection.clone()))
    });
    let condition = optional_text(fields, "while");
    let tasks = required_tasks(fields, "do");
    let (each, at, collection) = header?;
    Some(TaskKind::For(Box::new(Loop { each, at, collection, condition, tasks })))
}

fn fork(fields: &mut ObjectReader<'_, '_>) -> Option<TaskKind> {
    let mut fork = fields.object("fork")?;
    let compete = fork.optional_bool("compete").unwrap_or(false);
    let branches = required_tasks(&mut fork, "branches");
    fork.finish();
    Some(TaskKind::Fork { compete, branches })
}

fn raise(fields: &mut ObjectReader<'_, '_>) -> Option<TaskKind> {
    let reader = fields.reader();
    let mut raise = fields.object("raise")?;
    let node = raise.required("error");
    raise.finish();
    let node = node?;
    if node.as_str().is_some() {
        return text(node).map(|name| TaskKind::Raise(Raised::Named(name)));
    }
    error(reader, node).map(|error| TaskKind::Raise(Raised::Inline(error)))
}

fn switch(fields: &mut ObjectReader<'_, '_>) -> Option<TaskKind> {
    let reader = fields.reader();
    let node = fields.required("switch")?;
    let items = reader.list(node, "`switch`")?;
    let mut cases = Vec::with_capacity(items.len());
    for item in items {
        let Some([(key, body)]) = item.as_mapping() else {
            let message = "an item of `switch` must be one case under its name";
            reader.report(codes::SWITCH, item.span, message);
            continue;
        };
        let Some(mut case) = reader.object(body, &format!("the case `{}`", key.name)) else {
            continue;
        };
        let when = optional_text(&mut case, "when");
        let then = required_text(&mut case, "then");
        case.finish();
        let name = Text { text: key.name.clone(), span: key.span };
        cases.extend(then.map(|then| Case { name, when, then }));
    }
    if items.is_empty() {
        reader.report(codes::SWITCH, node.span, "`switch` has no case");
    }
    for spare in cases.iter().filter(|case| case.when.is_none()).skip(1) {
        let message = format!("`{}` is a second case without `when`", spare.name.text);
        reader.report(codes::SWITCH, spare.name.span, message);
    }
    Some(TaskKind::Switch(cases))
}

fn attempt(fields: &mut ObjectReader<'_, '_>) -> Option<TaskKind> {
    let reader = fields.reader();
    let tasks = required_tasks(fields, "try");
    let mut catch = fields.object("catch")?;
    let filter = filter(&mut catch);
    let span = catch.span();
    let variable = optional_text(&mut catch, "as");
    let variable = variable.unwrap_or_else(|| Text { text: "error".into(), span });
    let when = optional_text(&mut catch, "when");
    let except_when = optional_text(&mut catch, "exceptWhen");
    let retry = catch.optional("retry").and_then(|node| {
        if node.as_str().is_some() {
            text(node).map(Retry::Named)
        } else {
            retry(reader, node).map(Retry::Inline)
        }
    });
    let handler = catch.optional("do").map(|node| task_list(reader, node, "`catch.do`"));
    let then = optional_text(&mut catch, "then");
    catch.finish();
    let attempt = Attempt { tasks, filter, variable, when, except_when, retry, handler, then };
    Some(TaskKind::Try(Box::new(attempt)))
}

fn filter(catch: &mut ObjectReader<'_, '_>) -> ErrorFilter {
    let mut filter = ErrorFilter::default();
    let Some(mut errors) = catch.optional_object("errors") else { return filter };
    if let Some(mut with) = errors.optional_object("with") {
        let word =
            |with: &mut ObjectReader<'_, '_>, key| optional_text(with, key).map(|text| text.text);
        filter.kind = word(&mut with, "type");
        filter.status = with
            .optional_integer("status", 100..=599)
            .and_then(|status| u16::try_from(status).ok());
        filter.instance = word(&mut with, "instance");
        filter.title = word(&mut with, "title");
        filter.detail = word(&mut with, "detail");
        with.finish();
    }
    errors.finish();
    filter
}
