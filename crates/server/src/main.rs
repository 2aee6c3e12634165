//! `sluice`: reads the configuration, wires the crates together and starts what was asked for.

mod backup;
mod cli;
mod connections;
mod health;
mod keys;
mod log;
mod manual;
mod notify;
mod observe;
mod serve;
mod transfer;
mod validate;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Command};
use sluice_api::{OpenApiVersion, Settings, document_text};

/// Long lists of small things, as plans and JSON are, cost half as much as with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Reads the variable FAILPOINTS.
    #[cfg(feature = "failpoints")]
    let _scenario = fail::FailScenario::setup();
    match cli.command.unwrap_or(Command::Serve(Box::new(cli.serve))) {
        Command::Serve(args) => done(serve::serve(*args)),
        Command::Migrate(args) => done(serve::migrate(args)),
        Command::Validate { files, format } => validate::validate(&files, format),
        Command::Export(args) => ended(transfer::export(&args)),
        Command::Import(args) => ended(transfer::import(&args)),
        Command::Keys(command) => done(keys::keys(&command)),
        Command::Backup(args) => ended(backup::backup(&args)),
        Command::Restore(args) => ended(backup::restore(&args)),
        Command::Health(args) => ended(health::health(&args)),
        Command::Openapi { version } => done(openapi(version.into())),
        Command::Completions { shell } => done(manual::completions(shell)),
        Command::Man(args) => done(manual::man(&args)),
        Command::PythonWorker => sluice_python::worker_main(),
    }
}

fn openapi(version: OpenApiVersion) -> Result<(), Box<dyn std::error::Error>> {
    writeln!(std::io::stdout(), "{}", document_text(version, &Settings::new(".")))?;
    Ok(())
}

fn done(result: Result<(), Box<dyn std::error::Error>>) -> ExitCode {
    ended(result.map(|()| ExitCode::SUCCESS))
}

/// Ends the program; a failure is told in one sentence, with its causes.
fn ended(result: Result<ExitCode, Box<dyn std::error::Error>>) -> ExitCode {
    let error = match result {
        Ok(code) => return code,
        Err(error) => error,
    };
    let mut sentence = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let text = deeper.to_string();
        if !sentence.contains(&text) {
            sentence.push_str(": ");
            sentence.push_str(&text);
        }
        cause = deeper.source();
    }
    // There is nowhere left to tell that this failed.
    let _ = writeln!(std::io::stderr(), "sluice: {sentence}");
    ExitCode::FAILURE
}
