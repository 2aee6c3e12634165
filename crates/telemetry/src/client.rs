use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::runtime::Handle;

/// How long one call may take at most; `OTEL_EXPORTER_OTLP_TIMEOUT` may be less.
const DEADLINE: Duration = Duration::from_secs(10);

/// The client of the collector. It is asked from a thread outside of the runtime, and works in the runtime.
pub(crate) struct Client {
    runtime: Handle,
    hyper: HyperClient,
    /// Whether the last call failed.
    away: AtomicBool,
}

impl Client {
    pub(crate) fn new(runtime: Handle) -> Self {
        let hyper = HyperClient::with_default_connector(DEADLINE, None);
        Self { runtime, hyper, away: AtomicBool::new(false) }
    }

    /// Says once that spans are lost, and once that they arrive again.
    fn note(&self, failure: Option<String>) {
        match (self.away.swap(failure.is_some(), Ordering::Relaxed), failure) {
            (false, Some(cause)) => tracing::warn!(cause, "spans can't be sent, some are lost"),
            (true, None) => tracing::info!("spans are sent again"),
            (true, Some(_)) | (false, None) => {}
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nothing of its inside: requests may carry keys.
        f.write_str("Client")
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let hyper = self.hyper.clone();
        let sent = self.runtime.spawn(async move { hyper.send_bytes(request).await }).await;
        let answer = sent.map_err(HttpError::from).and_then(|answer| answer);
        self.note(match &answer {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("the collector answers {}", answer.status())),
            Err(error) => Some(told(error.as_ref())),
        });
        answer
    }
}

/// The error with its causes.
fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
