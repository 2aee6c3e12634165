//! `make bench`: a table of figures, each beside a baseline that is measured in the same run.
#![expect(clippy::print_stdout, reason = "the table is the output of this program")]

mod baseline;
mod cancel;
mod client;
mod definitions;
mod key_rejection;
mod process;
mod rows;
mod seed;
mod site;
mod slow_clients;
mod table;

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::table::Row;

/// The allocator of the server, for the measurements in this process.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Any failure of a measurement. It ends the program.
type Failure = Box<dyn Error + Send + Sync>;

/// Measures Sluice beside baselines.
#[derive(Debug, Parser)]
struct Args {
    /// SQLite file to serve baselines on. The benchmark starts such servers itself.
    #[arg(long, hide = true)]
    baseline: Option<PathBuf>,
    /// Binary to measure.
    #[arg(long, default_value = "target/release/sluice")]
    sluice: PathBuf,
    /// Groups of rows to measure, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = rows::NAMES.map(str::to_owned))]
    only: Vec<String>,
    /// Duration of a round of load, in seconds. There are three rounds.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Larger number of rows of a list.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// Number of paused runs while memory is measured.
    #[arg(long, default_value_t = 100_000)]
    paused: u64,
}

impl Args {
    fn round(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}

fn main() -> Result<(), Failure> {
    let args = Args::parse();
    if let Some(file) = &args.baseline {
        return baseline::serve(file);
    }
    println!("{}", Row::HEAD);
    for name in &args.only {
        for row in rows::measure(name, &args)? {
            println!("{row}");
        }
    }
    Ok(())
}
