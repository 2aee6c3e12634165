//! Prometheus metrics on a separate address, and the exporter of traces.

mod metrics;
mod traces;

pub(crate) use metrics::serve_metrics;
pub(crate) use traces::{Endpoints, TraceExporter};
