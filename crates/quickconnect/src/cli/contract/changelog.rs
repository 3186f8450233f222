use std::path::PathBuf;

use qc_model::Clock;
use qc_project::{gate::Sender, papers::changelog};

use crate::{
    cli::{Exit, Trouble, files::project, gate::older, session::Session},
    codes,
    wiring::SystemClock,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The integration
    integration: String,
    /// What the files are held against: a folder, or git:REVISION
    #[arg(long, value_name = "VERSION")]
    against: String,
    /// Only what changes for this sender: the name of its key, client or queue, by which it may have a pin
    #[arg(long, value_name = "NAME")]
    consumer: Option<String>,
    /// Only what changes for who sends to this trigger
    #[arg(long, value_name = "NAME")]
    trigger: Option<String>,
    /// Only what changes for who says this version
    #[arg(long, value_name = "VERSION")]
    speaks: Option<String>,
    /// How it is written: markdown or json
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// The project's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    project: PathBuf,
}

pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let is_json = match arguments.format.as_deref() {
        None => session.output.json,
        Some("json") => true,
        Some("markdown") => false,
        Some(other) => {
            let message = format!("there is no format `{other}`");
            return Err(Trouble::usage(codes::BAD_SETTING, message, "it is markdown or json"));
        }
    };
    let new = project(&arguments.project)?;
    let old = older(&arguments.project, &arguments.against)?;
    let sender = Sender {
        consumer: arguments.consumer.as_deref(),
        trigger: arguments.trigger.as_deref(),
        speaks: arguments.speaks.as_deref(),
    };
    let narrows = [sender.consumer, sender.trigger, sender.speaks].iter().any(Option::is_some);
    let sender = narrows.then_some(sender);
    let changes = changelog(&old, &new, &arguments.integration, sender, SystemClock.now())
        .map_err(Trouble::findings)?;
    let text = if is_json { format!("{:#}", changes.to_json()) } else { changes.markdown() };
    session.output.line(text.trim_end());
    Ok(Exit::Ok)
}
