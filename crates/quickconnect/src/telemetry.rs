//! The log: to standard error, as JSON lines or for people.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    cli::Trouble,
    codes,
    config::{Config, LogFormat},
};

/// Begins to log.
pub(crate) fn begin(config: &Config) -> Result<(), Trouble> {
    let filter = EnvFilter::builder().parse(&config.log_level).map_err(|error| {
        let message = format!("the setting `log_level`: {error}");
        Trouble::usage(
            codes::BAD_SETTING,
            message,
            "use `info`, `debug`, or `info,qc_connect=debug`",
        )
    })?;
    let registry = tracing_subscriber::registry().with(filter);
    let started = match config.log_format {
        LogFormat::Json => registry
            .with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr))
            .try_init(),
        LogFormat::Text => registry
            .with(fmt::layer().compact().with_ansi(false).with_writer(|| OneLine(io::stderr())))
            .try_init(),
    };
    // Somebody who embeds the program has a log of their own.
    drop(started);
    Ok(())
}

/// Keeps an entry of the log for people in its line: what other systems and senders say stands in entries, and a line
/// feed or an escape sequence in it would make lines that we never wrote (CWE-117). JSON escapes them by itself.
struct OneLine<W>(W);

impl<W: Write> Write for OneLine<W> {
    /// Takes a whole entry, with its end of line, as `fmt` gives it.
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(entry);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let mut safe = String::with_capacity(line.len() + 1);
        for character in line.chars() {
            if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') {
                // Writing to a String does not fail.
                let _ = write!(safe, "{}", character.escape_default());
            } else {
                safe.push(character);
            }
        }
        safe.push('\n');
        self.0.write_all(safe.as_bytes())?;
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What was written, by all who hold it.
    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_others_say_stays_within_the_line_of_its_entry() {
        let paper = Paper::default();
        let writer = paper.clone();
        let layer =
            fmt::layer().compact().with_ansi(false).with_writer(move || OneLine(writer.clone()));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let said = "no\r\n2026-01-01T00:00:00Z  INFO all is well\u{1b}[2J\u{2028}\u{85}ü";
            tracing::warn!(%said, "the other system answered: {said}");
        });
        let text = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert_eq!(text.matches("all is well").count(), 2, "nothing is left out: {text}");
        let foreign = |character: char| character != '\n' && character.is_control();
        assert!(!text.contains(foreign) && !text.contains('\u{2028}'), "{text:?}");
        assert!(text.contains("\\r\\n2026") && text.contains('ü'), "{text}");
    }
}
