//! `make bench`: a table of figures, each with a baseline that is measured in the same run.
#![expect(clippy::print_stdout, reason = "the table is the output of this program")]

mod args;
mod baseline;
mod client;
mod definitions;
mod process;
mod rows;
mod seed;
mod site;
mod table;

use clap::Parser as _;

use crate::args::{Args, Failure};
use crate::table::Row;

/// The allocator of the server, for the measurements in this process.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
