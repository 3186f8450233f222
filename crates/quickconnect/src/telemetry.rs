//! The log: to standard error, as JSON lines or for people.

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    cli::Trouble,
    codes,
    config::{Config, LogFormat},
};

/// Begins to log.
pub(crate) fn begin(config: &Config) -> Result<(), Trouble> {
    let filter = EnvFilter::builder().parse(&config.log_level).map_err(|error| {
        let message = format!("the setting `log_level`: {error}");
        Trouble::usage(
            codes::BAD_SETTING,
            message,
            "use `info`, `debug`, or `info,qc_connect=debug`",
        )
    })?;
    let registry = tracing_subscriber::registry().with(filter);
    let started = match config.log_format {
        LogFormat::Json => registry
            .with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr))
            .try_init(),
        LogFormat::Text => registry
            .with(fmt::layer().compact().with_ansi(false).with_writer(std::io::stderr))
            .try_init(),
    };
    // Somebody who embeds the program has a log of their own.
    drop(started);
    Ok(())
}
