//! Export of traces: OpenTelemetry over OTLP/HTTP with protobuf, without TLS.
//!
//! A separate thread collects spans and exports them in batches. Creating a span never blocks: if the collector is slow
//! or unavailable, spans are dropped.

mod client;

use std::time::Duration;

use opentelemetry::global::BoxedTracer;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{ResourceDetector as _, SdkProvidedResourceDetector};
use opentelemetry_sdk::trace::SdkTracerProvider;

use client::CollectorClient;

/// The service name if `OTEL_SERVICE_NAME` is not set.
const SERVICE_NAME: &str = "sluice";

/// A failure to start the exporter.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The endpoint is not an `http://` URL.
    #[error(
        "can't export traces to \"{0}\": the endpoint must be a URL such as http://127.0.0.1:4318. TLS is not \
         supported: use a collector on this machine, and let it forward the traces"
    )]
    Endpoint(String),
    /// The endpoint contains credentials, which would appear in logs.
    #[error(
        "can't export traces: the endpoint must not contain a user name or a password; set the headers that the \
         collector expects in OTEL_EXPORTER_OTLP_HEADERS"
    )]
    Credentials,
    /// A setting is invalid.
    #[error("can't export traces: check the environment variables that begin with OTEL_")]
    Setting(#[from] opentelemetry_otlp::ExporterBuildError),
}

/// The address of the collector.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    /// The base URL: traces are sent to `/v1/traces` below it.
    pub base: Option<String>,
    /// The full URL for traces, which overrides `base`.
    pub traces: Option<String>,
}

impl Endpoints {
    /// Returns the URL for traces, or `None` if nothing is set.
    fn url(&self) -> Option<String> {
        let non_empty = |url: &Option<String>| url.clone().filter(|url| !url.is_empty());
        non_empty(&self.traces).or_else(|| {
            let base = non_empty(&self.base)?;
            Some(format!("{}/v1/traces", base.trim_end_matches('/')))
        })
    }
}

/// A running exporter.
#[derive(Debug)]
pub struct TraceExporter(SdkTracerProvider);

impl TraceExporter {
    /// Starts the exporter if an endpoint is set. Headers, sampler, resource and batch sizes are read from the
    /// environment variables of OpenTelemetry. Must be called inside of a tokio runtime.
    ///
    /// # Errors
    ///
    /// If the endpoint or an environment variable is invalid.
    pub fn start(endpoints: &Endpoints) -> Result<Option<Self>, TelemetryError> {
        let Some(url) = endpoints.url() else { return Ok(None) };
        let authority = url.split("://").last().and_then(|rest| rest.split('/').next());
        if authority.is_some_and(|authority| authority.contains('@')) {
            return Err(TelemetryError::Credentials);
        }
        if !url.starts_with("http://") {
            return Err(TelemetryError::Endpoint(url));
        }
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(CollectorClient::new(tokio::runtime::Handle::current()))
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(url)
            .build()?;
        let provider =
            SdkTracerProvider::builder().with_resource(resource()).with_batch_exporter(exporter).build();
        Ok(Some(Self(provider)))
    }

    /// Returns a tracer whose spans are exported.
    #[must_use]
    pub fn tracer(&self) -> BoxedTracer {
        BoxedTracer::new(Box::new(self.0.tracer(SERVICE_NAME)))
    }

    /// Exports the remaining spans and stops. Gives up after `timeout`.
    pub async fn shutdown(self, timeout: Duration) {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        // A thread instead of a blocking task, because the runtime would wait for the task at exit.
        std::thread::spawn(move || {
            let result = self.0.shutdown_with_timeout(timeout);
            // After the timeout, the receiver no longer exists.
            let _ = sender.send(result);
        });
        match tokio::time::timeout(timeout, receiver).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(%error, "failed to export the last spans"),
            Ok(Err(_)) | Err(_) => {
                tracing::warn!(?timeout, "timeout while exporting the last spans, some may be lost")
            }
        }
    }
}

/// Returns the resource from the environment, with the default service name if none is set.
fn resource() -> Resource {
    let resource = Resource::builder();
    let detected = SdkProvidedResourceDetector.detect();
    let has_name = detected.iter().any(|(_, name)| !name.as_str().starts_with("unknown_service"));
    if has_name { resource.build() } else { resource.with_service_name(SERVICE_NAME).build() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(base: Option<&str>, traces: Option<&str>) -> Endpoints {
        Endpoints { base: base.map(str::to_owned), traces: traces.map(str::to_owned) }
    }

    #[test]
    fn resolves_the_url_as_otlp_specifies() {
        for (base, traces, expected) in [
            (None, None, None),
            (Some(""), Some(""), None),
            (Some("http://a:1"), None, Some("http://a:1/v1/traces")),
            (Some("http://a:1/b/"), None, Some("http://a:1/b/v1/traces")),
            (Some("http://a:1"), Some("http://c/x"), Some("http://c/x")),
        ] {
            assert_eq!(endpoints(base, traces).url().as_deref(), expected);
        }
    }

    #[tokio::test]
    async fn rejects_tls_and_credentials_with_advice() {
        let error = TraceExporter::start(&endpoints(Some("https://a:1"), None)).expect_err("TLS");
        assert!(error.to_string().contains("collector on this machine"), "{error}");
        for url in ["http://ada:hunter2@a:1", "https://ada:hunter2@a:1/x"] {
            let error =
                TraceExporter::start(&endpoints(Some(url), None)).expect_err("credentials").to_string();
            assert!(error.contains("OTEL_EXPORTER_OTLP_HEADERS") && !error.contains("hunter2"), "{error}");
        }
    }
}
