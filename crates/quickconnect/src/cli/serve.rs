use super::{Exit, Trouble, session::Session};
use crate::{
    config::SettingFlags,
    lifecycle::Running,
    signals::{Hangups, Signals},
    telemetry,
    wiring::Credentials,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    settings: SettingFlags,
}

pub(super) async fn run(
    session: &Session,
    arguments: Arguments,
    mut signals: Signals,
) -> Result<Exit, Trouble> {
    let mut hangups = Hangups::listen();
    let config = session.settings(arguments.settings.0)?;
    telemetry::begin(&config)?;
    let credentials = Credentials::of(&config, &session.variables)?;
    let context = session.context_path();
    let running = Running::start(&signals, &config, credentials, context, session.output).await?;
    session.output.say(&format!("serving on {}", running.url));
    let reloading = async {
        loop {
            hangups.next().await;
            reload(&running).await;
        }
    };
    signals.unless::<()>(reloading).await;
    running.end().await;
    Ok(Exit::Ok)
}

/// Reads anew what may have changed under the server. What cannot be used changes nothing.
async fn reload(running: &Running) {
    if let Some(keys) = &running.tls {
        match keys.reload() {
            Ok(()) => tracing::info!("the TLS certificate was read anew"),
            Err(error) => {
                tracing::error!(%error, "the new TLS certificate cannot be used; the old one stays");
            }
        }
    }
    match running.platform.catalogue.reload(&running.platform.engine).await {
        Ok(findings) => {
            for finding in &findings {
                tracing::error!(code = %finding.code, "{finding}");
            }
            tracing::info!("the deployments were read anew");
        }
        Err(error) => tracing::error!(%error, "the deployments stay as they were"),
    }
}
