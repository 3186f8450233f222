use serde_json::Value;

use super::{Exit, Trouble, files::clock, output::versioned, session::Session};
use crate::signals::Signals;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only this run
    #[arg(long)]
    run: Option<String>,
    /// Only this integration
    #[arg(long)]
    integration: Option<String>,
}

pub(super) async fn run(
    session: &Session,
    arguments: &Arguments,
    mut signals: Signals,
) -> Result<Exit, Trouble> {
    let output = session.output;
    let wanted = |happening: &Value| {
        let is = |key: &str, wanted: &Option<String>| {
            wanted.as_deref().is_none_or(|wanted| happening[key].as_str() == Some(wanted))
        };
        happening["what"] == "missed"
            || (is("run", &arguments.run) && is("integration", &arguments.integration))
    };
    let client = session.client()?;
    let following = client.follow("/api/v1/happenings", |line| {
        let happening: Value = serde_json::from_str(line).unwrap_or(Value::Null);
        if wanted(&happening) {
            output.line(&if output.json {
                versioned(happening).to_string()
            } else {
                shown(&happening)
            });
        }
        true
    });
    match signals.unless(following).await {
        Some(result) => result.map(|()| Exit::Ok),
        None => Ok(Exit::Interrupted),
    }
}

/// A happening in a line.
pub(super) fn shown(happening: &Value) -> String {
    let word = |key: &str| match &happening[key] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let facts = match happening["what"].as_str().unwrap_or_default() {
        "accepted" => format!("accepted {}", word("subject")),
        "task" => format!("{} {} {}", word("task"), word("state"), word("detail")),
        "attempt" => format!(
            "{} attempt {}: {} → {} ({} ms) {}",
            word("task"),
            word("attempt"),
            word("request"),
            word("status"),
            word("millis"),
            word("failure")
        ),
        "parked" => format!("parked: {}", word("reason")),
        "ended" => format!("ended {} {}", word("status"), word("failure")),
        "missed" => format!("… {} happenings missed: this reader is too slow", word("count")),
        other => other.to_owned(),
    };
    format!("{} {} {}", clock(&word("at")), word("run"), facts.trim_end())
}
