//! The `listen` task.

use qc_document::{ObjectReader, Span};

use super::{
    EachEvent, Listen, TaskKind, Text,
    event::{At, strategy},
    fields::{mould, optional_text},
    task::task_list,
};
use crate::ReadAs;

/// The words of `read`.
pub(super) const READ: [(&str, ReadAs); 3] =
    [("data", ReadAs::Data), ("envelope", ReadAs::Envelope), ("raw", ReadAs::Raw)];

/// Reads `listen` and `foreach`.
pub(super) fn listen(fields: &mut ObjectReader<'_, '_>) -> Option<TaskKind> {
    let reader = fields.reader();
    let listening = fields.object("listen").and_then(|mut listen| {
        let to = listen.required("to");
        let read = listen.optional_choice("read", &READ).unwrap_or_default();
        listen.finish();
        Some((strategy(reader, to?, "`to`", At::Listen)?, read))
    });
    let each = fields.optional_object("foreach").map(each);
    let (to, read) = listening?;
    Some(TaskKind::Listen(Box::new(Listen { to, read, each })))
}

fn each(mut each: ObjectReader<'_, '_>) -> EachEvent {
    let reader = each.reader();
    let span = each.span();
    let item = optional_text(&mut each, "item");
    let at = optional_text(&mut each, "at");
    let tasks = each.optional("do").map(|node| task_list(reader, node, "`foreach.do`"));
    let output = mould(&mut each, "output", "as");
    let export = mould(&mut each, "export", "as");
    each.finish();
    let (item, at) =
        (item.unwrap_or_else(|| named("item", span)), at.unwrap_or_else(|| named("index", span)));
    EachEvent { item, at, tasks, output, export }
}

fn named(name: &str, span: Span) -> Text {
    Text { text: name.into(), span }
}
