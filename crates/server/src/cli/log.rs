//! The log on standard error.

use std::io::IsTerminal;

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::error::Result;

#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// Log level (`error`, `warn`, `info`, `debug`, `trace`, `off`), or a list of filters such as
    /// `sluice_engine=debug,info`.
    #[arg(long, env = "SLUICE_LOG", default_value = "info")]
    log: String,
    /// Log format.
    #[arg(long, env = "SLUICE_LOG_FORMAT", value_enum, default_value_t = LogFormat::Pretty)]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    /// Text for people.
    Pretty,
    /// One JSON object per line.
    Json,
}

impl LogArgs {
    /// Installs the logger.
    pub(crate) fn init(&self) -> Result<()> {
        let filter = &self.log;
        if let Some(invalid) = filter.split(',').find(|part| !is_filter(part)) {
            return Err(format!(
                "--log: invalid level \"{invalid}\"; use error, warn, info, debug, trace or off"
            )
            .into());
        }
        let filter = EnvFilter::try_new(filter).map_err(|error| {
            format!("--log: invalid filter \"{filter}\" ({error}); use for example \"info\"")
        })?;
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            // If standard error is closed, reporting that on standard error would panic.
            .log_internal_errors(false);
        match self.log_format {
            LogFormat::Pretty => log.with_target(false).try_init(),
            LogFormat::Json => log.json().flatten_event(true).try_init(),
        }
        .map_err(|error| error as crate::error::Error)
    }
}

/// Returns false for a misspelled level. The logger would interpret it as the name of a module and log nothing.
fn is_filter(part: &str) -> bool {
    part.trim().is_empty() || part.contains('=') || part.trim().parse::<LevelFilter>().is_ok()
}
