//! `GET /metrics`: all metrics of the process in the Prometheus text format.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::metrics::Labels;
use crate::state::AppState;

/// The media type of the Prometheus text format.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Clone)]
struct MetricsState {
    app: AppState,
    registry: Arc<Registry>,
}

/// Returns a router with `/metrics` for a separate address. It requires no API key.
pub fn metrics_app(app: AppState) -> Router {
    let mut registry = Registry::default();
    let build = Family::<Labels, Gauge>::default();
    build.get_or_create(&[("version", env!("CARGO_PKG_VERSION").to_owned())]).set(1);
    registry.register("sluice_build_info", "The version of the server", build);
    app.metrics.register(&mut registry);
    app.engine.register_metrics(&mut registry);
    app.db.register_metrics(&mut registry);
    let state = MetricsState { app, registry: Arc::new(registry) };
    Router::new().route("/metrics", get(scrape)).with_state(state)
}

async fn scrape(State(MetricsState { app, registry }): State<MetricsState>) -> Response {
    app.engine.update_concurrency_metrics();
    app.db.update_gauges().await;
    let mut text = String::new();
    match prometheus_text::encode(&mut text, &registry) {
        Ok(()) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics not encoded");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
