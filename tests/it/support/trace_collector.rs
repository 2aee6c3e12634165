//! A trace collector for tests.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::support::polling::eventually;

/// A span and the service that sent it.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) service: String,
    pub(crate) span: Span,
}

#[derive(Clone, Default)]
struct Received {
    spans: Arc<Mutex<Vec<Sent>>>,
    /// Values of the header `x-token`.
    tokens: Arc<Mutex<Vec<String>>>,
}

pub(crate) struct Collector {
    /// `http://127.0.0.1:PORT`
    pub(crate) base: String,
    received: Received,
    /// A separate runtime, since the test may block its own while a server ends.
    runtime: Option<Runtime>,
}

impl Drop for Collector {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let received = Received::default();
        let app = Router::new().route("/v1/traces", post(receive)).with_state(received.clone());
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let listener = runtime.spawn(TcpListener::bind("127.0.0.1:0")).await;
        let listener = listener.expect("the task ends").expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("its address"));
        runtime.spawn(async move { axum::serve(listener, app).await.expect("the collector serves") });
        Self { base, received, runtime: Some(runtime) }
    }

    pub(crate) fn spans(&self) -> Vec<Sent> {
        self.received.spans.lock().expect("the spans").clone()
    }

    pub(crate) fn tokens(&self) -> Vec<String> {
        self.received.tokens.lock().expect("the tokens").clone()
    }

    /// Waits for a span that `predicate` accepts.
    pub(crate) async fn span(&self, what: &str, predicate: impl Fn(&Span) -> bool) -> Span {
        eventually(&format!("the span {what}"), async || {
            self.spans().into_iter().map(|sent| sent.span).find(&predicate)
        })
        .await
    }
}

async fn receive(State(received): State<Received>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else { return StatusCode::BAD_REQUEST };
    let token = headers.get("x-token").and_then(|token| token.to_str().ok()).unwrap_or_default();
    received.tokens.lock().expect("the tokens").push(token.to_owned());
    for of_resource in request.resource_spans {
        let attributes = of_resource.resource.unwrap_or_default().attributes;
        let service = attributes.iter().find(|pair| pair.key == "service.name");
        let service = service.map(|pair| text(pair.value.as_ref().and_then(|v| v.value.as_ref())));
        for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            let service = service.clone().unwrap_or_default();
            received.spans.lock().expect("the spans").push(Sent { service, span });
        }
    }
    StatusCode::OK
}

fn text(value: Option<&AnyValue>) -> String {
    match value {
        Some(AnyValue::StringValue(text)) => text.clone(),
        Some(AnyValue::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

/// Returns an attribute of a span as text. Returns an empty text if the span does not have the attribute.
pub(crate) fn attribute(span: &Span, name: &str) -> String {
    let found = span.attributes.iter().find(|pair| pair.key == name);
    found.map_or_else(String::new, |pair| text(pair.value.as_ref().and_then(|value| value.value.as_ref())))
}
