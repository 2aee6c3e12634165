//! `sluice completions`.

use std::io::{self, Write as _};

use clap::Args;
use clap_complete::Shell;

use crate::error::Result;

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Shell.
    shell: Shell,
}

/// Prints the completion script.
pub(super) fn run(args: &CompletionsArgs, cli: &mut clap::Command) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, cli, "sluice", &mut script);
    io::stdout().write_all(&script)?;
    Ok(())
}
