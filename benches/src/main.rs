//! `make bench`: one table of figures, each beside a floor that is measured in the same call.
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

mod client;
mod fill;
mod floor;
mod graphs;
mod keys;
mod process;
mod rows;
mod rude;
mod table;

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::table::Row;

/// The allocator of the server, for what is measured in this process.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What may go wrong while measuring; it ends the program.
type Failure = Box<dyn Error + Send + Sync>;

/// Measures Sluice beside floors.
#[derive(Debug, Parser)]
struct Args {
    /// Serve a floor on this SQLite file; for the benchmark itself.
    #[arg(long, hide = true)]
    floor: Option<PathBuf>,
    /// The binary that is measured.
    #[arg(long, default_value = "target/release/sluice")]
    sluice: PathBuf,
    /// Only these groups of rows.
    #[arg(long, value_delimiter = ',', default_values_t = rows::NAMES.map(str::to_owned))]
    only: Vec<String>,
    /// Seconds of a round of load; there are three rounds of each.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// The larger number of rows of a list.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// How many paused runs wait while memory is looked at.
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
    if let Some(file) = &args.floor {
        return floor::serve(file);
    }
    println!("{}", Row::HEAD);
    for name in &args.only {
        for row in rows::measure(name, &args)? {
            println!("{row}");
        }
    }
    Ok(())
}
