//! For people.

use std::ops::Range;

use annotate_snippets::{
    AnnotationKind, Group, Level, Origin, Renderer, Snippet, renderer::DecorStyle,
};
use qc_model::{Finding, Place, Severity};
use qc_vault::leaks;

use super::Summary;
use crate::{ProjectFiles, check::leaks::IS_SECRET};

pub(super) fn render(findings: &[Finding], files: &ProjectFiles, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut out = String::new();
    for finding in findings {
        out.push_str(&renderer.render(&[group(finding, files)]));
        out.push_str("\n\n");
    }
    out.push_str(&summary_line(Summary::of(findings)));
    out.push('\n');
    out
}

fn group<'a>(finding: &'a Finding, files: &'a ProjectFiles) -> Group<'a> {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(&*finding.message).id(finding.code.as_str());
    let mut group = Group::with_title(title);
    if let Some(place) = &finding.place {
        if let Some(snippet) = snippet(finding, place, files) {
            group = group.element(snippet);
        } else {
            // A place without text, such as a file that is not there.
            let origin = Origin::path(&*place.file);
            let origin = if place.end > 0 {
                origin.line(place.line).char_column(place.column)
            } else {
                origin
            };
            let cause = finding.cause.as_deref();
            group = group.element(origin);
            group = group.elements(cause.map(|cause| Level::NOTE.message(cause)));
        }
        for label in &finding.labels {
            let drawn = label.place.file == place.file && files.text(&place.file).is_some();
            if !drawn {
                let at = format!(
                    "{} at {}:{}:{}",
                    label.text, label.place.file, label.place.line, label.place.column
                );
                group = group.element(Level::NOTE.message(at));
            }
        }
    } else if let Some(cause) = &finding.cause {
        group = group.element(Level::NOTE.message(&**cause));
    }
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(&**help));
    }
    group
}

/// The lines of the finding and of its labels in the same file.
fn snippet<'a>(
    finding: &'a Finding,
    place: &'a Place,
    files: &'a ProjectFiles,
) -> Option<Snippet<'a, annotate_snippets::Annotation<'a>>> {
    let text = files.text(&place.file)?;
    if text.is_empty() || place.end > text.len() {
        return None;
    }
    let here: Vec<_> =
        finding.labels.iter().filter(|label| label.place.file == place.file).collect();
    let spans = || here.iter().map(|label| &label.place).chain([place]);
    let window = lines_around(
        text,
        spans().map(|place| place.start).min()?,
        spans().map(|place| place.start).max()?,
    );
    let offset = window.start;
    let within = |place: &Place| {
        let clipped = first_line(text, place.start..place.end);
        clipped.start.saturating_sub(offset)..clipped.end.saturating_sub(offset)
    };
    let line_start = text[..offset].bytes().filter(|&byte| byte == b'\n').count() + 1;
    let primary = AnnotationKind::Primary.span(within(place)).label(finding.cause.as_deref());
    let others = here
        .iter()
        .map(|label| AnnotationKind::Context.span(within(&label.place)).label(&*label.text));
    Some(
        Snippet::source(masked(text, window, finding, place))
            .path(&*place.file)
            .line_start(line_start)
            .annotation(primary)
            .annotations(others),
    )
}

/// A part of a file as it may be shown: with stars in place of whatever looks like a credential, and of what a finding says
/// is one.
fn masked(text: &str, window: Range<usize>, finding: &Finding, place: &Place) -> String {
    let mut shown = text[window.clone()].to_owned();
    let mut hidden: Vec<Range<usize>> = leaks(&shown).into_iter().map(|leak| leak.at).collect();
    if IS_SECRET.contains(&finding.code) {
        let start = place.start.saturating_sub(window.start);
        hidden.push(start..place.end.min(window.end).saturating_sub(window.start));
    }
    for span in hidden {
        // The same number of bytes, so that what is marked stays where it is.
        let stars = "*".repeat(span.len());
        shown.replace_range(span, &stars);
    }
    shown
}

/// The bytes of the whole lines from the one with `first` to the one with `last`.
fn lines_around(text: &str, first: usize, last: usize) -> Range<usize> {
    let start =
        text.as_bytes()[..first].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let end = text.as_bytes()[last..]
        .iter()
        .position(|&byte| byte == b'\n')
        .map_or(text.len(), |at| last + at);
    start..end
}

/// A span cut to its first line: drawing a whole block of a file helps nobody.
fn first_line(text: &str, span: Range<usize>) -> Range<usize> {
    let line = &text[span.clone()];
    let cut = line.find('\n').unwrap_or(line.len());
    span.start..span.start + line[..cut].trim_end().len()
}

fn summary_line(summary: Summary) -> String {
    let Summary { errors, warnings, notes } = summary;
    let count = |n: usize, word: &str| match n {
        0 => None,
        1 => Some(format!("1 {word}")),
        n => Some(format!("{n} {word}s")),
    };
    let parts: Vec<String> =
        [count(errors, "error"), count(warnings, "warning"), count(notes, "note")]
            .into_iter()
            .flatten()
            .collect();
    if parts.is_empty() { "no findings".to_owned() } else { parts.join(", ") }
}
