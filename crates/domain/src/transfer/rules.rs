//! The rules for documents.

use std::collections::HashSet;

use chrono::Datelike as _;

use super::{DocumentLabel, DocumentVersion, ImportForm, MAX_VERSIONS, WorkflowDocument, depth};
use crate::json_limits::MAX_DEPTH;
use crate::validation::{self, Catalog, Code, Diagnostic, MAX_DIAGNOSTICS};
use crate::{Definition, naming};

/// The highest version number in an import. It leaves room for later versions, up to 999,999,999.
pub const MAX_VERSION_NUMBER: i32 = 900_000_000;

impl WorkflowDocument {
    /// Returns the errors, warnings and hints of the document, errors first. Pointers refer to its text.
    #[must_use]
    pub fn diagnose(&self, catalog: &dyn Catalog) -> Vec<Diagnostic> {
        let mut checker = Checker::default();
        checker.check_members(self);
        let pointer = if self.form == ImportForm::Definition { "" } else { "/definition" };
        let diagnostics = validation::diagnose(&self.definition, catalog);
        checker.add_definition(&self.definition, diagnostics, pointer);
        for (index, version) in self.versions.iter().flatten().enumerate() {
            if checker.found.len() > MAX_DIAGNOSTICS {
                break;
            }
            let diagnostics = validation::validate(&version.definition, catalog);
            let pointer = format!("/versions/{index}/definition");
            checker.add_definition(&version.definition, diagnostics, &pointer);
        }
        let mut found = checker.found;
        found.sort_by_key(Diagnostic::severity);
        validation::truncate(&mut found);
        found
    }
}

/// Collects diagnostics.
#[derive(Default)]
struct Checker {
    found: Vec<Diagnostic>,
}

impl Checker {
    /// Checks everything outside of the definitions.
    fn check_members(&mut self, document: &WorkflowDocument) {
        // Requests and bare definitions may have no name.
        if document.form == ImportForm::Document || !document.name.is_empty() {
            self.check_name("/name".to_owned(), &document.name);
        }
        let description = document.description.as_ref().and_then(Option::as_deref);
        self.check_length("/description".to_owned(), description, naming::MAX_DESCRIPTION_LENGTH);
        let has_valid_tags = document.tags.as_deref().is_none_or(naming::are_valid_tags);
        self.require(has_valid_tags, "/tags".to_owned(), &naming::TAGS_RULE);
        let versions = document.versions.as_deref().unwrap_or_default();
        self.check_versions(versions);
        self.check_labels(document.labels.as_deref().unwrap_or_default(), versions);
    }

    fn check_versions(&mut self, versions: &[DocumentVersion]) {
        let rule = format!("The document has more than {MAX_VERSIONS} versions. Remove the earliest.");
        self.require(versions.len() <= MAX_VERSIONS, "/versions".to_owned(), &rule);
        let mut number = versions.first().map_or(1, |first| first.version.max(1));
        for (index, version) in versions.iter().enumerate() {
            if self.found.len() > MAX_DIAGNOSTICS {
                return;
            }
            let pointer = |member: &str| format!("/versions/{index}/{member}");
            let rule =
                format!("Version numbers must be consecutive, ascending, from 1 to {MAX_VERSION_NUMBER}.");
            self.require(
                version.version == number && number <= MAX_VERSION_NUMBER,
                pointer("version"),
                &rule,
            );
            number = version.version.saturating_add(1);
            self.check_name(pointer("name"), &version.name);
            for (member, text, max) in [
                ("description", &version.description, naming::MAX_DESCRIPTION_LENGTH),
                ("note", &version.note, naming::MAX_NOTE_LENGTH),
                ("created_by", &version.created_by, naming::MAX_NAME_LENGTH),
            ] {
                self.check_length(pointer(member), text.as_deref(), max);
            }
            // SQLite stores times as text with four digits for the year.
            let has_valid_year = (1..=9999).contains(&version.created_at.year());
            self.require(has_valid_year, pointer("created_at"), "The year must be from 1 to 9999.");
        }
    }

    fn check_labels(&mut self, labels: &[DocumentLabel], versions: &[DocumentVersion]) {
        let rule = format!("The document has more than {} labels. Remove some.", naming::MAX_LABELS);
        self.require(labels.len() <= naming::MAX_LABELS, "/labels".to_owned(), &rule);
        let label_rule = format!("{} Each label must occur once.", *naming::LABEL_RULE);
        let version_rule = "The document has no version with this number. Add it, or remove the label.";
        let numbers: HashSet<i32> = versions.iter().map(|version| version.version).collect();
        let mut names = HashSet::new();
        for (index, DocumentLabel { label, version, .. }) in labels.iter().enumerate() {
            let is_valid = naming::is_valid_label(label) && names.insert(label);
            self.require(is_valid, format!("/labels/{index}/label"), &label_rule);
            self.require(numbers.contains(version), format!("/labels/{index}/version"), version_rule);
        }
    }

    fn check_name(&mut self, pointer: String, name: &str) {
        let is_valid = !name.is_empty() && !name.contains(char::is_control);
        self.require(is_valid, pointer.clone(), &naming::NAME_RULE);
        self.check_length(pointer, Some(name), naming::MAX_NAME_LENGTH);
    }

    fn check_length(&mut self, pointer: String, text: Option<&str>, max: usize) {
        if text.is_some_and(|text| text.chars().count() > max) {
            let message = format!("The text has more than {max} characters. Shorten it.");
            self.found.push(Diagnostic::new(Code::TextTooLong, pointer, message));
        }
    }

    fn require(&mut self, is_valid: bool, pointer: String, rule: &str) {
        if !is_valid {
            self.found.push(Diagnostic::new(Code::ShapeInvalid, pointer, rule));
        }
    }

    /// Adds the diagnostics of the definition at a pointer. Its depth is limited so that a request can contain it.
    fn add_definition(&mut self, definition: &Definition, diagnostics: Vec<Diagnostic>, pointer: &str) {
        if depth(&definition.to_json()) >= MAX_DEPTH {
            let message =
                format!("The definition is nested more than {} levels deep. Flatten it.", MAX_DEPTH - 1);
            self.found.push(Diagnostic::new(Code::JsonTooDeep, pointer, message));
        }
        self.found.extend(diagnostics.into_iter().map(|mut diagnostic| {
            diagnostic.prepend_pointer(pointer);
            diagnostic
        }));
    }
}
