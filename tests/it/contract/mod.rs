//! Tests of the OpenAPI document, the clients generated from it, and `/docs`.

mod docs_page;
mod openapi;
mod openapi_examples;
mod sdks;
