use qc_server::wire::{ContractUsage, UsedVersion};

use crate::cli::{Exit, Trouble, files::clock, output::table, session::Session};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The environment
    environment: String,
    /// The integration
    integration: String,
    /// Show the fields, too, and who sent each last
    #[arg(long)]
    fields: bool,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let Arguments { environment, integration, .. } = arguments;
    let path = format!("/api/v1/contracts/{environment}/{integration}/usage");
    let usage: ContractUsage = session.client()?.get(&path).await?;
    session.output.result(&usage, || {
        if usage.items.is_empty() {
            return format!(
                "Nothing is known yet of who sends to {integration} in {environment}: a minute after its first \
                 deployment the counting begins.\n"
            );
        }
        if arguments.fields {
            let rows: Vec<Vec<String>> = usage.items.iter().flat_map(fields).collect();
            table(&["TRIGGER", "VERSION", "FIELD", "CONSUMER", "LAST"], &rows)
        } else {
            let head = ["TRIGGER", "VERSION", "STATE", "CONSUMER", "EVENTS", "LAST", "KNOWN SINCE"];
            let rows: Vec<Vec<String>> = usage.items.iter().flat_map(rows).collect();
            table(&head, &rows)
        }
    });
    Ok(Exit::Ok)
}

/// One for each consumer; one that says so where there is none.
fn rows(item: &UsedVersion) -> Vec<Vec<String>> {
    let row = |consumer: &str, events: String, last: String| {
        vec![
            item.trigger.clone(),
            item.version.clone(),
            item.state.clone().unwrap_or_default(),
            consumer.to_owned(),
            events,
            last,
            clock(&item.since),
        ]
    };
    if item.consumers.is_empty() {
        return vec![row("(nobody)", "0".to_owned(), String::new())];
    }
    let consumers = item.consumers.iter();
    consumers.map(|it| row(&it.consumer, it.events.to_string(), clock(&it.last))).collect()
}

fn fields(item: &UsedVersion) -> Vec<Vec<String>> {
    let consumers = item.consumers.iter().flat_map(|it| {
        let row = |field: &str, last: String| {
            vec![
                item.trigger.clone(),
                item.version.clone(),
                field.to_owned(),
                it.consumer.clone(),
                last,
            ]
        };
        let more = it.more_fields.then(|| row("(and more)", clock(&it.last)));
        let known = it.fields.iter().map(move |(field, last)| row(field, clock(last)));
        known.chain(more).collect::<Vec<_>>()
    });
    consumers.collect()
}
