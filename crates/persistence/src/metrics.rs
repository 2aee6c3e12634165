//! The numbers of the store.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

/// What is counted where the store is written.
#[derive(Clone)]
pub(crate) struct WriterMetrics {
    pub(crate) batch_size: Histogram,
    pub(crate) seconds: Histogram,
    pub(crate) failures: Counter,
}

impl WriterMetrics {
    /// Takes a batch of so many changes, which took so long.
    pub(crate) fn take(&self, size: usize, took: Duration, failed: bool) {
        self.batch_size.observe(size as f64);
        self.seconds.observe(took.as_secs_f64());
        if failed {
            self.failures.inc();
        }
    }
}

/// The numbers of the store.
pub(crate) struct Metrics {
    pub(crate) writer: WriterMetrics,
    pub(crate) queue: Gauge,
    pub(crate) up: Gauge,
    // Without a number while the store can't be asked.
    pub(crate) runs: Family<[(&'static str, &'static str); 1], Gauge>,
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
