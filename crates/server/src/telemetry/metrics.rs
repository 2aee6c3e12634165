//! Prometheus metrics.

use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use sluice_api::AppState;
use sluice_http_server::{self as http_server, App, ConnectionLimits};
use tracing::{error, info};

use crate::error::Result;

/// Maximum number of connections to the metrics endpoint. Scrapers need few.
const MAX_CONNECTIONS: usize = 16;

/// Starts to serve metrics. They are served until the process ends, so that its shutdown can be observed.
pub(crate) fn serve_metrics(address: SocketAddr, limits: &ConnectionLimits, app: &AppState) -> Result<()> {
    let listener = http_server::bind(address)
        .map_err(|error| format!("can't listen on {address}: {error}; choose another --metrics-listen"))?;
    let address = listener.local_addr()?;
    let limits = ConnectionLimits { max_connections: MAX_CONNECTIONS, ..limits.clone() };
    let app = App::new(sluice_api::metrics_app(app.clone()), |request| request);
    tokio::spawn(async move {
        if let Err(error) =
            http_server::serve(listener, app, limits, Box::pin(pending()), Duration::ZERO).await
        {
            error!(%error, "metrics server failed");
        }
    });
    info!("metrics at http://{address}/metrics");
    Ok(())
}
