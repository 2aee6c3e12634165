//! Metrics of the database.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

/// Metrics of the writer.
#[derive(Clone)]
pub(crate) struct WriterMetrics {
    pub(crate) batch_size: Histogram,
    pub(crate) seconds: Histogram,
    pub(crate) failures: Counter,
}

impl WriterMetrics {
    /// Records a batch.
    pub(crate) fn record_batch(&self, size: usize, duration: Duration, failed: bool) {
        self.batch_size.observe(size as f64);
        self.seconds.observe(duration.as_secs_f64());
        if failed {
            self.failures.inc();
        }
    }
}

/// All metrics of the database.
pub(crate) struct Metrics {
    pub(crate) writer: WriterMetrics,
    pub(crate) queue: Gauge,
    pub(crate) up: Gauge,
    /// Empty while the database is unavailable.
    pub(crate) runs: Family<[(&'static str, &'static str); 1], Gauge>,
    /// Empty while the database is unavailable.
    pub(crate) pauses: Family<[(&'static str, &'static str); 0], Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            writer: WriterMetrics {
                batch_size: Histogram::new(exponential_buckets(1.0, 2.0, 9)),
                seconds: Histogram::new(exponential_buckets(0.000_1, 2.5, 14)),
                failures: Counter::default(),
            },
            queue: Gauge::default(),
            up: Gauge::default(),
            runs: Family::default(),
            pauses: Family::default(),
        }
    }
}
