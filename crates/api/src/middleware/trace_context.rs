//! W3C Trace Context: continues the trace of the caller. The response has the id of the server's span, even if no spans
//! are exported.

use std::collections::HashSet;
use std::str::FromStr as _;
use std::sync::Arc;

use axum::http::header::GetAll;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use opentelemetry::global::BoxedTracer;
use opentelemetry::trace::{
    SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId,
    TraceState, Tracer as _,
};
use opentelemetry::{Context, KeyValue};
use sluice_engine::clock;

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The length of a `traceparent` of version 00.
const TRACEPARENT_LENGTH: usize = 55;

/// The maximum number of members of a `tracestate` (W3C Trace Context, 3.3.1.1).
const MAX_MEMBERS: usize = 32;

/// The span of a request.
pub(crate) struct RequestTrace {
    /// The ids of the span, for the response and the log.
    span: SpanContext,
    /// The span itself, if spans are exported.
    recorded: Option<Context>,
}

impl RequestTrace {
    /// Continues the trace in the request headers, or begins a new one.
    pub(crate) fn begin(
        headers: &HeaderMap,
        tracer: Option<&Arc<BoxedTracer>>,
        method: &Method,
        path: &str,
    ) -> Self {
        let parent = parent(headers);
        if let Some(tracer) = tracer {
            let context = start_span(parent, tracer, method, path);
            return Self { span: context.span().span_context().clone(), recorded: Some(context) };
        }
        let (trace, flags, state) = match parent {
            Some(parent) => (Some(parent.trace_id()), parent.trace_flags(), parent.trace_state().clone()),
            None => (None, TraceFlags::default(), TraceState::default()),
        };
        let (new_trace, span) = new_ids();
        let span = SpanContext::new(trace.unwrap_or(new_trace), span, flags, false, state);
        Self { span, recorded: None }
    }

    /// Returns the id of the trace.
    pub(crate) fn id(&self) -> TraceId {
        self.span.trace_id()
    }

    /// Returns the context in which the request is processed, if spans are exported.
    pub(crate) fn context(&self) -> Option<&Context> {
        self.recorded.as_ref()
    }

    /// Adds the span of the server to the response headers.
    pub(crate) fn insert_headers(&self, headers: &mut HeaderMap) {
        let Self { span, .. } = self;
        let flags = span.trace_flags() & TraceFlags::SAMPLED;
        let parent = format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), flags);
        if let Ok(parent) = HeaderValue::try_from(parent) {
            headers.insert(TRACEPARENT.clone(), parent);
        }
        let state = span.trace_state().header();
        if let (false, Ok(state)) = (state.is_empty(), HeaderValue::try_from(state)) {
            headers.insert(TRACESTATE.clone(), state);
        }
    }

    /// Ends the span.
    pub(crate) fn end(&self, operation: &str, request_id: &str, status: StatusCode) {
        let Some(context) = &self.recorded else { return };
        let span = context.span();
        span.set_attributes([
            KeyValue::new("http.response.status_code", i64::from(status.as_u16())),
            KeyValue::new("sluice.operation", operation.to_owned()),
            KeyValue::new("sluice.request.id", request_id.to_owned()),
        ]);
        if status.is_server_error() {
            span.set_attribute(KeyValue::new("error.type", status.as_str().to_owned()));
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

/// Returns new ids of a trace and a span. One random number is enough for both, since they are not recorded.
fn new_ids() -> (TraceId, SpanId) {
    let random = clock::random_id();
    let (_, low) = random.as_u64_pair();
    (TraceId::from_bytes(random.into_bytes()), SpanId::from_bytes(low.to_be_bytes()))
}

/// Starts the span of a request for export. `path` is the pattern, without ids.
fn start_span(parent: Option<SpanContext>, tracer: &BoxedTracer, method: &Method, path: &str) -> Context {
    let span = SpanBuilder::from_name(format!("{method} {path}")).with_kind(SpanKind::Server);
    let span = span.with_attributes([
        KeyValue::new("http.request.method", method.to_string()),
        KeyValue::new("http.route", path.to_owned()),
    ]);
    let parent = parent.map_or_else(Context::new, |parent| Context::new().with_remote_span_context(parent));
    Context::new().with_span(tracer.build_with_context(span, &parent))
}

/// Returns the span of the caller. Ignores a malformed `traceparent`, and a `tracestate` that is malformed or has no
/// `traceparent`.
fn parent(headers: &HeaderMap) -> Option<SpanContext> {
    let (trace, span, flags) = traceparent(headers.get_all(&TRACEPARENT))?;
    let state = tracestate(headers.get_all(&TRACESTATE)).unwrap_or_default();
    Some(SpanContext::new(trace, span, flags, true, state))
}

fn traceparent(values: GetAll<'_, HeaderValue>) -> Option<(TraceId, SpanId, TraceFlags)> {
    let mut values = values.iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let value = value.to_str().ok()?;
    let (known, rest) = value.split_at_checked(TRACEPARENT_LENGTH)?;
    let parts: Vec<&str> = known.split('-').collect();
    let [version, trace, span, flags] = parts[..] else { return None };
    let is_hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_complete = [(version, 2), (trace, 32), (span, 16), (flags, 2)]
        .iter()
        .all(|(text, length)| text.len() == *length && is_hex(text));
    // Later versions may only append fields.
    let may_follow = if version == "00" { rest.is_empty() } else { rest.is_empty() || rest.starts_with('-') };
    if !is_complete || !may_follow || version == "ff" {
        return None;
    }
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    (trace != TraceId::INVALID && span != SpanId::INVALID).then_some((trace, span, flags))
}

fn tracestate(values: GetAll<'_, HeaderValue>) -> Option<TraceState> {
    let values: Result<Vec<&str>, _> = values.iter().map(HeaderValue::to_str).collect();
    let text = values.ok()?.join(",");
    let names: Vec<&str> =
        text.split(',').filter_map(|member| Some(member.split_once('=')?.0.trim())).collect();
    let distinct: HashSet<&&str> = names.iter().collect();
    if names.len() > MAX_MEMBERS || distinct.len() < names.len() {
        return None;
    }
    TraceState::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs.map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn headers_with(value: &str) -> HeaderMap {
        headers(&[("traceparent", value)])
    }

    #[test]
    fn trace_of_the_caller_continues() {
        let span = parent(&headers_with(GOOD)).unwrap();
        assert_eq!(span.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(span.span_id().to_string(), "00f067aa0ba902b7");
        assert!(span.is_sampled() && span.is_remote());
        let mut response = HeaderMap::new();
        RequestTrace::begin(&headers_with(GOOD), None, &Method::GET, "/").insert_headers(&mut response);
        let response = response["traceparent"].to_str().unwrap();
        assert!(response.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && response.ends_with("-01"));
        assert!(!response.contains("00f067aa0ba902b7"), "the server has a new span: {response}");
    }

    #[test]
    fn unknown_flags_and_versions_are_parsed_as_far_as_possible() {
        let flags = |value: &str| parent(&headers_with(value)).map(|span| span.trace_flags().to_u8());
        assert_eq!(flags(&GOOD.replace("-01", "-00")), Some(0));
        assert_eq!(flags(&GOOD.replace("-01", "-03")), Some(1));
        assert_eq!(flags(&GOOD.replace("-01", "-fe")), Some(0));
        assert_eq!(flags(&GOOD.replacen("00", "cc", 1)), Some(1));
        assert_eq!(flags(&format!("{}-more", GOOD.replacen("00", "cc", 1))), Some(1));
    }

    #[test]
    fn malformed_traceparent_is_ignored() {
        let zero = "0".repeat(32);
        let bad = [
            String::new(),
            GOOD.to_uppercase(),
            format!("{GOOD}-more"),
            format!("{GOOD} "),
            GOOD.replacen("00", "ff", 1),
            format!("{}.more", GOOD.replacen("00", "cc", 1)),
            GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &zero),
            GOOD.replace("00f067aa0ba902b7", &zero[..16]),
            GOOD.replace("4bf9", "xyz_"),
            GOOD.replace("-00f0", "-0-f0"),
            GOOD[..54].to_owned(),
            "é".repeat(30),
        ];
        for value in bad {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", HeaderValue::from_bytes(value.as_bytes()).unwrap());
            assert!(parent(&headers).is_none(), "{value}");
        }
        let two = headers(&[("traceparent", GOOD), ("traceparent", GOOD)]);
        assert!(parent(&two).is_none(), "two headers");
    }

    #[test]
    fn tracestate_is_returned_with_its_trace() {
        let response_state = |pairs: &[(&'static str, &str)]| {
            let mut response = HeaderMap::new();
            RequestTrace::begin(&headers(pairs), None, &Method::GET, "/").insert_headers(&mut response);
            response.get("tracestate").map(|state| state.to_str().unwrap().to_owned())
        };
        let (trace, a, b) = (("traceparent", GOOD), ("tracestate", "a=1"), ("tracestate", "b@c=2 3"));
        assert_eq!(response_state(&[trace, a, b]).as_deref(), Some("a=1,b@c=2 3"));
        assert_eq!(response_state(&[trace, ("tracestate", "A=1")]), None, "malformed");
        assert_eq!(response_state(&[trace, ("tracestate", "a=1,b=2,a=3")]), None, "duplicate key");
        let many = (0..33).map(|n| format!("k{n}=1")).collect::<Vec<_>>();
        assert_eq!(response_state(&[trace, ("tracestate", &many.join(","))]), None, "too many");
        assert!(response_state(&[trace, ("tracestate", &many[1..].join(","))]).is_some());
        assert_eq!(response_state(&[a]), None, "without a trace");
    }

    #[test]
    fn every_request_has_a_new_span() {
        let span = || RequestTrace::begin(&HeaderMap::new(), None, &Method::GET, "/").span;
        let (one, other) = (span(), span());
        assert!(one.is_valid() && other.is_valid());
        assert_ne!(one.trace_id(), other.trace_id());
        assert_ne!(one.span_id(), other.span_id());
    }
}
