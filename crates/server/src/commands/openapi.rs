//! `sluice openapi`.

use std::io::Write as _;

use clap::{Args, ValueEnum};
use sluice_api::{OpenApiVersion, document_text};

use crate::error::Result;

#[derive(Debug, Args)]
pub(crate) struct OpenapiArgs {
    /// OpenAPI version of the document.
    #[arg(long, value_enum, default_value_t = Version::V3_1)]
    version: Version,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Version {
    /// OpenAPI 3.1.
    #[value(name = "3.1")]
    V3_1,
    /// OpenAPI 3.0, for generators that don't support 3.1.
    #[value(name = "3.0")]
    V3_0,
}

/// Prints the OpenAPI document.
pub(super) fn run(args: &OpenapiArgs) -> Result<()> {
    let version = match args.version {
        Version::V3_1 => OpenApiVersion::V3_1,
        Version::V3_0 => OpenApiVersion::V3_0,
    };
    writeln!(std::io::stdout(), "{}", document_text(version))?;
    Ok(())
}
