//! Sends traces away: OpenTelemetry over OTLP/HTTP, protobuf, without TLS.
//!
//! Spans are gathered on a thread of their own and sent from there in batches. What makes spans never waits: when the
//! collector is away or slow, spans are lost and nothing else.

mod client;

use std::time::Duration;

use opentelemetry::global::BoxedTracer;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{ResourceDetector as _, SdkProvidedResourceDetector};
use opentelemetry_sdk::trace::SdkTracerProvider;

use client::Client;

/// What spans are sent under when `OTEL_SERVICE_NAME` says nothing.
const SERVICE: &str = "sluice";

/// Why traces can't be sent.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The endpoint is no `http://` address.
    #[error(
        "traces can't be sent to \"{0}\": give an address as http://127.0.0.1:4318. There is no TLS here: send them to a \
         collector beside the server, and let that one send them on"
    )]
    Endpoint(String),
    /// The endpoint holds a name or a password, which would come into logs.
    #[error(
        "traces can't be sent to an address that holds a user name or a password: give what the collector asks for in \
         OTEL_EXPORTER_OTLP_HEADERS"
    )]
    Credentials,
    /// A setting doesn't fit.
    #[error("traces can't be sent; look at the variables that begin with OTEL_")]
    Setting(#[from] opentelemetry_otlp::ExporterBuildError),
}

/// Where traces go.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    /// The base address of a collector: traces go to `/v1/traces` below it.
    pub base: Option<String>,
    /// The address for traces, as it is; wins over `base`.
    pub traces: Option<String>,
}

impl Endpoints {
    /// The address for traces; none when nothing is set.
    fn address(&self) -> Option<String> {
        let given = |address: &Option<String>| address.clone().filter(|address| !address.is_empty());
        let below = |base: String| format!("{}/v1/traces", base.trim_end_matches('/'));
        given(&self.traces).or_else(|| given(&self.base).map(below))
    }
}

/// What makes spans and sends them.
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Begins to send traces, when there is an address for them. Headers, the sampler, the resource and the sizes of
    /// batches are read from the variables that OpenTelemetry names. To be called inside of the runtime.
    ///
    /// # Errors
    /// When the address or a variable doesn't fit.
    pub fn start(endpoints: &Endpoints) -> Result<Option<Self>, TelemetryError> {
        let Some(address) = endpoints.address() else { return Ok(None) };
        let authority = address.split("://").last().and_then(|rest| rest.split('/').next());
        if authority.is_some_and(|authority| authority.contains('@')) {
            return Err(TelemetryError::Credentials);
        }
        if !address.starts_with("http://") {
            return Err(TelemetryError::Endpoint(address));
        }
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client::new(tokio::runtime::Handle::current()))
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(address)
            .build()?;
        let provider =
            SdkTracerProvider::builder().with_resource(resource()).with_batch_exporter(exporter).build();
        Ok(Some(Self(provider)))
    }

    /// What makes spans.
    #[must_use]
    pub fn tracer(&self) -> BoxedTracer {
        BoxedTracer::new(Box::new(self.0.tracer(SERVICE)))
    }

    /// Sends what is left and ends; gives up after `patience`.
    pub async fn stop(self, patience: Duration) {
        let (tell, done) = tokio::sync::oneshot::channel();
        // Not a task of the runtime: the end of the program would wait for that one.
        std::thread::spawn(move || {
            let stopped = self.0.shutdown_with_timeout(patience);
            // Nobody there any more: the program ends.
            let _ = tell.send(stopped);
        });
        match tokio::time::timeout(patience, done).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(%error, "the last spans may be lost"),
            Ok(Err(_)) | Err(_) => {
                tracing::warn!("the last spans may be lost: the collector is slow or away")
            }
        }
    }
}

/// Who sends: as the variables say, or else `sluice`.
fn resource() -> Resource {
    let resource = Resource::builder();
    let detected = SdkProvidedResourceDetector.detect();
    let is_named = detected.iter().any(|(_, name)| !name.as_str().starts_with("unknown_service"));
    if is_named { resource.build() } else { resource.with_service_name(SERVICE).build() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(base: Option<&str>, traces: Option<&str>) -> Option<String> {
        Endpoints { base: base.map(str::to_owned), traces: traces.map(str::to_owned) }.address()
    }

    #[test]
    fn the_address_is_found_as_the_standard_says() {
        assert_eq!(address(None, None), None);
        assert_eq!(address(Some(""), Some("")), None);
        assert_eq!(address(Some("http://a:1"), None).as_deref(), Some("http://a:1/v1/traces"));
        assert_eq!(address(Some("http://a:1/b/"), None).as_deref(), Some("http://a:1/b/v1/traces"));
        assert_eq!(address(Some("http://a:1"), Some("http://c/x")).as_deref(), Some("http://c/x"));
    }

    #[tokio::test]
    async fn an_address_with_tls_is_refused_with_what_to_do() {
        let endpoints = Endpoints { base: Some("https://a:1".to_owned()), traces: None };
        let error = Traces::start(&endpoints).expect_err("there is no TLS");
        assert!(error.to_string().contains("collector beside the server"), "{error}");
        for address in ["http://ada:hunter2@a:1", "https://ada:hunter2@a:1/x"] {
            let endpoints = Endpoints { base: Some(address.to_owned()), traces: None };
            let error = Traces::start(&endpoints).expect_err("it would come into logs").to_string();
            assert!(error.contains("OTEL_EXPORTER_OTLP_HEADERS") && !error.contains("hunter2"), "{error}");
        }
    }
}
