//! What the server shows of itself beside its log: numbers on an address of their own, and traces.

use std::net::SocketAddr;

use axum_server::Handle;
use sluice_api::AppState;
use sluice_telemetry::{Endpoints, Traces};
use tracing::{info, warn};

use crate::cli::{ConnectionArgs, ObserveArgs};
use crate::connections;

type Failure = Box<dyn std::error::Error>;

/// How many connections the address of the numbers takes: who scrapes is one, or a few.
const SCRAPERS: usize = 16;

/// Begins to send traces, if there is somewhere to send them.
pub(crate) fn traces(args: &ObserveArgs) -> Result<Option<Traces>, Failure> {
    let endpoints = Endpoints { base: args.otlp_endpoint.clone(), traces: args.otlp_traces_endpoint.clone() };
    Ok(Traces::start(&endpoints)?)
}

/// Serves the numbers, if there is an address for them; until the program ends, so that its stop can be watched.
pub(crate) fn metrics(
    args: &ObserveArgs,
    connections: &ConnectionArgs,
    app: &AppState,
) -> Result<(), Failure> {
    let Some(address) = args.metrics_listen else { return Ok(()) };
    let listener = connections::listen(address)
        .map_err(|error| format!("can't listen on {address}: {error}; choose another --metrics-listen"))?;
    let address: SocketAddr = listener.local_addr()?;
    let connections = ConnectionArgs { max_connections: SCRAPERS, ..connections.clone() };
    let server = connections::listening(listener, Handle::new(), &connections)?;
    let page = sluice_api::metrics_app(app.clone()).into_make_service();
    tokio::spawn(async move {
        if let Err(error) = server.serve(page).await {
            warn!(%error, "the numbers are not served any more");
        }
    });
    info!("metrics at http://{address}/metrics");
    Ok(())
}
