//! Parsing and validation of import bodies. The errors of all workflows are reported together.

use std::collections::HashSet;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use sluice_domain::transfer::{Form, Incoming};
use sluice_domain::validation::Code;
use sluice_domain::{Definition, json_limits, transfer, validation};
use sluice_nodes::NodeKinds;
use sluice_persistence::Import;
use utoipa::openapi::schema::AnyOfBuilder;
use utoipa::openapi::{ArrayBuilder, Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::error::{Problem, ProblemItem, ProblemKind, schema_errors};
use crate::extract::json::json_problem;
use crate::openapi::transfer_schemas::WorkflowDocument;
use crate::routes::diagnostic::Diagnostic;
use crate::routes::workflows::request::WorkflowCreateRequest;

/// The most problems that are listed.
const MAX_PROBLEMS: usize = 1_000;

/// A workflow that can be imported.
pub(super) struct ParsedWorkflow {
    /// The pointer to it in the body.
    pub(super) place: String,
    pub(super) import: Import,
    /// Warnings about the definition.
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// The workflows in a body; `name` is for those without one.
pub(super) fn parse_import(
    body: &[u8],
    name: Option<&str>,
    kinds: &NodeKinds,
) -> Result<Vec<ParsedWorkflow>, Problem> {
    check_count(body)?;
    json_limits::check_documents(body).map_err(|error| json_problem(&error))?;
    let (mut parsed, mut errors) = (Vec::new(), Vec::new());
    for (place, json) in split_body(body)? {
        match parse_workflow(&json, kinds) {
            Ok((mut incoming, found)) => {
                incoming.name = incoming.name.or_else(|| name.map(str::to_owned));
                let diagnostics =
                    found.into_iter().map(|one| Diagnostic::from(with_prefix(one, &place))).collect();
                parsed.push(ParsedWorkflow { place, import: incoming.into(), diagnostics });
            }
            Err(found) => errors.extend(found.into_iter().map(|mut item| {
                item.pointer.insert_str(0, &place);
                item
            })),
        }
    }
    if errors.is_empty() {
        return Ok(parsed);
    }
    let is_of_definition = |item: &ProblemItem| {
        Code::ALL.iter().any(|code| code.as_str() == item.code && *code != Code::ShapeInvalid)
    };
    let kind = if errors.iter().any(is_of_definition) {
        ProblemKind::InvalidDefinition
    } else {
        ProblemKind::InvalidBody
    };
    errors.truncate(MAX_PROBLEMS);
    Err(Problem::invalid(kind, errors))
}

fn with_prefix(mut diagnostic: validation::Diagnostic, place: &str) -> validation::Diagnostic {
    diagnostic.prepend_pointer(place);
    diagnostic
}

/// Rejects a list of too many workflows before parsing the rest.
fn check_count(body: &[u8]) -> Result<(), Problem> {
    struct Count<'a>(&'a mut usize);

    impl<'de> Visitor<'de> for Count<'_> {
        type Value = ();

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
            while *self.0 <= MAX_IMPORT && list.next_element::<IgnoredAny>()?.is_some() {
                *self.0 += 1;
            }
            Ok(())
        }
    }

    let mut count = 0;
    // A longer list, or a body that is not a list, is also an error here. The caller parses it and reports that.
    let _ = serde_json::Deserializer::from_slice(body).deserialize_seq(Count(&mut count));
    if count <= MAX_IMPORT {
        return Ok(());
    }
    let detail = format!("The list has more than {MAX_IMPORT} items. Split it into several imports.");
    Err(Problem::invalid(ProblemKind::InvalidBody, vec![ProblemItem::new("", "length", detail)]))
}

/// Each workflow of a body as text, with the pointer to it.
fn split_body(body: &[u8]) -> Result<Vec<(String, String)>, Problem> {
    let parsed: Box<RawValue> = serde_json::from_slice(body).map_err(|error| json_problem(&error))?;
    if !parsed.get().starts_with('[') {
        return Ok(vec![(String::new(), parsed.get().to_owned())]);
    }
    let parts: Vec<Box<RawValue>> =
        serde_json::from_str(parsed.get()).map_err(|error| json_problem(&error))?;
    let places = (0..parts.len()).map(|index| format!("/{index}"));
    Ok(places.zip(parts.iter().map(|part| part.get().to_owned())).collect())
}

/// A workflow and what looks wrong with it, or what is wrong with it.
fn parse_workflow(
    json: &str,
    kinds: &NodeKinds,
) -> Result<(Incoming, Vec<validation::Diagnostic>), Vec<ProblemItem>> {
    let (incoming, found) = match transfer::read(json) {
        Ok(incoming) => {
            let found = incoming.diagnose(kinds);
            (Some(incoming), found)
        }
        Err(misfit) => (None, vec![*misfit]),
    };
    match incoming {
        Some(incoming) if !found.iter().any(validation::Diagnostic::is_error) => Ok((incoming, found)),
        Some(_) => Err(error_items(json, found)),
        // Reading stopped at the first part of another form; the schemas of the document know them all.
        None => Err(Some(schema_errors_of(json))
            .filter(|items| !items.is_empty())
            .unwrap_or_else(|| found.into_iter().map(problem_item).collect())),
    }
}

/// Converts diagnostics to problem items, one per location.
fn error_items(json: &str, found: Vec<validation::Diagnostic>) -> Vec<ProblemItem> {
    let errors: Vec<_> = found.into_iter().filter(validation::Diagnostic::is_error).collect();
    let is_misshapen = errors.iter().any(|one| one.code == Code::ShapeInvalid);
    let mut items = if is_misshapen { schema_errors_of(json) } else { Vec::new() };
    let told: HashSet<String> = items.iter().map(|item| item.pointer.clone()).collect();
    let is_new =
        |one: &validation::Diagnostic| one.code != Code::ShapeInvalid || !told.contains(&one.pointer);
    items.extend(errors.into_iter().filter(is_new).map(problem_item));
    items
}

fn schema_errors_of(json: &str) -> Vec<ProblemItem> {
    if json.len() > schema_errors::MAX_VALIDATED_BYTES {
        return Vec::new();
    }
    let body: Value = serde_json::from_str(json).unwrap_or_default();
    match transfer::form(json) {
        Some(Form::Document) => schema_errors::validate::<WorkflowDocument>(&body),
        Some(Form::Request) => schema_errors::validate::<WorkflowCreateRequest>(&body),
        Some(Form::Plain) => schema_errors::validate::<Definition>(&body),
        None => vec![ProblemItem::new("", "type", "A workflow must be an object.")],
    }
}

fn problem_item(diagnostic: validation::Diagnostic) -> ProblemItem {
    let validation::Diagnostic { code, pointer, node_id, message, .. } = diagnostic;
    ProblemItem { pointer, code: code.as_str().to_owned(), detail: message, node_id }
}

/// A workflow to import, in any supported form, or a list of them. This type only describes the body, which is read
/// as text.
pub(crate) struct ImportRequest;

/// The name of the schema of one workflow to be imported.
const ITEM: &str = "ImportItem";

/// The name of the schema of a list of them.
const LIST: &str = "ImportList";

fn any_of(description: &str) -> AnyOfBuilder {
    AnyOfBuilder::new()
        .description(Some(description))
        .item(Ref::from_schema_name(WorkflowDocument::name()))
        .item(Ref::from_schema_name(WorkflowCreateRequest::name()))
        .item(Ref::from_schema_name(Definition::name()))
}

impl PartialSchema for ImportRequest {
    fn schema() -> RefOr<Schema> {
        let forms = any_of("A workflow to import, in any supported form, or a list of them.")
            .item(Ref::from_schema_name(LIST));
        Schema::AnyOf(forms.build()).into()
    }
}

impl ToSchema for ImportRequest {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        let item = any_of("An exported document, the body of createWorkflow, or a bare definition.");
        schemas.push((ITEM.to_owned(), Schema::AnyOf(item.build()).into()));
        let list = ArrayBuilder::new()
            .description(Some("Workflows to import, all or none."))
            .items(Ref::from_schema_name(ITEM))
            .max_items(Some(MAX_IMPORT));
        schemas.push((LIST.to_owned(), Schema::Array(list.build()).into()));
    }
}

/// The most workflows of one import.
pub(crate) const MAX_IMPORT: usize = 100;
