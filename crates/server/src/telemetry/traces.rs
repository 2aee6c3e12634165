//! The exporter of traces. It is part of the binary if the cargo feature `otlp` is on.

#[cfg(feature = "otlp")]
pub(crate) use sluice_telemetry::{Endpoints, TraceExporter};

#[cfg(not(feature = "otlp"))]
pub(crate) use without_otlp::{Endpoints, TraceExporter};

#[cfg(not(feature = "otlp"))]
mod without_otlp {
    use std::time::Duration;

    use opentelemetry::global::BoxedTracer;

    /// The settings of the exporter.
    #[derive(Debug)]
    pub(crate) struct Endpoints {
        pub(crate) base: Option<String>,
        pub(crate) traces: Option<String>,
    }

    /// An exporter that can't be started.
    #[derive(Debug)]
    pub(crate) enum TraceExporter {}

    impl TraceExporter {
        /// Fails if an endpoint is set.
        pub(crate) fn start(endpoints: &Endpoints) -> Result<Option<Self>, String> {
            let is_set =
                [&endpoints.base, &endpoints.traces].into_iter().flatten().any(|url| !url.is_empty());
            if !is_set {
                return Ok(None);
            }
            Err("can't export traces: this binary was built without the OTLP exporter; build it with \
                 `--features otlp`, or unset OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
                .to_owned())
        }

        pub(crate) fn tracer(&self) -> BoxedTracer {
            match *self {}
        }

        pub(crate) async fn shutdown(self, _timeout: Duration) {
            match self {}
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn rejects_endpoints() {
            for url in [None, Some(String::new())] {
                let endpoints = Endpoints { base: url.clone(), traces: url };
                assert!(TraceExporter::start(&endpoints).unwrap().is_none());
            }
            let url = Some("http://127.0.0.1:4318".to_owned());
            for endpoints in
                [Endpoints { base: url.clone(), traces: None }, Endpoints { base: None, traces: url.clone() }]
            {
                let error = TraceExporter::start(&endpoints).unwrap_err();
                assert!(error.contains("--features otlp"), "{error}");
            }
        }
    }
}
