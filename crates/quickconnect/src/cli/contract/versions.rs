use std::{path::PathBuf, time::Duration};

use qc_model::{Clock, Timestamp};
use qc_version::{Direction, Guide, Versions};
use serde_json::{Value, json};

use crate::{
    cli::{Exit, Trouble, files::project, output::table, session::Session},
    wiring::SystemClock,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The integration
    integration: String,
    /// The trigger; all that have versions when left out
    trigger: Option<String>,
    /// The project's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    project: PathBuf,
}

pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let project = project(&arguments.project)?;
    let integration = &arguments.integration;
    project.integration(integration).map_err(|finding| Trouble::new(Exit::NotFound, *finding))?;
    let triggers = match &arguments.trigger {
        Some(trigger) => vec![trigger.as_str()],
        None => project.versioned(integration),
    };
    let now = SystemClock.now();
    let mut items = Vec::new();
    for trigger in triggers {
        let versions = project.versions_of(integration, trigger).map_err(Trouble::findings)?;
        items.extend(told(trigger, &versions, project.minimum_support(), now));
    }
    let value = json!({ "schema_version": 1, "integration": integration, "items": items });
    session.output.result(&value, || {
        let columns =
            ["TRIGGER", "VERSION", "STATE", "DEPRECATED", "ENDS", "MOVE TO", "GUIDE", "SPOKEN BY"];
        table(&columns, &items.iter().map(row).collect::<Vec<_>>())
    });
    Ok(Exit::Ok)
}

fn told(
    trigger: &str,
    versions: &Versions,
    minimum: Option<Duration>,
    now: Timestamp,
) -> Vec<Value> {
    let entries = versions.entries().iter().enumerate();
    let items = entries.map(|(at, entry)| {
        let name = entry.name.as_str();
        let pinned = versions.pins().filter(|(_, pin)| pin.name == entry.name);
        let lost = |direction: Direction, link: usize| -> Vec<String> {
            let steps = versions.events().link(link).iter();
            steps.filter_map(|step| step.loses(direction)).collect()
        };
        json!({
            "trigger": trigger,
            "version": name,
            "state": versions.state(at, now).as_str(),
            "released": entry.released.map(|date| date.to_string()),
            "deprecated": entry.window.deprecated.map(|date| date.to_string()),
            "sunset": entry.window.sunset.map(|date| date.to_string()),
            "supported_until": entry.window.supported_until(minimum).map(|date| date.to_string()),
            "successor": versions.successor(at, now).map(|entry| entry.name.as_str()),
            "guide": entry.guide.as_ref().map(|guide| match guide {
                Guide::Url(url) => url,
                Guide::File { path, .. } => path,
            }),
            "is_default": at == versions.usual(),
            "pinned": pinned.map(|(consumer, _)| consumer).collect::<Vec<_>>(),
            "loses_to_next": lost(Direction::Up, at),
            "loses_from_next": lost(Direction::Down, at),
        })
    });
    items.collect()
}

fn row(item: &Value) -> Vec<String> {
    let text = |key: &str| item[key].as_str().unwrap_or_default().to_owned();
    let ends = match (&item["sunset"], &item["supported_until"]) {
        (Value::String(sunset), _) => sunset.clone(),
        (_, Value::String(least)) => format!("not before {least}"),
        _ => String::new(),
    };
    let mut by: Vec<&str> =
        item["pinned"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if item["is_default"] == true {
        by.push("(default)");
    }
    vec![
        text("trigger"),
        text("version"),
        text("state"),
        text("deprecated"),
        ends,
        text("successor"),
        text("guide"),
        by.join(", "),
    ]
}
