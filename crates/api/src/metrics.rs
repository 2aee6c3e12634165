//! The numbers of requests, and the page on which all numbers stand.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::AppState;

/// From a tenth of a millisecond to as long as a request waits for a run.
const SECONDS: [f64; 15] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 600.0];
/// What is counted as no operation of the document.
const OTHER: &str = "other";
/// Statuses by their hundreds, as they are labelled.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
/// The media type of the page.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

type Labels = [(&'static str, String); 1];

/// The numbers of requests.
#[derive(Clone)]
pub(crate) struct HttpMetrics {
    requests: Family<[(&'static str, String); 2], Counter>,
    seconds: Family<Labels, Histogram, fn() -> Histogram>,
}

/// The numbers of each operation, looked up once and not at every request.
#[derive(Clone)]
pub(crate) struct Counted {
    operations: Arc<HashMap<String, OfOperation>>,
    other: OfOperation,
}

#[derive(Clone)]
struct OfOperation {
    classes: [Counter; CLASSES.len()],
    seconds: Histogram,
}

impl Default for HttpMetrics {
    fn default() -> Self {
        let seconds: fn() -> Histogram = || Histogram::new(SECONDS);
        Self { requests: Family::default(), seconds: Family::new_with_constructor(seconds) }
    }
}

impl HttpMetrics {
    /// The numbers of these operations.
    pub(crate) fn of<'a>(&self, operations: impl Iterator<Item = &'a str>) -> Counted {
        let all = operations.map(|id| (id.to_owned(), self.operation(id))).collect();
        Counted { operations: Arc::new(all), other: self.operation(OTHER) }
    }

    fn operation(&self, id: &str) -> OfOperation {
        let operation = || ("operation", id.to_owned());
        let class =
            |class: &str| self.requests.get_or_create_owned(&[operation(), ("status", class.to_owned())]);
        OfOperation { classes: CLASSES.map(class), seconds: self.seconds.get_or_create_owned(&[operation()]) }
    }

    fn register(&self, registry: &mut Registry) {
        let requests = "Requests that were answered, by operation and by the hundreds of the status";
        registry.register("sluice_http_requests", requests, self.requests.clone());
        let seconds = "How long requests took until their answer began, by operation";
        registry.register("sluice_http_request_seconds", seconds, self.seconds.clone());
    }
}

impl Counted {
    /// Takes a request that was answered.
    pub(crate) fn take(&self, operation: Option<&str>, status: StatusCode, took: Duration) {
        let known = operation.and_then(|id| self.operations.get(id));
        let of = known.unwrap_or(&self.other);
        of.seconds.observe(took.as_secs_f64());
        if let Some(class) = of.classes.get(usize::from(status.as_u16() / 100).wrapping_sub(1)) {
            class.inc();
        }
    }
}

/// What the page is made of.
#[derive(Clone)]
struct Page {
    app: AppState,
    registry: Arc<Registry>,
}

/// The numbers of this server at `/metrics`, in the text format of Prometheus. For an address of its own: no key is
/// asked for.
pub fn metrics_app(app: AppState) -> Router {
    let mut registry = Registry::default();
    let build = Family::<Labels, Gauge>::default();
    build.get_or_create(&[("version", env!("CARGO_PKG_VERSION").to_owned())]).set(1);
    registry.register("sluice_build_info", "The version of the server", build);
    app.metrics.register(&mut registry);
    app.engine.register_metrics(&mut registry);
    app.db.register_metrics(&mut registry);
    let page = Page { app, registry: Arc::new(registry) };
    Router::new().route("/metrics", get(scrape)).with_state(page)
}

async fn scrape(State(Page { app, registry }): State<Page>) -> Response {
    app.engine.update_concurrency_metrics();
    app.db.look_at_runs().await;
    let mut text = String::new();
    match prometheus_text::encode(&mut text, &registry) {
        Ok(()) => ([(header::CONTENT_TYPE, TEXT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the numbers can't be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
