//! Parameters in the document, for what `utoipa`'s derive can't say.

use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::openapi::{Required, Schema};

/// A text without control characters.
pub(crate) const IN_ONE_LINE: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";

/// A text that fits a pattern.
pub(crate) fn text(pattern: &str) -> Object {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).build()
}

/// One that the path has.
pub(crate) fn in_path(name: &str, description: &str, schema: Object, example: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(description))
        .schema(Some(Schema::Object(schema)))
        .example(Some(example.into()))
        .build()
}

/// One that may be left out.
pub(crate) fn optional(place: ParameterIn, name: &str, description: &str, schema: Object) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(Schema::Object(schema)))
        .build()
}
