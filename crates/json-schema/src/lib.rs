//! JSON Schema validation: a layer without type parameters over [`jsonschema`].
//!
//! Validators of `jsonschema` are generic over the representation of JSON, so every crate that compiles a schema gets
//! its own copy of their machine code, 1.5 MB each. This crate is the only one that calls them. It is built with
//! `opt-level = 1`, at which rustc reuses the copy in `jsonschema` itself.

use serde_json::Value;

pub use jsonschema::ValidationError;
pub use jsonschema::error::{TypeKind, ValidationErrorKind};
pub use jsonschema::types::JsonType;

/// A compiled schema.
#[derive(Debug)]
pub struct Validator(jsonschema::Validator);

impl Validator {
    /// Compiles a schema. References to other hosts and to files are errors: nothing is fetched.
    ///
    /// # Errors
    /// The first reason why `schema` can't be used.
    pub fn new(schema: &Value) -> Result<Self, ValidationError<'static>> {
        compile(schema, false)
    }

    /// Like [`new`](Self::new), but the validator also checks `format`.
    ///
    /// # Errors
    /// See [`new`](Self::new).
    pub fn with_formats(schema: &Value) -> Result<Self, ValidationError<'static>> {
        compile(schema, true)
    }

    /// Every violation of the schema in `instance`.
    #[must_use]
    #[inline(never)]
    pub fn errors<'i>(&'i self, instance: &'i Value) -> Vec<ValidationError<'i>> {
        self.0.iter_errors(instance).collect()
    }
}

#[inline(never)]
fn compile(schema: &Value, checks_formats: bool) -> Result<Validator, ValidationError<'static>> {
    let mut options = jsonschema::options().offline();
    if checks_formats {
        options = options.should_validate_formats(true);
    }
    options.build(schema).map(Validator)
}

/// Checks that `schema` is valid in the dialect that it names.
///
/// # Errors
/// The first violation.
pub fn check_schema(schema: &Value) -> Result<(), ValidationError<'_>> {
    jsonschema::meta::validate(schema)
}
