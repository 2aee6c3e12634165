//! Arguments of the program.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

/// Names of the groups of rows, in the order of the table.
pub(crate) const GROUPS: [&str; 12] = [
    "start",
    "get",
    "post",
    "run",
    "follow",
    "fan",
    "plan",
    "slow_clients",
    "cancel",
    "keys",
    "paused",
    "lists",
];

/// Any failure of a measurement. It terminates the program.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// Measures Sluice and compares it with baselines.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// SQLite file to serve baselines on. The benchmark starts such servers itself.
    #[arg(long, hide = true)]
    pub(crate) baseline: Option<PathBuf>,
    /// Binary to measure.
    #[arg(long, default_value = "target/release/sluice")]
    pub(crate) sluice: PathBuf,
    /// Groups of rows to measure, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = GROUPS.map(str::to_owned))]
    pub(crate) only: Vec<String>,
    /// Duration of a round of load, in seconds. There are three rounds.
    #[arg(long, default_value_t = 2.0)]
    pub(crate) seconds: f64,
    /// Larger number of rows of a list.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) rows: u64,
    /// Number of paused runs while memory is measured.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) paused: u64,
}

impl Args {
    /// Returns the duration of a round of load.
    pub(crate) fn round(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}
