//! Metrics of HTTP requests.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Bucket bounds, from a tenth of a millisecond to the longest wait for a run.
const BUCKETS_SECONDS: [f64; 15] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 600.0];

/// The label of requests that match no operation.
const OTHER: &str = "other";

/// Labels of status classes.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

pub(crate) type Labels = [(&'static str, String); 1];

/// Metrics of requests.
#[derive(Clone)]
pub(crate) struct HttpMetrics {
    requests: Family<[(&'static str, String); 2], Counter>,
    seconds: Family<Labels, Histogram, fn() -> Histogram>,
}

/// The metric handles of each operation, looked up once instead of per request.
#[derive(Clone)]
pub(crate) struct OperationMetrics {
    operations: Arc<HashMap<String, Handles>>,
    other: Handles,
}

#[derive(Clone)]
struct Handles {
    classes: [Counter; CLASSES.len()],
    seconds: Histogram,
}

impl Default for HttpMetrics {
    fn default() -> Self {
        let seconds: fn() -> Histogram = || Histogram::new(BUCKETS_SECONDS);
        Self { requests: Family::default(), seconds: Family::new_with_constructor(seconds) }
    }
}

impl HttpMetrics {
    /// Looks up the handles of these operations.
    pub(crate) fn for_operations<'a>(&self, operations: impl Iterator<Item = &'a str>) -> OperationMetrics {
        let handles = operations.map(|id| (id.to_owned(), self.handles(id))).collect();
        OperationMetrics { operations: Arc::new(handles), other: self.handles(OTHER) }
    }

    fn handles(&self, id: &str) -> Handles {
        let operation = || ("operation", id.to_owned());
        let class =
            |class: &str| self.requests.get_or_create_owned(&[operation(), ("status", class.to_owned())]);
        Handles { classes: CLASSES.map(class), seconds: self.seconds.get_or_create_owned(&[operation()]) }
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        let requests = "Requests by operation and status class";
        registry.register("sluice_http_requests", requests, self.requests.clone());
        let seconds = "Time to the start of the response, by operation";
        registry.register("sluice_http_request_seconds", seconds, self.seconds.clone());
    }
}

impl OperationMetrics {
    /// Records a request.
    pub(crate) fn record(&self, operation: Option<&str>, status: StatusCode, elapsed: Duration) {
        let handles = operation.and_then(|id| self.operations.get(id)).unwrap_or(&self.other);
        handles.seconds.observe(elapsed.as_secs_f64());
        if let Some(class) = handles.classes.get(usize::from(status.as_u16() / 100).wrapping_sub(1)) {
            class.inc();
        }
    }
}
