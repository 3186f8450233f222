//! The engine's log as a part of the story.

use std::fmt::{self, Write as _};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use crate::{Invariant, desk::SECRET_MARK, record::Record};

/// What the engine says when something is that cannot be.
const IMPOSSIBLE: [&str; 5] = [
    "broke off",
    "cannot be stored",
    "has no reason to go on",
    "cannot be rebuilt",
    "does not begin with its start",
];

/// Writes every event of the log into the record, and looks for secrets in it.
pub(crate) struct Log(pub(crate) Record);

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        let Text(text) = text;
        if text.contains(SECRET_MARK) {
            self.0.broken(Invariant::SecretsStayOut, format_args!("in the log: {text}"));
        }
        let level = *event.metadata().level();
        if level == Level::ERROR && IMPOSSIBLE.iter().any(|words| text.contains(words)) {
            self.0.broken(Invariant::NoInternalError, &text);
        } else if level <= Level::INFO {
            self.0.tell(format_args!("{level}{text}"));
        }
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing into a String cannot fail.
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_and_the_impossible_are_noticed() {
        let record = Record::new();
        tracing::subscriber::with_default(Log(record.clone()), || {
            tracing::debug!("nothing");
            tracing::info!(key = format!("{SECRET_MARK}-1"), "sent");
            tracing::error!("a call broke off: x");
            tracing::error!("a sweep could not read");
        });
        let (_, script, broken) = record.close();
        let names: Vec<_> = broken.iter().map(|one| one.invariant).collect();
        assert_eq!(names, [Invariant::SecretsStayOut, Invariant::NoInternalError], "{script}");
        assert!(script.contains("could not read"), "{script}");
    }
}
