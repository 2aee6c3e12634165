//! Check that a server without API keys is not reachable from other machines.

use sluice_persistence::Database;
use tracing::warn;

use super::args::ServeArgs;
use crate::error::Result;

/// Fails if the server has no API keys and one of its addresses is not a loopback address.
pub(super) async fn check(args: &ServeArgs, database: &Database) -> Result<()> {
    if args.access.insecure_no_auth {
        warn!(listen = %args.listen, "authentication is off, any client can do anything");
        return Ok(());
    }
    if database.has_api_keys().await? {
        return Ok(());
    }
    if !args.access.cors_origins.is_empty() {
        warn!("CORS origins are ignored until there is an API key");
    }
    if let Some(address) = args.observability.metrics_listen.filter(|address| !address.ip().is_loopback()) {
        return Err(format!(
            "other machines can reach the metrics address {address}, but there are no API keys. Set --metrics-listen to \
             an address such as 127.0.0.1:9464, create a key with `sluice keys create`, or use --insecure-no-auth. \
             Even with a key, metrics are served without authentication."
        )
        .into());
    }
    if args.listen.ip().is_loopback() {
        return Ok(());
    }
    Err(format!(
        "other machines can reach {}, but there are no API keys. Create one with `sluice keys create --name admin \
         --scope admin` on the same database, set --listen to an address such as 127.0.0.1:8080, or turn off \
         authentication with --insecure-no-auth.",
        args.listen
    )
    .into())
}
