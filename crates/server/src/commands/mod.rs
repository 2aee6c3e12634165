//! The sub-commands, one file or folder each.

mod backup;
mod backup_archive;
mod completions;
mod export;
mod health;
mod import;
mod keys;
mod man;
mod migrate;
mod openapi;
mod restore;
pub(crate) mod serve;
mod validate;
mod workflow_files;

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::DatabaseArgs;
use crate::error::Result;

/// The sub-commands with their arguments.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the server (default).
    Serve(Box<serve::ServeArgs>),
    /// Migrate the database to the schema of this release, then exit.
    Migrate(DatabaseArgs),
    /// Validate workflow definitions in files, without a server.
    ///
    /// The exit code is 1 if there are errors, and 0 if there are only warnings.
    Validate(validate::ValidateArgs),
    /// Export all workflows to a folder for version control, one file each.
    ///
    /// Files of unchanged workflows are not rewritten. Stop the server first.
    Export(export::ExportArgs),
    /// Import the workflows in a folder.
    ///
    /// Without --yes, prints the plan and changes nothing. With it, applies the plan in one transaction. Stop
    /// the server first.
    Import(import::ImportArgs),
    /// Create, list and revoke API keys.
    ///
    /// A running server applies changes within a second.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Back up the SQLite database and the uploaded files to one archive.
    ///
    /// This also works while the server is running.
    Backup(backup::BackupArgs),
    /// Restore an archive of `sluice backup`.
    ///
    /// Stop the server first.
    Restore(restore::RestoreArgs),
    /// Check that a server is ready, for example as the health check of a container.
    ///
    /// The exit code is 0 if it is, and 1 otherwise.
    Health(health::HealthArgs),
    /// Print the OpenAPI document.
    Openapi(openapi::OpenapiArgs),
    /// Print the completion script of a shell.
    Completions(completions::CompletionsArgs),
    /// Print the manual page of sluice, or write the pages of all commands to a folder.
    Man(man::ManArgs),
    /// Run Python code of workflows. The server starts this command as a child process.
    #[command(hide = true)]
    PythonWorker,
}

impl Command {
    /// Runs the command. `cli` is the whole command line, for completions and manual pages.
    pub(crate) fn run(self, mut cli: clap::Command) -> Result<ExitCode> {
        match self {
            Self::Serve(args) => serve::run(*args)?,
            Self::Migrate(args) => migrate::run(&args)?,
            Self::Validate(args) => return Ok(validate::run(&args)),
            Self::Export(args) => return export::run(&args),
            Self::Import(args) => return import::run(&args),
            Self::Keys(command) => keys::run(&command)?,
            Self::Backup(args) => return backup::run(&args),
            Self::Restore(args) => return restore::run(&args),
            Self::Health(args) => health::run(&args)?,
            Self::Openapi(args) => openapi::run(&args)?,
            Self::Completions(args) => completions::run(&args, &mut cli)?,
            Self::Man(args) => man::run(&args, cli)?,
            Self::PythonWorker => return Ok(sluice_python::worker_main()),
        }
        Ok(ExitCode::SUCCESS)
    }
}
