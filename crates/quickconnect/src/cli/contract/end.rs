use qc_server::wire::{EndVersion, EndedVersion};

use crate::{
    cli::{Exit, Trouble, session::Session},
    codes,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The environment
    environment: String,
    /// Where the version is served
    #[arg(value_name = "INTEGRATION/TRIGGER")]
    trigger: String,
    /// The version
    #[arg(id = "ended", value_name = "VERSION")]
    version: String,
    /// Why; for the audit
    #[arg(long)]
    reason: String,
}

pub(super) async fn run(session: &Session, arguments: Arguments) -> Result<Exit, Trouble> {
    let Arguments { environment, trigger, version, reason } = arguments;
    let Some((integration, name)) = trigger.split_once('/') else {
        let message = format!("`{trigger}` names no trigger");
        let help = "write the integration and its trigger: `notify/alert`";
        return Err(Trouble::usage(codes::BAD_SETTING, message, help));
    };
    let path = format!("/api/v1/contracts/{environment}/{integration}/{name}/{version}/end");
    let ended: EndedVersion = session.client()?.post(&path, &EndVersion { reason }).await?;
    session.output.result(&ended, || {
        let hit = if ended.consumers.is_empty() {
            "nobody speaks it".to_owned()
        } else {
            format!("it was spoken by {}", ended.consumers.join(", "))
        };
        format!(
            "Version {version} of {trigger} does not answer any more in {environment}; {hit}.\n"
        )
    });
    Ok(Exit::Ok)
}
