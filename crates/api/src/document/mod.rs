//! The document as it is given out: the derived one, with what derives can't say, in two versions.

mod limits;
mod node_kinds;
mod older;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde_json::Value;

use crate::extract::{FromQuery, Query, Reader};
use crate::openapi::openapi;
use crate::{AppState, Settings};

/// A version of OpenAPI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OpenApiVersion {
    /// 3.1, in which the document is written.
    #[default]
    V3_1,
    /// 3.0, for generators that know nothing later.
    V3_0,
}

/// The OpenAPI document of a server with these settings.
#[must_use]
pub fn document(version: OpenApiVersion, settings: &Settings) -> Value {
    let mut document = serde_json::to_value(openapi()).unwrap_or_default();
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        node_kinds::describe(schemas);
        limits::tell_tags(schemas);
    }
    limits::tell(&mut document, settings);
    without_noise(&mut document["components"]);
    without_noise(&mut document["paths"]);
    match version {
        OpenApiVersion::V3_1 => document,
        OpenApiVersion::V3_0 => older::converted(document),
    }
}

/// That the names of properties are text goes without saying.
fn without_noise(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.shift_remove("propertyNames");
            fields.values_mut().for_each(without_noise);
        }
        Value::Array(items) => items.iter_mut().for_each(without_noise),
        _ => {}
    }
}

/// The OpenAPI document as text, as it is served.
#[must_use]
pub fn document_text(version: OpenApiVersion, settings: &Settings) -> String {
    serde_json::to_string_pretty(&document(version, settings)).unwrap_or_default()
}

/// Which version is asked for.
pub(crate) struct VersionQuery(OpenApiVersion);

impl FromQuery for VersionQuery {
    fn from_query(reader: &mut Reader) -> Self {
        Self(match reader.choice("version", &["3.1", "3.0"], "3.1") {
            "3.0" => OpenApiVersion::V3_0,
            _ => OpenApiVersion::V3_1,
        })
    }
}

/// Answers with the document.
pub(crate) async fn served(
    State(state): State<AppState>,
    Query(VersionQuery(version)): Query<VersionQuery>,
) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], state.document(version))
}
