//! The OpenAPI document: ours from the first line on, so that no default of a library comes into it.

use sluice_domain::api_scope::ApiScope;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, HeaderBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem, RefOr,
    Required, Schema, ServerBuilder,
};
use utoipa::{IntoResponses as _, OpenApi as _, PartialSchema, ToSchema};

use crate::lists;
use crate::parameters::{optional, text};
use crate::problem::ProblemBody;
use crate::responses::{AccessProblems, AnyProblem, KeyProblems, QueryProblems, by_status};
use crate::routes::transfer;
use crate::{router, schema};

const DESCRIPTION: &str = "Sluice stores, validates and versions workflows, runs them so that nothing is lost, and \
    holds them at a gate until a person opens it.\n\nEvery path is served at the root and under `/api`, with and \
    without the slash at its end. Times are RFC 3339 in UTC; ids are opaque. Every answer carries the request's id \
    in `x-request-id` and \
    its place in a trace in `traceparent` (W3C Trace Context); every problem is `application/problem+json` (RFC 9457).";

pub(crate) const TAGS: [(&str, &str); 9] = [
    ("workflows", "Workflows: create, read, replace, copy and delete them."),
    ("versions", "Versions: every saved change of what executes, kept for ever."),
    ("runs", "Runs: start workflows, wait for them, look at them, cancel them."),
    ("pauses", "Pauses: the gates at which runs wait for a person, and the person's decisions."),
    ("batches", "Batches: one run a row, datasets of rows, and files of what the rows gave."),
    ("files", "Files: uploads that inputs of runs refer to."),
    ("catalogue", "The catalogue: the kinds of nodes and their configuration."),
    ("audit", "The audit log: who has changed what, and when."),
    ("health", "Health: whether the server and its store answer."),
];

/// The document of the interface as it is derived from the code; [`crate::document()`] is what is given out.
#[must_use]
pub(crate) fn openapi() -> OpenApi {
    let mut document = base();
    document.merge(router::Described::openapi());
    finish(&mut document);
    document
}

/// The document without its paths.
fn base() -> OpenApi {
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
    let mut components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .schema(ProblemBody::name(), ProblemBody::schema())
        .schema(schema::DrawingFormat::name(), schema::DrawingFormat::schema())
        .schema(transfer::Mode::name(), transfer::Mode::schema())
        .schemas_from_iter(lists::orders())
        .build();
    components.add_security_schemes_from_iter(security_schemes());
    OpenApiBuilder::new()
        .info(info)
        .tags(Some(TAGS.iter().map(tag).collect::<Vec<_>>()))
        .servers(Some([server("/", "This server."), server("/api", "This server, below /api.")]))
        .components(Some(components))
        .build()
}

/// The ways in which a key is sent.
fn security_schemes() -> [(&'static str, SecurityScheme); 2] {
    let mut bearer = Http::new(HttpAuthScheme::Bearer);
    bearer.description = Some(
        "An API key, made with `sluice keys create`. A call asks for the scope that is named with it. A server that \
         has no keys takes calls without one, from its own machine alone."
            .to_owned(),
    );
    let header = ApiKeyValue::with_description(
        "X-API-Key",
        "An API key, in a header of its own. It is sent in this way or as `bearer`, not in both.",
    );
    [("bearer", SecurityScheme::Http(bearer)), ("apiKey", SecurityScheme::ApiKey(ApiKey::Header(header)))]
}

/// Says what holds of every call, of every POST, and of lists, with which headers they come.
fn finish(document: &mut OpenApi) {
    let calls = router::operations();
    for item in document.paths.paths.values_mut() {
        for operation in operations_of(item) {
            ask_for_key(calls.scope(operation.operation_id.as_deref().unwrap_or_default()), operation);
            operation.responses.responses.extend(AnyProblem::responses());
            take_query(operation);
            tell_examples(operation);
        }
    }
    for operation in document.paths.paths.values_mut().filter_map(|item| item.get.as_mut()) {
        lists::declare_headers(operation);
    }
    for operation in document.paths.paths.values_mut().filter_map(|item| item.post.as_mut()) {
        name_optional_body(operation);
        take_key(operation);
    }
    for item in document.paths.paths.values_mut() {
        operations_of(item).for_each(|operation| by_status(&mut operation.responses));
    }
}

fn operations_of(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch].into_iter().flatten()
}

/// Says which scope a key needs for a call, and what comes of keys that don't fit.
fn ask_for_key(scope: Option<ApiScope>, operation: &mut Operation) {
    let Some(scope) = scope else {
        operation.security = Some(Vec::new());
        return;
    };
    operation.security =
        Some(["bearer", "apiKey"].map(|scheme| SecurityRequirement::new(scheme, [scope.as_str()])).into());
    operation.responses.responses.extend(AccessProblems::responses());
}

/// Says what comes of a query that doesn't fit.
fn take_query(operation: &mut Operation) {
    let mut parameters = operation.parameters.iter().flatten();
    if parameters.any(|known| matches!(known, RefOr::T(known) if known.parameter_in == ParameterIn::Query)) {
        operation.responses.responses.extend(QueryProblems::responses());
    }
}

/// Moves the example of what may be left out to its type: what stands beside it Swagger UI fills in and sends, and a list
/// would show nothing but what an example of a filter lets through.
fn tell_examples(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        let RefOr::T(known) = parameter else { continue };
        let example =
            serde_json::to_value(&*known).ok().and_then(|mut known| Some(known.get_mut("example")?.take()));
        if !matches!(known.required, Required::True)
            && let Some(RefOr::T(Schema::Object(object))) = &mut known.schema
        {
            object.examples.extend(example);
            *known = ParameterBuilder::from(std::mem::take(known)).example(None).build();
        }
    }
}

/// Says of a body that may be left out just that, and not that it may be `null`.
fn name_optional_body(operation: &mut Operation) {
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    for content in body.content.values_mut() {
        let RefOr::T(content) = content else { continue };
        if let Some(RefOr::T(Schema::OneOf(either))) = &content.schema {
            let named = either.items.iter().find(|item| matches!(item, RefOr::Ref(_))).cloned();
            content.schema = named.or_else(|| content.schema.clone());
        }
    }
}

/// Says that a call can be carried out once, and what comes of keys that don't fit.
fn take_key(operation: &mut Operation) {
    let key = ObjectBuilder::from(text("^[\\x21-\\x7e]+$")).min_length(Some(1)).max_length(Some(255));
    let description = "A key of the client's choice, such as a UUID, by which this request is carried out once: sent again \
        within 24 hours it gets the first answer again, with the header `Idempotency-Replayed`.";
    let parameter = optional(ParameterIn::Header, "Idempotency-Key", description, key.build());
    operation.parameters.get_or_insert_default().push(parameter.into());
    let replayed = HeaderBuilder::new()
        .description(Some(
            "`true` where the request was carried out before, and this is what it was answered then.",
        ))
        .schema(Some(ObjectBuilder::new().schema_type(Type::Boolean)))
        .build();
    for (status, answer) in &mut operation.responses.responses {
        if let RefOr::T(answer) = answer
            && status.starts_with('2')
        {
            answer.headers.insert("Idempotency-Replayed".to_owned(), replayed.clone().into());
        }
    }
    operation.responses.responses.extend(KeyProblems::responses());
}

#[cfg(test)]
#[path = "openapi_rules.rs"]
mod rules;
