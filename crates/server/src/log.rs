use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::cli::LogFormat;

/// Starts logging to standard error.
pub(crate) fn start(filter: &str, format: LogFormat) -> Result<(), Box<dyn std::error::Error>> {
    // A word that is no level is a filter for whatever is called so: nothing would be logged.
    let is_level = |part: &str| {
        part.trim().is_empty() || part.contains('=') || part.trim().parse::<LevelFilter>().is_ok()
    };
    if let Some(word) = filter.split(',').find(|part| !is_level(part)) {
        return Err(format!("--log \"{word}\" is no level; use error, warn, info, debug or trace").into());
    }
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| format!("--log \"{filter}\" is not a filter ({error}); use for example \"info\""))?;
    let colours = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        // Where nobody reads the log any more, that can't be told there either: trying to would be a panic.
        .log_internal_errors(false);
    match format {
        LogFormat::Pretty => log.with_target(false).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    }
    .map_err(|error| error as Box<dyn std::error::Error>)
}
