use std::io::{self, IsTerminal, Write};

use qc_model::{Finding, Severity};
use serde::Serialize;
use serde_json::{Value, json};

use super::trouble::Trouble;

/// Where results and messages go: results to standard output, all else to standard error. JSON only when asked for,
/// colour only on a terminal that wants it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// Results as JSON.
    pub(crate) json: bool,
    /// No messages beside results and errors.
    pub(crate) quiet: bool,
    /// Colour on standard output.
    pub(crate) color: bool,
    color_errors: bool,
}

/// What the user said about colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR or TERM=dumb say otherwise.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What the environment says about colour.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ColorWishes {
    /// NO_COLOR is set and not empty.
    pub(crate) none: bool,
    /// CLICOLOR_FORCE is set and not `0`.
    pub(crate) force: bool,
    /// TERM is `dumb`.
    pub(crate) dumb: bool,
}

impl Output {
    /// By the flags and the environment.
    pub(crate) fn new(json: bool, quiet: bool, color: Color, wishes: ColorWishes) -> Self {
        let decide = |terminal: bool| match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if wishes.none => false,
            Color::Auto if wishes.force => true,
            Color::Auto => terminal && !wishes.dumb,
        };
        Self {
            json,
            quiet,
            color: decide(io::stdout().is_terminal()),
            color_errors: decide(io::stderr().is_terminal()),
        }
    }

    /// The same without messages.
    pub(crate) fn hushed(self) -> Self {
        Self { quiet: true, ..self }
    }

    /// A result: as JSON, or as the text that `human` makes.
    pub(crate) fn result(self, value: &impl Serialize, human: impl FnOnce() -> String) {
        if self.json {
            let value = versioned(serde_json::to_value(value).unwrap_or(Value::Null));
            self.line(&serde_json::to_string_pretty(&value).unwrap_or_default());
        } else {
            self.line(human().trim_end());
        }
    }

    /// A result as it is.
    #[expect(
        clippy::unused_self,
        reason = "an Output in hand is the right to write to standard output"
    )]
    pub(crate) fn line(self, text: &str) {
        let mut out = io::stdout().lock();
        // Whoever reads has gone, such as `head`: nothing is left to say, and to nobody.
        if writeln!(out, "{text}").and_then(|()| out.flush()).is_err() {
            std::process::exit(0);
        }
    }

    /// A message beside the result.
    pub(crate) fn say(self, text: &str) {
        if !self.quiet {
            drop(writeln!(io::stderr().lock(), "{text}"));
        }
    }

    /// What went wrong.
    pub(crate) fn trouble(self, trouble: &Trouble) {
        if self.json {
            let text = serde_json::to_string_pretty(&trouble.to_json()).unwrap_or_default();
            drop(writeln!(io::stderr().lock(), "{text}"));
            return;
        }
        for finding in &trouble.findings {
            drop(writeln!(io::stderr().lock(), "{}", self.finding(finding)));
        }
        if let Some(problem) = &trouble.problem {
            for line in problem_lines(problem) {
                drop(writeln!(io::stderr().lock(), "  {line}"));
            }
        }
    }

    /// A finding without its source text, in a few lines.
    pub(crate) fn finding(self, finding: &Finding) -> String {
        let (mark, end) = match (self.color_errors, finding.severity) {
            (false, _) => ("", ""),
            (true, Severity::Error) => ("\u{1b}[1;31m", "\u{1b}[0m"),
            (true, Severity::Warning) => ("\u{1b}[1;33m", "\u{1b}[0m"),
            (true, Severity::Note) => ("\u{1b}[1;36m", "\u{1b}[0m"),
        };
        let place = finding
            .place
            .as_ref()
            .map(|place| format!("{}:{}:{}: ", place.file, place.line, place.column))
            .unwrap_or_default();
        let mut text = format!(
            "{place}{mark}{}[{}]{end}: {}",
            finding.severity, finding.code, finding.message
        );
        if let Some(cause) = &finding.cause {
            append(&mut text, format_args!("\n  cause: {cause}"));
        }
        if let Some(help) = &finding.help {
            append(&mut text, format_args!("\n  help: {help}"));
        }
        text
    }
}

/// A result with `schema_version`, where the value itself says none: what the API gives by itself, such as a release, has
/// none.
pub(crate) fn versioned(value: Value) -> Value {
    match value {
        Value::Object(mut facts) => {
            facts.entry("schema_version").or_insert(json!(1));
            Value::Object(facts)
        }
        other => other,
    }
}

/// What a problem document says beyond its detail.
fn problem_lines(problem: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for error in problem["errors"].as_array().into_iter().flatten() {
        let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
        if text("pointer").is_empty() && error["detail"] == problem["detail"] {
            // Of the body as a whole, and said already.
            continue;
        }
        lines.push(format!("at `{}`: {}", text("pointer"), text("detail")));
    }
    for finding in problem["findings"].as_array().into_iter().flatten() {
        let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        let place = finding["place"]["file"].as_str().map_or_else(String::new, |file| {
            format!("{file}:{}:{}: ", finding["place"]["line"], finding["place"]["column"])
        });
        lines.push(format!("{place}{}[{}]: {}", text("severity"), text("code"), text("message")));
    }
    for (key, label) in [("owner", "owner"), ("run", "run"), ("instance", "request")] {
        if let Some(text) = problem[key].as_str() {
            lines.push(format!("{label}: {text}"));
        }
    }
    lines
}

/// Adds formatted text.
pub(crate) fn append(text: &mut String, what: std::fmt::Arguments<'_>) {
    std::fmt::Write::write_fmt(text, what).expect("writing into a String does not fail");
}

/// Rows under headings, columns aligned.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = headings.iter().map(|heading| heading.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (cell, width) in cells.zip(&widths) {
            let padding = width.saturating_sub(cell.chars().count());
            text.push_str(cell);
            text.push_str(&" ".repeat(padding + 2));
        }
        text.trim_end().to_owned() + "\n"
    };
    if rows.is_empty() {
        return "none\n".to_owned();
    }
    let mut text = line(&mut headings.iter().copied());
    for row in rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_align() {
        let rows = vec![vec!["a".into(), "bcd".into()], vec!["äää".into(), "x".into()]];
        assert_eq!(table(&["K", "V"], &rows), "K    V\na    bcd\näää  x\n");
    }

    #[test]
    fn colour_follows_the_wishes() {
        let wishes = ColorWishes { none: true, force: true, dumb: false };
        assert!(!Output::new(false, false, Color::Auto, wishes).color);
        assert!(Output::new(false, false, Color::Always, wishes).color);
        let forced = ColorWishes { force: true, ..ColorWishes::default() };
        assert!(Output::new(false, false, Color::Auto, forced).color);
        assert!(!Output::new(false, false, Color::Never, forced).color);
    }

    #[test]
    fn every_result_has_a_schema_version_and_keeps_its_own() {
        let of = |value: Value| versioned(value).to_string();
        assert_eq!(of(json!({"run": "run_1"})), r#"{"run":"run_1","schema_version":1}"#);
        assert_eq!(
            of(json!({"run": "r", "schema_version": 2})),
            r#"{"run":"r","schema_version":2}"#
        );
    }

    #[test]
    fn what_a_problem_said_already_is_not_said_again() {
        let detail = "unknown field `typo`";
        let problem = json!({
            "detail": detail,
            "errors": [{"pointer": "", "detail": detail}, {"pointer": "/name", "detail": "too long"}],
        });
        assert_eq!(problem_lines(&problem), ["at `/name`: too long"]);
    }
}
