//! From the body of an import to the workflows in it, every problem of all of them found at once.

use std::collections::HashSet;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use sluice_domain::json_limits;
use sluice_domain::transfer::{self, Form, Incoming};
use sluice_domain::validation::{self, Code};
use sluice_nodes::NodeKinds;
use sluice_persistence::Import;

use super::MAX_IMPORT;
use super::shapes::WorkflowDocument;
use crate::extract::{refused, shape};
use crate::problem::{Kind, Problem, ProblemItem};
use crate::routes::validation::Diagnostic;
use crate::routes::workflows::WorkflowCreateRequest;
use crate::schema;

/// The most problems that are listed.
const MAX_PROBLEMS: usize = 1_000;

/// A workflow that can be imported.
pub(super) struct Taken {
    /// The pointer to it in the body.
    pub(super) place: String,
    pub(super) import: Import,
    /// What looks wrong with it.
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// The workflows in a body; `name` is for those without one.
pub(super) fn take(body: &[u8], name: Option<&str>, kinds: &NodeKinds) -> Result<Vec<Taken>, Problem> {
    check_count(body)?;
    json_limits::check_documents(body).map_err(|error| refused(&error))?;
    let (mut taken, mut wrong) = (Vec::new(), Vec::new());
    for (place, json) in parts(body)? {
        match one(&json, kinds) {
            Ok((mut incoming, found)) => {
                incoming.name = incoming.name.or_else(|| name.map(str::to_owned));
                let diagnostics = found.into_iter().map(|one| Diagnostic::from(below(one, &place))).collect();
                taken.push(Taken { place, import: incoming.into(), diagnostics });
            }
            Err(found) => wrong.extend(found.into_iter().map(|mut item| {
                item.pointer.insert_str(0, &place);
                item
            })),
        }
    }
    if wrong.is_empty() {
        return Ok(taken);
    }
    let is_of_definition = |item: &ProblemItem| {
        Code::ALL.iter().any(|code| code.as_str() == item.code && *code != Code::ShapeInvalid)
    };
    let kind = if wrong.iter().any(is_of_definition) { Kind::InvalidDefinition } else { Kind::InvalidBody };
    wrong.truncate(MAX_PROBLEMS);
    Err(Problem::invalid(kind, wrong))
}

fn below(mut diagnostic: validation::Diagnostic, place: &str) -> validation::Diagnostic {
    diagnostic.prepend_pointer(place);
    diagnostic
}

/// Refuses a list of too many workflows, before the rest of it is read.
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
    // An error is that the list goes on, or is none: whoever reads it tells of that.
    let _ = serde_json::Deserializer::from_slice(body).deserialize_seq(Count(&mut count));
    if count <= MAX_IMPORT {
        return Ok(());
    }
    let detail = format!("This list has more than {MAX_IMPORT} items. Import the others on their own.");
    Err(Problem::invalid(Kind::InvalidBody, vec![ProblemItem::new("", "length", detail)]))
}

/// Each workflow of a body as text, with the pointer to it.
fn parts(body: &[u8]) -> Result<Vec<(String, String)>, Problem> {
    let parsed: Box<RawValue> = serde_json::from_slice(body).map_err(|error| refused(&error))?;
    if !parsed.get().starts_with('[') {
        return Ok(vec![(String::new(), parsed.get().to_owned())]);
    }
    let parts: Vec<Box<RawValue>> = serde_json::from_str(parsed.get()).map_err(|error| refused(&error))?;
    let places = (0..parts.len()).map(|index| format!("/{index}"));
    Ok(places.zip(parts.iter().map(|part| part.get().to_owned())).collect())
}

/// A workflow and what looks wrong with it, or what is wrong with it.
fn one(json: &str, kinds: &NodeKinds) -> Result<(Incoming, Vec<validation::Diagnostic>), Vec<ProblemItem>> {
    let (incoming, found) = match transfer::read(json) {
        Ok(incoming) => {
            let found = incoming.diagnose(kinds);
            (Some(incoming), found)
        }
        Err(misfit) => (None, vec![*misfit]),
    };
    match incoming {
        Some(incoming) if !found.iter().any(validation::Diagnostic::is_error) => Ok((incoming, found)),
        Some(_) => Err(problems(json, found)),
        // Reading stopped at the first part of another form; the schemas of the document know them all.
        None => Err(Some(misshapes(json))
            .filter(|items| !items.is_empty())
            .unwrap_or_else(|| found.into_iter().map(item).collect())),
    }
}

/// What is wrong in what could be read, each place once.
fn problems(json: &str, found: Vec<validation::Diagnostic>) -> Vec<ProblemItem> {
    let errors: Vec<_> = found.into_iter().filter(validation::Diagnostic::is_error).collect();
    let is_misshapen = errors.iter().any(|one| one.code == Code::ShapeInvalid);
    let mut items = if is_misshapen { misshapes(json) } else { Vec::new() };
    let told: HashSet<String> = items.iter().map(|item| item.pointer.clone()).collect();
    let is_new =
        |one: &validation::Diagnostic| one.code != Code::ShapeInvalid || !told.contains(&one.pointer);
    items.extend(errors.into_iter().filter(is_new).map(item));
    items
}

fn misshapes(json: &str) -> Vec<ProblemItem> {
    if json.len() > shape::MAX_BODY {
        return Vec::new();
    }
    let body: Value = serde_json::from_str(json).unwrap_or_default();
    match transfer::form(json) {
        Some(Form::Document) => shape::problems::<WorkflowDocument>(&body),
        Some(Form::Request) => shape::problems::<WorkflowCreateRequest>(&body),
        Some(Form::Plain) => shape::problems::<schema::WorkflowDefinition>(&body),
        None => vec![ProblemItem::new("", "type", "A workflow must be an object.")],
    }
}

fn item(diagnostic: validation::Diagnostic) -> ProblemItem {
    let validation::Diagnostic { code, pointer, node_id, message, .. } = diagnostic;
    ProblemItem { pointer, code: code.as_str().to_owned(), detail: message, node_id }
}
