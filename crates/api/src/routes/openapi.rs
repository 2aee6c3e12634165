//! `GET /openapi.json`

use std::sync::{Arc, OnceLock};

use axum::Extension;
use axum::body::Bytes;
use axum::http::header;
use axum::response::IntoResponse;

use crate::extract::query::{FromQuery, Query, QueryReader};
use crate::openapi::OpenApiVersion;

/// The OpenAPI documents, each built when it is first requested.
#[derive(Debug)]
pub(crate) struct Documents {
    build: fn(OpenApiVersion) -> String,
    v3_1: OnceLock<Bytes>,
    v3_0: OnceLock<Bytes>,
}

impl Documents {
    pub(crate) fn new(build: fn(OpenApiVersion) -> String) -> Self {
        Self { build, v3_1: OnceLock::new(), v3_0: OnceLock::new() }
    }

    fn get(&self, version: OpenApiVersion) -> Bytes {
        let document = match version {
            OpenApiVersion::V3_1 => &self.v3_1,
            OpenApiVersion::V3_0 => &self.v3_0,
        };
        document.get_or_init(|| (self.build)(version).into()).clone()
    }
}

/// The query parameter `version`.
pub(crate) struct VersionQuery(OpenApiVersion);

impl FromQuery for VersionQuery {
    fn from_query(reader: &mut QueryReader) -> Self {
        Self(match reader.choice("version", &["3.1", "3.0"], "3.1") {
            "3.0" => OpenApiVersion::V3_0,
            _ => OpenApiVersion::V3_1,
        })
    }
}

pub(crate) async fn document_get(
    Extension(documents): Extension<Arc<Documents>>,
    Query(VersionQuery(version)): Query<VersionQuery>,
) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], documents.get(version))
}
