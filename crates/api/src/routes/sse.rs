//! The wire format of event streams (Server-Sent Events): message, heartbeat and `Last-Event-ID`.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::sse;
use axum::response::sse::KeepAlive;
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use crate::error::{Problem, ProblemKind};
use crate::openapi::params::{optional_parameter, text_schema};

/// Interval of heartbeats.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(15);

/// Returns a Server-Sent Event with JSON data.
pub(crate) fn message(id: impl ToString, kind: impl Into<&'static str>, data: &impl Serialize) -> sse::Event {
    let event = sse::Event::default().id(id.to_string()).event(kind.into());
    // Serialization does not fail: the data was parsed from JSON.
    event.json_data(data).unwrap_or_default()
}

pub(crate) fn heartbeat() -> KeepAlive {
    KeepAlive::new().interval(HEARTBEAT)
}

/// The id of the last event that the client received, from the header `Last-Event-ID`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastEventId(pub(crate) Option<u64>);

impl<S: Send + Sync> FromRequestParts<S> for LastEventId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get("last-event-id") else { return Ok(Self(None)) };
        let number = value.to_str().ok().and_then(|text| text.trim().parse().ok());
        number.map(|number| Self(Some(number))).ok_or_else(|| {
            let detail =
                "Last-Event-ID must be the id of an event of this stream. Omit it to connect without one.";
            Problem::new(ProblemKind::UnknownEventId, detail)
        })
    }
}

impl IntoParams for LastEventId {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "The `id` of the last event that the client received. Browsers send it automatically when they reconnect.";
        vec![optional_parameter(
            ParameterIn::Header,
            "Last-Event-ID",
            description,
            text_schema("^[0-9]{1,20}$"),
        )]
    }
}
