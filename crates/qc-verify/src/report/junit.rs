use std::fmt::Write as _;

use super::Report;
use crate::judge::Outcome;

pub(super) fn write(report: &Report) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let (failed, undecided) = (report.count(Outcome::Failed), report.count(Outcome::Undecided));
    let cases = report.results.len();
    let _ = writeln!(
        text,
        "<testsuites name=\"qc contract test\" tests=\"{cases}\" failures=\"{failed}\" skipped=\"{undecided}\">"
    );
    let _ = writeln!(
        text,
        "  <testsuite name=\"{}\" tests=\"{cases}\" failures=\"{failed}\" skipped=\"{undecided}\">",
        escaped(&format!("{} {}", report.subject.as_str(), report.target))
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
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
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
