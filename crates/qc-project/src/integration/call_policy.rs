//! Rules for calls: effect class, retries, timeout.

use std::time::Duration;

use qc_document::{Node, Reader};
use qc_model::Name;
use qc_workflow::{QuietHours, TimeOfDay, Zone};
use serde_json::Value;

use crate::shape::{Definitions, Fields, Integer, Record, Shape, Spanned, read_word, word_schema};

/// Rules for calls, to be taken by name.
#[derive(Debug, Clone, Default)]
pub struct CallRules {
    /// What an ambiguous outcome does.
    pub effect: Option<Spanned<EffectWord>>,
    /// When it is tried again.
    pub retry: Option<RetryRules>,
    /// How long one attempt may take.
    pub timeout: Option<Duration>,
    /// Over how long the first attempts of many runs are spread.
    pub spread: Option<Spanned<Duration>>,
    /// In which hours of the day it is not made.
    pub quiet_hours: Option<Spanned<QuietRules>>,
}

/// Hours of the day in which a call waits.
#[derive(Debug, Clone)]
pub struct QuietRules {
    /// They begin.
    pub from: TimeOfDay,
    /// They are over.
    pub to: TimeOfDay,
    /// The zone whose clocks are meant; UTC when left out.
    pub time_zone: Option<Zone>,
}

impl QuietRules {
    /// As the engine keeps them.
    pub(crate) fn hours(&self) -> QuietHours {
        let zone = self.time_zone.clone().unwrap_or_else(Zone::utc);
        QuietHours { from: self.from, to: self.to, zone }
    }
}

/// Rules for the calls of one task.
#[derive(Debug, Clone)]
pub struct TaskRules {
    /// The named rules that it takes.
    pub policy: Option<Spanned<Name>>,
    /// Its own, which win.
    pub own: CallRules,
}

/// The effect classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EffectWord {
    /// Sending it again does no harm.
    Idempotent,
    /// The other side recognises a key.
    Keyed,
    /// The outcome can be read back.
    Verify,
    /// None of these: a person decides.
    Once,
}

/// When a failed call is tried again. What is left out has the platform's default.
#[derive(Debug, Clone)]
pub struct RetryRules {
    /// How many attempts, the first included.
    pub attempts: Option<Integer<1, 100>>,
    /// The wait before the second attempt.
    pub delay: Option<Duration>,
    /// How the wait grows.
    pub backoff: Option<Backoff>,
    /// The longest wait.
    pub max_delay: Option<Duration>,
    /// After how long in all it is given up.
    pub duration: Option<Duration>,
}

/// How the wait between attempts grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backoff {
    /// Not at all.
    Constant,
    /// By the delay each time.
    Linear,
    /// It doubles.
    Exponential,
}

const EFFECTS: &[(&str, EffectWord)] = &[
    ("idempotent", EffectWord::Idempotent),
    ("keyed", EffectWord::Keyed),
    ("verify", EffectWord::Verify),
    ("once", EffectWord::Once),
];
const BACKOFFS: &[(&str, Backoff)] = &[
    ("constant", Backoff::Constant),
    ("linear", Backoff::Linear),
    ("exponential", Backoff::Exponential),
];

impl Shape for EffectWord {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        read_word(EFFECTS, node, what, reader)
    }
    fn schema(_: &mut Definitions) -> Value {
        word_schema(EFFECTS)
    }
}

impl Shape for Backoff {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        read_word(BACKOFFS, node, what, reader)
    }
    fn schema(_: &mut Definitions) -> Value {
        word_schema(BACKOFFS)
    }
}

impl CallRules {
    fn of_fields(f: &mut Fields<'_, '_>) -> Self {
        let effect = f.optional("effect", "What an ambiguous outcome (sent, no answer) does.");
        let retry = f.optional("retry", "When it is tried again.");
        let timeout = f.optional("timeout", "How long one attempt may take.");
        let spread = f.optional(
            "spread",
            "The call is made at a moment by chance within so long of the run's beginning.",
        );
        let quiet_hours = f.optional(
            "quiet_hours",
            "Hours of the day in which the call is not made: it waits for their end. For `class: deferrable`.",
        );
        Self { effect, retry, timeout, spread, quiet_hours }
    }
}

impl Record for QuietRules {
    const NAME: &'static str = "quiet_hours";
    const DOC: &'static str = "Hours of the day in which a call waits; over midnight, when they end earlier than they begin.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let from = f.required("from", "They begin, in hours and minutes.");
        let to = f.required("to", "They are over, in hours and minutes.");
        let time_zone =
            f.optional("time_zone", "The IANA zone whose clocks are meant; UTC when left out.");
        Some(Self { from: from?, to: to?, time_zone })
    }
}

impl Record for CallRules {
    const NAME: &'static str = "call_rules";
    const DOC: &'static str = "Rules for calls, to be taken by name.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        Some(Self::of_fields(f))
    }
}

impl Record for TaskRules {
    const NAME: &'static str = "task_rules";
    const DOC: &'static str = "Rules for the calls of one task.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let policy = f.optional("policy", "The named rules that it takes, from `policies`.");
        Some(Self { policy, own: CallRules::of_fields(f) })
    }
}

impl Record for RetryRules {
    const NAME: &'static str = "retry";
    const DOC: &'static str = "When a failed call is tried again.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let attempts = f.optional("attempts", "How many attempts, the first included.");
        let delay = f.optional("delay", "The wait before the second attempt.");
        let backoff = f.optional("backoff", "How the wait grows.");
        let max_delay = f.optional("max_delay", "The longest wait.");
        let duration = f.optional("duration", "After how long in all it is given up.");
        Some(Self { attempts, delay, backoff, max_delay, duration })
    }
}
