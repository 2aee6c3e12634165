//! `sluice man`.

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;

use crate::error::{Result, io_error};

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Folder for the manual pages of all commands, created if missing. Without it, the page of sluice is printed.
    folder: Option<PathBuf>,
}

/// Prints the manual page, or writes the pages of all commands.
pub(super) fn run(args: &ManArgs, cli: clap::Command) -> Result<()> {
    let Some(folder) = &args.folder else {
        let mut page = Vec::new();
        clap_mangen::Man::new(cli).render(&mut page)?;
        io::stdout().write_all(&page)?;
        return Ok(());
    };
    std::fs::create_dir_all(folder).map_err(io_error("create the folder", folder))?;
    clap_mangen::generate_to(cli, folder).map_err(io_error("write to", folder))?;
    Ok(())
}
