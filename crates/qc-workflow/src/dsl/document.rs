//! The whole file.

use std::sync::Arc;

use qc_document::{Document, ObjectReader, Reader};
use qc_model::{Finding, Severity};

use super::{
    Workflow,
    components::components,
    duration::timeout,
    fields::{mould, required_text, unsupported},
    schedule::schedule,
    task::task_list,
};
use crate::codes;

/// Reads a workflow. All problems are found at once; the workflow is there when none is an error.
pub fn load(document: &Document) -> (Option<Workflow>, Vec<Finding>) {
    let reader = Reader::new(&document.source);
    let workflow = workflow(document, &reader);
    let findings = reader.finish();
    let sound = !findings.iter().any(|finding| finding.severity == Severity::Error);
    (workflow.filter(|_| sound), findings)
}

fn workflow(document: &Document, reader: &Reader<'_>) -> Option<Workflow> {
    let mut fields = reader.object(&document.root, "the workflow")?;
    let head = fields.object("document").and_then(|head| heading(reader, head));
    let schedule = schedule(&mut fields);
    evaluate(&mut fields);
    let input = mould(&mut fields, "input", "from");
    let output = mould(&mut fields, "output", "as");
    let components = components(&mut fields);
    let timeout = timeout(&mut fields);
    let tasks = fields.required("do").map(|node| task_list(reader, node, "`do`"));
    fields.finish();
    let [namespace, name, version] = head?;
    Some(Workflow {
        source: document.source.clone(),
        namespace,
        name,
        version,
        input,
        output,
        components,
        tasks: tasks?,
        timeout,
        schedule,
        definition: Arc::new(document.root.to_value()),
    })
}

fn heading(reader: &Reader<'_>, mut head: ObjectReader<'_, '_>) -> Option<[Arc<str>; 3]> {
    let dsl = required_text(&mut head, "dsl");
    let namespace = required_text(&mut head, "namespace");
    let name = required_text(&mut head, "name");
    let version = required_text(&mut head, "version");
    head.optional_string("title");
    head.optional_string("summary");
    for key in ["tags", "metadata"] {
        head.entries(key);
    }
    head.finish();
    let (dsl, namespace, name, version) = (dsl?, namespace?, name?, version?);
    let mut sound = true;
    let mut complain = |text: &super::Text, message: String, help: &str| {
        reader.push(reader.error(codes::DOCUMENT, text.span, message).help(help));
        sound = false;
    };
    if !matches!(&*dsl.text, "1.0.0" | "1.0.1" | "1.0.2" | "1.0.3") {
        let message = format!("`dsl` is `{}`, which this platform does not read", dsl.text);
        complain(&dsl, message, "the profile is made for `1.0.3`");
    }
    for (key, text) in [("namespace", &namespace), ("name", &name)] {
        if !is_label(&text.text) {
            let message = format!("`{key}` is `{}`, which is no label", text.text);
            let help =
                "1 to 63 letters, digits and `-`, beginning and ending with a letter or digit";
            complain(text, message, help);
        }
    }
    if !is_version(&version.text) {
        let message = format!("`version` is `{}`, which is no semantic version", version.text);
        complain(&version, message, "write three numbers, such as `1.0.0`");
    }
    sound.then_some([namespace.text, name.text, version.text])
}

/// `evaluate`: jq in strict mode is all there is.
fn evaluate(fields: &mut ObjectReader<'_, '_>) {
    let Some(mut evaluate) = fields.optional_object("evaluate") else { return };
    let reader = evaluate.reader();
    if let Some(language) = evaluate.optional("language")
        && language.as_str() != Some("jq")
    {
        unsupported(reader, language.span, "evaluate.language", "expressions are jq");
    }
    if let Some(mode) = evaluate.optional("mode")
        && mode.as_str() != Some("strict")
    {
        let help = "write expressions in data as `${ … }`";
        unsupported(reader, mode.span, "evaluate.mode: loose", help);
    }
    evaluate.finish();
}

/// A label of 1 to 63 letters, digits and inner hyphens.
pub(super) fn is_label(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && edge(text.chars().next())
        && edge(text.chars().last())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Semantic Versioning 2.0.0, section 2, 9 and 10.
pub(super) fn is_version(text: &str) -> bool {
    let (rest, build) = text.split_once('+').map_or((text, None), |(a, b)| (a, Some(b)));
    let (core, pre) = rest.split_once('-').map_or((rest, None), |(a, b)| (a, Some(b)));
    let number = |part: &str| {
        !part.is_empty()
            && part.len() <= 18
            && part.bytes().all(|b| b.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    let word = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let pre_word =
        |part: &str| word(part) && (number(part) || !part.bytes().all(|b| b.is_ascii_digit()));
    core.split('.').count() == 3
        && core.split('.').all(number)
        && pre.is_none_or(|pre| pre.split('.').all(pre_word))
        && build.is_none_or(|build| build.split('.').all(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_semantic() {
        for good in ["0.1.0", "1.0.0-rc.1", "1.2.3+build.7", "10.20.30"] {
            assert!(is_version(good), "{good}");
        }
        for bad in ["1", "1.0", "01.0.0", "1.0.0-", "1.0.0-01", "v1.0.0", "1.0.0.0", ""] {
            assert!(!is_version(bad), "{bad}");
        }
    }
}
