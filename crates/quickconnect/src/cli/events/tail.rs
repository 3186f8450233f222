use std::time::Duration;

use qc_server::wire::{Page, PublishedEvent};

use crate::{
    cli::{
        Exit, Trouble,
        files::{clock, query},
        session::Session,
    },
    signals::Signals,
};

/// Between two looks for new events.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only this environment
    #[arg(long)]
    environment: Option<String>,
    /// Only what this integration published
    #[arg(long)]
    integration: Option<String>,
    /// Only this tenant's bus
    #[arg(long)]
    tenant: Option<String>,
    /// Only this type
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// Only events after this place
    #[arg(long, default_value = "0")]
    after: String,
    /// End with the last event that is there
    #[arg(long)]
    once: bool,
}

pub(super) async fn run(
    session: &Session,
    arguments: &Arguments,
    mut signals: Signals,
) -> Result<Exit, Trouble> {
    match signals.unless(follow(session, arguments)).await {
        Some(result) => result.map(|()| Exit::Ok),
        None => Ok(Exit::Interrupted),
    }
}

async fn follow(session: &Session, arguments: &Arguments) -> Result<(), Trouble> {
    let client = session.client()?;
    let mut after = arguments.after.clone();
    loop {
        let filter = query(&[
            ("environment", arguments.environment.as_deref()),
            ("integration", arguments.integration.as_deref()),
            ("tenant", arguments.tenant.as_deref()),
            ("type", arguments.event_type.as_deref()),
            ("after", Some(&after)),
            ("limit", Some("200")),
        ]);
        let page: Page<PublishedEvent> = client.get(&format!("/api/v1/events{filter}")).await?;
        for event in &page.items {
            session.output.line(&if session.output.json {
                serde_json::to_string(event).unwrap_or_default()
            } else {
                shown(event)
            });
        }
        let went_on = page.next.as_ref().is_some_and(|next| *next != after);
        if let Some(next) = page.next {
            after = next;
        }
        if !went_on {
            if arguments.once {
                return Ok(());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// An event in a line.
fn shown(event: &PublishedEvent) -> String {
    let kind = event.event["type"].as_str().unwrap_or_default();
    let by = event.run.as_deref().unwrap_or("from outside");
    let data = event.event.get("data").map(ToString::to_string).unwrap_or_default();
    let PublishedEvent { seq, tenant, environment, integration, .. } = event;
    format!(
        "{} {seq} {tenant}/{environment} {kind} by {integration} ({by}) {data}",
        clock(&event.at)
    )
}
