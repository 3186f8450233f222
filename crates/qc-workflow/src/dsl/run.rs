//! The `run` task: of all processes only a workflow.

use qc_document::{Node, ObjectReader, Reader};

use super::{
    Subflow, TaskKind, Text,
    document::{is_label, is_version},
    fields::{required_text, text, unsupported},
};
use crate::codes;

/// The version that stands for the newest one.
pub(crate) const LATEST: &str = "latest";

/// Reads `run`.
pub(super) fn run(fields: &mut ObjectReader<'_, '_>) -> Option<TaskKind> {
    let reader = fields.reader();
    let mut run = fields.object("run")?;
    let mut refused = false;
    for (key, feature) in
        [("container", "run: container"), ("script", "run: script"), ("shell", "run: shell")]
    {
        if let Some((at, _)) = run.entry(key) {
            let help =
                "nothing of a tenant is executed on the host; call a service that does the work";
            unsupported(reader, at.span, feature, help);
            refused = true;
        }
    }
    if let Some((key, _)) = run.entry("return").filter(|_| !refused) {
        let help = "it is for processes of the host: a workflow's output is the task's";
        unsupported(reader, key.span, "run.return", help);
        refused = true;
    }
    let awaited = run.optional_bool("await").unwrap_or(true);
    if refused {
        run.entry("workflow");
        run.finish();
        return None;
    }
    let workflow = run.required("workflow");
    run.finish();
    subflow(reader, workflow?, awaited).map(|found| TaskKind::Run(Box::new(found)))
}

fn subflow(reader: &Reader<'_>, node: &Node, awaited: bool) -> Option<Subflow> {
    let mut fields = reader.object(node, "`workflow`")?;
    let span = fields.span();
    let namespace = required_text(&mut fields, "namespace");
    let name = required_text(&mut fields, "name");
    let version = match fields.optional("version") {
        None => Some(Text { text: LATEST.into(), span }),
        Some(node) => reader.text(node, "`version`").and_then(|_| text(node)),
    };
    let input = fields.optional("input").cloned();
    fields.finish();
    let (namespace, name, version) = (namespace?, name?, version?);
    let mut sound = true;
    for (key, word) in [("namespace", &namespace), ("name", &name)] {
        if !is_label(&word.text) {
            let message = format!("`{key}` is `{}`, which is no label", word.text);
            let help = "write the workflow's name out: 1 to 63 letters, digits and `-`";
            reader.push(reader.error(codes::DOCUMENT, word.span, message).help(help));
            sound = false;
        }
    }
    if &*version.text != LATEST && !is_version(&version.text) {
        let message = format!("`version` is `{}`, which is no semantic version", version.text);
        let help = "write three numbers, such as `1.0.0`, or `latest`";
        reader.push(reader.error(codes::DOCUMENT, version.span, message).help(help));
        sound = false;
    }
    sound.then_some(Subflow { namespace, name, version, input, awaited })
}
