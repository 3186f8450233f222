//! What changes besides the form of the payload: three questions, answered by what is declared before and after.

use std::fmt;

use qc_contract::{Area, Change, Comparison};
use qc_engine::Does;
use serde_json::{Value, json};

use crate::{
    integration::{Excess, Integration, LimitScope, TriggerForm, TriggerSpec},
    shape::Rate,
};

/// What everybody asks who has to follow a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Who may send, and how that is shown.
    Scopes,
    /// How much may be sent.
    Limits,
    /// When and how often something comes of it, and what is answered.
    Timing,
}

impl Question {
    /// All of them, in the order in which they are answered.
    pub const ALL: [Self; 3] = [Self::Scopes, Self::Limits, Self::Timing];

    /// For programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scopes => "scopes",
            Self::Limits => "limits",
            Self::Timing => "timing",
        }
    }

    fn of(change: &Change) -> Option<Self> {
        let is_upper = ["-max-", "-maximum-"].iter().any(|word| change.rule.id.contains(word));
        match change.area {
            Area::Security => Some(Self::Scopes),
            Area::Limits => Some(Self::Limits),
            Area::Schemas if is_upper => Some(Self::Limits),
            Area::Responses => Some(Self::Timing),
            _ => None,
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scopes => "Do scopes or authentication change?",
            Self::Limits => "Do limits change?",
            Self::Timing => "Does timing or delivery change?",
        })
    }
}

/// The answer to a question: yes as soon as there is a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The question.
    pub question: Question,
    /// What changes.
    pub because: Vec<String>,
}

impl Answer {
    /// Whether something changes.
    pub fn is_yes(&self) -> bool {
        !self.because.is_empty()
    }

    /// Yes or no.
    pub fn word(&self) -> &'static str {
        if self.is_yes() { "yes" } else { "no" }
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        json!({
            "question": self.question.as_str(),
            "answer": self.word(),
            "because": self.because,
        })
    }
}

/// What is declared about a trigger besides its contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Terms(Vec<(Question, String, String)>);

impl Terms {
    pub(super) fn of(integration: &Integration, trigger: &TriggerSpec) -> Self {
        let mut rows = Vec::new();
        let mut row = |question, name: &str, value: String| {
            rows.push((question, name.to_owned(), value));
        };
        row(Question::Limits, "largest body", format!("{} bytes", trigger.body_limit.0));
        for limit in &integration.limits {
            row(Question::Limits, &format!("limit `{}`", limit.name.value), {
                let rate =
                    limit.rate.as_ref().map_or_else(|| "no rate".to_owned(), |it| told(it.value));
                let runs = limit
                    .concurrency
                    .as_ref()
                    .map_or_else(String::new, |runs| format!(", {} at a time", runs.0));
                format!("{rate}{runs}, {}, {}", scope(limit.scope), excess(&limit.on_excess.value))
            });
        }
        row(Question::Timing, "how it comes in", form(&trigger.form).to_owned());
        let window = trigger.idempotency.as_ref().map(|it| it.window.as_secs());
        row(Question::Timing, "a repeat is known for", {
            window.map_or_else(|| "no time".to_owned(), |seconds| format!("{seconds} s"))
        });
        let key = trigger.idempotency.as_ref().map(|it| it.key.source.clone());
        row(Question::Timing, "a repeat is known by", key.unwrap_or_else(|| "nothing".to_owned()));
        let order = integration.ordering.as_ref().map(|it| it.key.source.clone());
        row(Question::Timing, "events are in order by", {
            order.unwrap_or_else(|| "nothing".to_owned())
        });
        row(Question::Timing, "what comes of an event", does(trigger.does.value).to_owned());
        Self(rows)
    }

    /// How they differ, question by question; nothing before or after is said as such.
    fn differ(&self, new: &Self, question: Question) -> Vec<String> {
        let of = |rows: &Self, name: &str| {
            let found = rows.0.iter().find(|(asked, it, _)| *asked == question && it == name);
            found.map_or_else(|| "none".to_owned(), |(_, _, value)| value.clone())
        };
        let mut names: Vec<&str> = Vec::new();
        for (asked, name, _) in self.0.iter().chain(&new.0) {
            if *asked == question && !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        let pairs = names.into_iter().map(|name| (name, of(self, name), of(new, name)));
        pairs
            .filter(|(_, old, new)| old != new)
            .map(|(name, old, new)| format!("{name}: {old} before, {new} now"))
            .collect()
    }
}

/// The three answers.
pub(super) fn answers(terms: Option<(&Terms, &Terms)>, comparison: &Comparison) -> [Answer; 3] {
    Question::ALL.map(|question| {
        let mut because = terms.map_or_else(Vec::new, |(old, new)| old.differ(new, question));
        let changes = comparison.changes.iter();
        because.extend(
            changes
                .filter(|change| Question::of(change) == Some(question))
                .map(|change| change.message.clone()),
        );
        because.dedup();
        Answer { question, because }
    })
}

fn told(rate: Rate) -> String {
    format!("{} in {} s", rate.count, rate.per.as_secs())
}

fn scope(scope: LimitScope) -> &'static str {
    match scope {
        LimitScope::Tenant => "for each tenant",
        LimitScope::Token => "for each token",
        LimitScope::Trigger => "for each trigger",
        LimitScope::Integration => "for the whole integration",
    }
}

fn excess(excess: &Excess) -> String {
    match excess {
        Excess::Reject => "the rest is refused".to_owned(),
        Excess::Queue { max, ttl } => {
            format!("the rest waits: {max} units at most, for {} s at most", ttl.as_secs())
        }
        Excess::Degrade(lesser) => {
            let rate = lesser.rate.as_ref().map(|it| told(it.value));
            let runs = lesser.concurrency.as_ref().map(|runs| format!("{} at a time", runs.0));
            let most = rate.or(runs).unwrap_or_default();
            format!("the rest is done in a lesser way: {most} at most")
        }
    }
}

fn does(does: Does) -> &'static str {
    match does {
        Does::Start => "a run",
        Does::Publish => "an event of the bus",
        Does::Both => "a run and an event of the bus",
    }
}

fn form(form: &TriggerForm) -> &'static str {
    match form {
        TriggerForm::CloudEvents { .. } => "CloudEvents over HTTP",
        TriggerForm::Json { .. } => "JSON over HTTP",
        TriggerForm::Webhook { .. } => "a webhook",
        TriggerForm::Amqp { .. } => "a queue",
        TriggerForm::Poll { .. } => "it is fetched",
        TriggerForm::Schedule(_) => "it is time",
        TriggerForm::Event(_) => "an event of the bus",
    }
}
