use std::fmt::Write as _;

use super::Report;
use crate::judge::Outcome;

pub(super) fn write(reports: &[Report]) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let sum = |outcome| reports.iter().map(|report| report.count(outcome)).sum::<usize>();
    let _ = writeln!(
        text,
        "<testsuites name=\"qc contract test\" tests=\"{}\" failures=\"{}\" skipped=\"{}\">",
        reports.iter().map(|report| report.results.len()).sum::<usize>(),
        sum(Outcome::Failed),
        sum(Outcome::Undecided),
    );
    for report in reports {
        suite(&mut text, report);
    }
    text.push_str("</testsuites>\n");
    text
}

fn suite(text: &mut String, report: &Report) {
    let _ = writeln!(
        text,
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\">",
        escaped(&format!("{} {}", report.subject.as_str(), report.target)),
        report.results.len(),
        report.count(Outcome::Failed),
        report.count(Outcome::Undecided),
    );
    for result in &report.results {
        let _ = write!(
            text,
            "    <testcase classname=\"{}\" name=\"{}\"",
            escaped(&result.operation),
            escaped(&result.id)
        );
        if let Some(place) = &result.place {
            let _ = write!(text, " file=\"{}\" line=\"{}\"", escaped(&place.file), place.line);
        }
        let said: Vec<String> = result
            .problems
            .iter()
            .map(|p| format!("[{}] {}\n{}", p.code, p.message, p.action))
            .collect();
        let said = said.join("\n");
        let message = escaped(said.lines().next().unwrap_or_default());
        match result.outcome {
            Outcome::Passed => text.push_str("/>\n"),
            Outcome::Failed => {
                let _ = writeln!(
                    text,
                    "><failure message=\"{message}\">{}</failure></testcase>",
                    escaped(&format!(
                        "{}\nsent: {}; {}\ncame: {:?}, {}\nexpected: {}\n{said}",
                        result.name,
                        result.exchange.request,
                        result.exchange.sent,
                        result.exchange.status,
                        result.exchange.received,
                        result.expected
                    ))
                );
            }
            Outcome::Undecided => {
                let _ = writeln!(text, "><skipped message=\"{message}\"/></testcase>");
            }
        }
    }
    text.push_str("  </testsuite>\n");
}

/// Text for XML 1.0: marked characters escaped, characters that it has not left out.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' | '\t' => safe.push(character),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => safe.push('?'),
            c => safe.push(c),
        }
    }
    safe
}
