//! The response headers of lists.

use utoipa::openapi::path::{Operation, Parameter};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{HeaderBuilder, RefOr};

/// Declares the pagination headers of an operation that returns a list.
pub(crate) fn declare(operation: &mut Operation) {
    let is_cursor_parameter =
        |parameter: &RefOr<Parameter>| matches!(parameter, RefOr::T(parameter) if parameter.name == "cursor");
    if !operation.parameters.iter().flatten().any(is_cursor_parameter) {
        return;
    }
    let Some(RefOr::T(response)) = operation.responses.responses.get_mut("200") else { return };
    for (name, kind, description) in [
        ("Link", Type::String, "Links to other pages (RFC 8288): `next`, `prev` and `first`, if they exist."),
        ("X-Next-Cursor", Type::String, "The `cursor` of the next page. Absent on the last page."),
        ("X-Total-Count", Type::Integer, "Number of items on all pages, if `count=true`."),
    ] {
        let schema = ObjectBuilder::new().schema_type(kind);
        let header = HeaderBuilder::new().description(Some(description)).schema(Some(schema)).build();
        response.headers.insert(name.to_owned(), header.into());
    }
}
