//! Builds the OpenAPI document from the descriptions of the handlers.

use serde_json::{Map, Value, json};
use sluice_domain::api_scope::ApiScope;
use sluice_domain::draw::DrawingFormat;
use sluice_domain::naming::MAX_TAG_LENGTH;
use sluice_domain::transfer::ImportMode;
use sluice_persistence::{IDEMPOTENCY_RETENTION, MAX_IDEMPOTENCY_KEY_LENGTH};
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
use utoipa::{IntoResponses as _, PartialSchema, ToSchema};

use crate::error::ProblemBody;
use crate::error::responses::{
    AccessProblems, AnyProblem, IdempotencyProblems, QueryProblems, merge_by_status,
};
use crate::openapi::params::{optional_parameter, text_schema};
use crate::openapi::{OpenApiVersion, list_headers, merge_variants, node_kinds, v3_0};
use crate::operations::Operations;
use crate::patterns::ONE_LINE;

const DESCRIPTION: &str = "Sluice stores, validates, versions and runs workflows. A run survives crashes and \
    restarts. At a gate (a node of the type `HumanInterventionNode`), it waits for the decision of a person.\n\n\
    Every path is served at the root and under `/api`. A trailing slash is optional, except for `/healthz` and \
    `/readyz`, which must not have one. Times in responses are RFC 3339 in UTC. Treat UUIDs as opaque. Every \
    response has the request id in `x-request-id` and the trace context in `traceparent` (W3C Trace Context). \
    Errors are `application/problem+json` (RFC 9457).";

pub(crate) const TAGS: [(&str, &str); 9] = [
    ("workflows", "Create, read, replace, copy and delete workflows."),
    (
        "versions",
        "Versions and labels. A change to the definition creates a new version. Changes to only the name, \
         description, tags or layout (coordinates, dimensions, test inputs) do not.",
    ),
    ("runs", "Start, wait for, read and cancel runs."),
    ("pauses", "Pauses at gates, and the decisions on them."),
    ("batches", "Batches with one run per row, datasets and output files."),
    ("files", "Uploaded files for inputs of runs."),
    ("catalogue", "Node types and their config."),
    ("audit", "The audit log: changes and their authors."),
    ("health", "Liveness and readiness."),
];

/// Builds the document from the descriptions of the handlers.
pub(crate) fn build(handlers: OpenApi, operations: &Operations, version: OpenApiVersion) -> Value {
    let mut document = base();
    document.merge(handlers);
    complete(&mut document, operations);
    let mut document = serde_json::to_value(document).unwrap_or_default();
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        node_kinds::describe(schemas);
        merge_variants::merge(schemas);
        describe_tags(schemas);
    }
    remove_property_names(&mut document["components"]);
    remove_property_names(&mut document["paths"]);
    match version {
        OpenApiVersion::V3_1 => document,
        OpenApiVersion::V3_0 => v3_0::convert(document),
    }
}

/// Returns the document without its paths.
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
    let server =
        |url: &str, description: &str| ServerBuilder::new().url(url).description(Some(description)).build();
    let mut schemas = Vec::new();
    ProblemBody::schemas(&mut schemas);
    let mut components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .schema(ProblemBody::name(), ProblemBody::schema())
        .schema(DrawingFormat::name(), DrawingFormat::schema())
        .schema(ImportMode::name(), ImportMode::schema())
        .build();
    components.add_security_schemes_from_iter(security_schemes());
    OpenApiBuilder::new()
        .info(info)
        .tags(Some(TAGS.iter().map(tag).collect::<Vec<_>>()))
        .servers(Some([server("/", "This server."), server("/api", "This server, under /api.")]))
        .components(Some(components))
        .build()
}

/// Returns the ways to send a key.
fn security_schemes() -> [(&'static str, SecurityScheme); 2] {
    let mut bearer = Http::new(HttpAuthScheme::Bearer);
    bearer.description = Some(
        "An API key, created with `sluice keys create`. Each operation lists the scope that it requires. A \
         server without API keys accepts unauthenticated requests from its own machine. A server with \
         `--insecure-no-auth` accepts them from everywhere."
            .to_owned(),
    );
    let header = ApiKeyValue::with_description(
        "X-API-Key",
        "An API key in a separate header. Send it either here or as `bearer`.",
    );
    [("bearer", SecurityScheme::Http(bearer)), ("apiKey", SecurityScheme::ApiKey(ApiKey::Header(header)))]
}

/// Removes `propertyNames` schemas that only state that names are strings.
fn remove_property_names(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.shift_remove("propertyNames");
            fields.values_mut().for_each(remove_property_names);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_property_names),
        _ => {}
    }
}

/// Adds the schema of a tag. The derive macro has no attributes for the items of a list.
fn describe_tags(schemas: &mut Map<String, Value>) {
    for schema in ["WorkflowCreateRequest", "WorkflowReplaceRequest", "WorkflowPatch", "WorkflowDocument"] {
        if let Some(tags) = schemas.get_mut(schema).and_then(|schema| schema.pointer_mut("/properties/tags"))
        {
            tags["uniqueItems"] = true.into();
            tags["items"] =
                json!({"type": "string", "minLength": 1, "maxLength": MAX_TAG_LENGTH, "pattern": ONE_LINE});
        }
    }
}

/// Adds the shared parts of operations: security, common problems, headers of lists, and idempotency keys.
fn complete(document: &mut OpenApi, operations: &Operations) {
    for item in document.paths.paths.values_mut() {
        for operation in operations_of(item) {
            declare_security(
                operations.scope(operation.operation_id.as_deref().unwrap_or_default()),
                operation,
            );
            operation.responses.responses.extend(AnyProblem::responses());
            declare_query_problems(operation);
            move_examples(operation);
        }
    }
    for operation in document.paths.paths.values_mut().filter_map(|item| item.get.as_mut()) {
        list_headers::declare(operation);
    }
    for operation in document.paths.paths.values_mut().filter_map(|item| item.post.as_mut()) {
        simplify_optional_body(operation);
        declare_idempotency_key(operation);
    }
    for item in document.paths.paths.values_mut() {
        operations_of(item).for_each(|operation| merge_by_status(&mut operation.responses));
    }
}

fn operations_of(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch].into_iter().flatten()
}

/// Declares the required scope of an operation, and the problems of missing and insufficient keys.
fn declare_security(scope: Option<ApiScope>, operation: &mut Operation) {
    let Some(scope) = scope else {
        operation.security = Some(Vec::new());
        return;
    };
    operation.security =
        Some(["bearer", "apiKey"].map(|scheme| SecurityRequirement::new(scheme, [scope.as_str()])).into());
    operation.responses.responses.extend(AccessProblems::responses());
}

/// Declares the problem of an invalid query.
fn declare_query_problems(operation: &mut Operation) {
    let mut parameters = operation.parameters.iter().flatten();
    if parameters.any(
        |parameter| matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query),
    ) {
        operation.responses.responses.extend(QueryProblems::responses());
    }
}

/// Moves the example of an optional parameter to its schema. Swagger UI would send an example of the parameter itself,
/// and a list would show only what the example of a filter matches.
fn move_examples(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        let RefOr::T(parameter) = parameter else { continue };
        let example = serde_json::to_value(&*parameter)
            .ok()
            .and_then(|mut parameter| Some(parameter.get_mut("example")?.take()));
        if !matches!(parameter.required, Required::True)
            && let Some(RefOr::T(Schema::Object(object))) = &mut parameter.schema
        {
            object.examples.extend(example);
            *parameter = ParameterBuilder::from(std::mem::take(parameter)).example(None).build();
        }
    }
}

/// Removes `null` from the schema of an optional body. The body may be absent, but not `null`.
fn simplify_optional_body(operation: &mut Operation) {
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    for content in body.content.values_mut() {
        let RefOr::T(content) = content else { continue };
        if let Some(RefOr::T(Schema::OneOf(alternatives))) = &content.schema {
            let named_schema = alternatives.items.iter().find(|item| matches!(item, RefOr::Ref(_))).cloned();
            content.schema = named_schema.or_else(|| content.schema.clone());
        }
    }
}

/// Declares the header `Idempotency-Key` and its problems.
fn declare_idempotency_key(operation: &mut Operation) {
    let key = ObjectBuilder::from(text_schema("^[\\x21-\\x7e]+$"))
        .min_length(Some(1))
        .max_length(Some(MAX_IDEMPOTENCY_KEY_LENGTH));
    let description = format!(
        "Idempotency key: a unique string that the client chooses, such as a UUID. If a request has taken \
         effect, a repetition within {} hours is not executed again. It gets the stored response, with the header \
         `Idempotency-Replayed`. A rejected request (4xx) is executed again. Exception: after a 424 the run exists, \
         so use a new key to start another.",
        IDEMPOTENCY_RETENTION.num_hours()
    );
    let parameter = optional_parameter(ParameterIn::Header, "Idempotency-Key", &description, key.build());
    operation.parameters.get_or_insert_default().push(parameter.into());
    let replayed = HeaderBuilder::new()
        .description(Some(
            "`true` if this is the stored response of an earlier request with the same `Idempotency-Key`.",
        ))
        .schema(Some(ObjectBuilder::new().schema_type(Type::Boolean)))
        .build();
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.starts_with('2')
        {
            response.headers.insert("Idempotency-Replayed".to_owned(), replayed.clone().into());
        }
    }
    operation.responses.responses.extend(IdempotencyProblems::responses());
}
