//! The OpenAPI document: ours from the first line on, so that no default of a library comes into it.

use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, RefOr, Schema, ServerBuilder,
};
use utoipa::{PartialSchema, ToSchema};

use crate::lists;
use crate::problem::ProblemBody;

const DESCRIPTION: &str = "Sluice stores, validates and versions workflows, runs them so that nothing is lost, and \
    holds them at a gate until a person opens it.\n\nEvery path is served at the root and under `/api`, with and \
    without the slash at its end. Times are RFC 3339 in UTC; ids are opaque. Every answer carries the request's id \
    in `x-request-id`; every problem is `application/problem+json` (RFC 9457).";

pub(crate) const TAGS: [(&str, &str); 8] = [
    ("workflows", "Workflows: create, read, replace, copy and delete them."),
    ("versions", "Versions: every saved change of what executes, kept for ever."),
    ("runs", "Runs: start workflows, wait for them, look at them, cancel them."),
    ("pauses", "Pauses: the gates at which runs wait for a person, and the person's decisions."),
    ("batches", "Batches: one run a row, datasets of rows, and files of what the rows gave."),
    ("files", "Files: uploads that inputs of runs refer to."),
    ("catalogue", "The catalogue: the kinds of nodes and their configuration."),
    ("health", "Health: whether the server and its store answer."),
];

/// The whole document of the interface.
#[must_use]
pub fn openapi() -> OpenApi {
    crate::router::routes().into_openapi()
}

/// The document without its paths.
pub(crate) fn base() -> OpenApi {
    let license =
        LicenseBuilder::new().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0")).build();
    let info = InfoBuilder::new()
        .title("Sluice")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(license))
        .build();
    let tag = |(name, description): &(&str, &str)| {
        TagBuilder::new().name(*name).description(Some(*description)).build()
    };
    let server = |url: &str, what: &str| ServerBuilder::new().url(url).description(Some(what)).build();
    let mut schemas = Vec::new();
    ProblemBody::schemas(&mut schemas);
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .schema(ProblemBody::name(), ProblemBody::schema())
        .build();
    OpenApiBuilder::new()
        .info(info)
        .tags(Some(TAGS.iter().map(tag).collect::<Vec<_>>()))
        .servers(Some([server("/", "This server."), server("/api", "This server, below /api.")]))
        // No call asks who the caller is: that is said, not left out.
        .security(Some(Vec::<SecurityRequirement>::new()))
        .components(Some(components))
        .build()
}

/// Says of bodies that may be left out just that, and not that they may be `null`; of lists, with which headers they
/// come.
pub(crate) fn finish(document: &mut OpenApi) {
    for operation in document.paths.paths.values_mut().filter_map(|item| item.get.as_mut()) {
        lists::declare_headers(operation);
    }
    let operations = document.paths.paths.values_mut().filter_map(|item| item.post.as_mut());
    for operation in operations {
        let Some(RefOr::T(body)) = &mut operation.request_body else { continue };
        for content in body.content.values_mut() {
            let RefOr::T(content) = content else { continue };
            if let Some(RefOr::T(Schema::OneOf(either))) = &content.schema {
                let named = either.items.iter().find(|item| matches!(item, RefOr::Ref(_))).cloned();
                content.schema = named.or_else(|| content.schema.clone());
            }
        }
    }
}

#[cfg(test)]
#[path = "openapi_rules.rs"]
mod rules;
