//! The HTTP client of the collector.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::runtime::Handle;

/// Timeout for a request. `OTEL_EXPORTER_OTLP_TIMEOUT` can only lower it.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// A client for the thread of the exporter, which runs outside of the runtime. Requests are sent inside the runtime.
pub(crate) struct CollectorClient {
    runtime: Handle,
    hyper: HyperClient,
    /// True if the last request failed.
    is_failing: AtomicBool,
}

impl CollectorClient {
    pub(crate) fn new(runtime: Handle) -> Self {
        let hyper = HyperClient::with_default_connector(REQUEST_TIMEOUT, None);
        Self { runtime, hyper, is_failing: AtomicBool::new(false) }
    }

    /// Logs the first failure of a series, and the success that ends it.
    fn log_change(&self, failure: Option<String>) {
        match (self.is_failing.swap(failure.is_some(), Ordering::Relaxed), failure) {
            (false, Some(error)) => tracing::warn!(error, "failed to export spans, some are lost"),
            (true, None) => tracing::info!("exporting spans again"),
            (true, Some(_)) | (false, None) => {}
        }
    }
}

impl fmt::Debug for CollectorClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The fields are left out: requests can contain credentials.
        f.write_str("CollectorClient")
    }
}

#[async_trait]
impl HttpClient for CollectorClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let hyper = self.hyper.clone();
        let task = self.runtime.spawn(async move { hyper.send_bytes(request).await });
        let response = task.await.map_err(HttpError::from).and_then(|response| response);
        self.log_change(match &response {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("the collector responded with status {}", response.status())),
            Err(error) => Some(with_causes(error.as_ref())),
        });
        response
    }
}

/// Formats an error with its causes.
fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
