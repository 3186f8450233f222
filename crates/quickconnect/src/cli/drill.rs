//! `qc conn drill`: renews a connection's tokens while calls go on, and says whether any call noticed.

use std::time::Duration;

use qc_document::parse_duration;
use qc_server::wire::{ConnectionDrill, DrillConnection};

use super::{Trouble, conn::Of, exit::Exit, files::encoded, session::Session};

/// How often is looked whether the drill is over.
const LOOK: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    of: Of,
    /// How long: 5s to 10m
    #[arg(long = "for", default_value = "30s", value_parser = parse_duration)]
    span: Duration,
    /// How many calls of the connection's probe in a second: 1 to 50
    #[arg(long, default_value = "5")]
    rate: u32,
    /// Also where it is production; takes --reason
    #[arg(long)]
    production: bool,
    /// Why; it is kept with what the drill came to
    #[arg(long)]
    reason: Option<String>,
}

pub(super) async fn run(session: &Session, arguments: Arguments) -> Result<Exit, Trouble> {
    let Arguments { of, span, rate, production, reason } = arguments;
    let request = DrillConnection {
        environment: of.environment,
        name: of.name,
        seconds: span.as_secs(),
        rate,
        production,
        reason,
    };
    let client = session.client()?;
    let mut drill: ConnectionDrill = client.post("/api/v1/connections/drill", &request).await?;
    session.output.say(&format!(
        "{}/{}: drill {} calls `{}` {} times a second for {} s",
        drill.environment, drill.name, drill.id, drill.operation, drill.rate, drill.seconds
    ));
    let path = format!(
        "/api/v1/connections/{}/{}/drills/{}",
        encoded(&drill.environment),
        encoded(&drill.name),
        drill.id
    );
    while drill.state == "running" {
        tokio::time::sleep(LOOK).await;
        drill = client.get(&path).await?;
    }
    session.output.result(&drill, || told(&drill));
    Ok(if drill.state == "passed" { Exit::Ok } else { Exit::Findings })
}

fn told(drill: &ConnectionDrill) -> String {
    let ConnectionDrill { environment, name, state, requests, failures, refreshes, .. } = drill;
    let mut lines = vec![format!(
        "{environment}/{name}: {state}: {requests} calls, {failures} failed, {refreshes} refreshes; \
         a call took {} ms in the middle and {} ms at most",
        drill.median_ms, drill.slowest_ms
    )];
    for step in &drill.steps {
        let came = match &step.code {
            Some(code) => format!("failed: {code}"),
            None => format!("generation {}", step.generation),
        };
        lines
            .push(format!("  {} at {} ms took {} ms: {came}", step.step, step.at_ms, step.took_ms));
    }
    for (code, count) in &drill.failure_codes {
        lines.push(format!("  {count} calls failed with {code}"));
    }
    lines.join("\n")
}
