use std::{pin::pin, sync::Arc};

use super::{Exit, Trouble, session::Session};
use crate::{
    config::SettingFlags,
    lifecycle::{Running, end_at_second_signal, wish_to_end},
    telemetry, wiring,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    settings: SettingFlags,
}

pub(super) async fn run(session: &Session, arguments: Arguments) -> Result<Exit, Trouble> {
    let config = session.settings(arguments.settings.0)?;
    telemetry::begin(&config)?;
    let secrets = Arc::new(wiring::secrets(&config, &session.variables));
    let running = Running::start(&config, secrets, session.context_path(), session.output).await?;
    let reload = async || {
        if let Some(keys) = &running.tls
            && let Err(error) = keys.reload()
        {
            tracing::error!(%error, "the TLS certificate stays as it was");
        }
        if let Err(error) = running.platform.catalogue.reload(&running.platform.engine).await {
            tracing::error!(%error, "the deployments stay as they were");
        }
    };
    // Signals are listened to before anybody hears that there is somebody to send one to.
    {
        let mut ending = pin!(wish_to_end(reload));
        tokio::select! {
            biased;
            () = &mut ending => {}
            () = async { session.output.say(&format!("serving on {}", running.url)) } => ending.await,
        }
    }
    end_at_second_signal();
    running.end().await;
    Ok(Exit::Ok)
}
