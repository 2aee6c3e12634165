//! Tests of the OpenAPI document and of what is made from it: the examples, the clients and `/docs`.

mod docs_page;
mod openapi;
mod openapi_examples;
mod sdks;
