use std::collections::HashSet;

use chrono::{DateTime, Datelike as _, Utc};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use uuid::Uuid;

use crate::strict_object::strict_object;

use super::{FORMAT, FORMAT_VERSION, MAX_LABELS, MAX_VERSIONS, checksum, compact, depth};
use crate::json_limits::MAX_DEPTH;
use crate::validation::{self, Catalog, Code, Diagnostic, MAX_DIAGNOSTICS};
use crate::{Definition, naming};

/// The form of an imported workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// An exported document.
    Document,
    /// The body of a create request.
    Request,
    /// A definition alone.
    Plain,
}

/// An imported workflow.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// The form of the text.
    pub form: Form,
    /// The id on the exporting server.
    pub id: Option<Uuid>,
    /// The name; none if absent.
    pub name: Option<String>,
    /// The description; none if absent.
    pub description: Option<Option<String>>,
    /// The tags; none if absent.
    pub tags: Option<Vec<String>>,
    /// The definition in its stored form.
    pub definition: Definition,
    /// The history, earliest version first.
    pub versions: Vec<IncomingVersion>,
    /// The labels.
    pub labels: Vec<IncomingLabel>,
}

/// A version of an imported workflow.
#[derive(Clone, Debug, Deserialize)]
#[serde(remote = "Self")]
pub struct IncomingVersion {
    /// The version number.
    pub version: i32,
    /// The name of the workflow.
    pub name: String,
    /// The description of the workflow.
    #[serde(default)]
    pub description: Option<String>,
    /// The definition in its stored form.
    pub definition: Definition,
    /// The note of the change.
    #[serde(default)]
    pub note: Option<String>,
    /// The author of the change.
    #[serde(default)]
    pub created_by: Option<String>,
    /// The time of the change.
    #[serde(deserialize_with = "moment")]
    pub created_at: DateTime<Utc>,
}

/// Deserializes a time with the precision of the databases: microseconds, and a leap second as the next second.
fn moment<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
    let time = DateTime::<Utc>::deserialize(deserializer)?;
    Ok(DateTime::from_timestamp_micros(time.timestamp_micros()).unwrap_or(time))
}

/// A label of an imported workflow.
#[derive(Clone, Debug, Deserialize)]
#[serde(remote = "Self")]
pub struct IncomingLabel {
    /// The label.
    pub label: String,
    /// The number of the version that it refers to.
    pub version: i32,
    /// True if a save never moves it.
    #[serde(default)]
    pub protected: bool,
}

strict_object!(deserialize IncomingVersion, IncomingLabel);

#[derive(Deserialize)]
struct Document {
    format: String,
    format_version: u32,
    #[serde(default)]
    id: Option<Uuid>,
    name: String,
    #[serde(default, deserialize_with = "present")]
    description: Option<Option<String>>,
    #[serde(default)]
    tags: Option<Vec<String>>,
    definition: Definition,
    #[serde(default)]
    versions: Option<Vec<IncomingVersion>>,
    #[serde(default)]
    labels: Option<Vec<IncomingLabel>>,
}

#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    tags: Option<Vec<String>>,
    #[serde(default)]
    definition: Option<Definition>,
}

/// Deserializes a present member, including null.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// The form of a JSON text; none if it is not an object.
#[must_use]
pub fn form(json: &str) -> Option<Form> {
    /// True if a member is present, including null.
    #[derive(Default)]
    struct There(bool);

    impl<'de> Deserialize<'de> for There {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            IgnoredAny::deserialize(deserializer).map(|_| Self(true))
        }
    }

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Members {
        format: Option<IgnoredAny>,
        name: There,
        definition: There,
        nodes: There,
        links: There,
    }
    // Serde accepts an array as an object whose members come in order.
    if !json.trim_start().starts_with('{') {
        return None;
    }
    let Members { format, name, definition, nodes, links } = serde_json::from_str(json).ok()?;
    // A request without a definition means the default definition.
    let is_request = definition.0 || (name.0 && !nodes.0 && !links.0);
    Some(match format {
        Some(_) => Form::Document,
        None if is_request => Form::Request,
        None => Form::Plain,
    })
}

/// Reads a workflow from a JSON text within the limits. Pointers lead into `json`.
///
/// # Errors
/// If the text doesn't have the shape of a workflow, or its checksum doesn't match.
pub fn read(json: &str) -> Result<Incoming, Box<Diagnostic>> {
    let misfit = |message: &str| Box::new(Diagnostic::new(Code::ShapeInvalid, "", message));
    let form = form(json).ok_or_else(|| misfit("A workflow must be an object."))?;
    // Whitespace within a config would be stored and count as a change.
    let json = compact(json);
    let mut incoming = match form {
        Form::Document => {
            check_sum(&json)?;
            of_document(validation::parse(json.as_bytes())?)?
        }
        Form::Request => of_request(validation::parse(json.as_bytes())?),
        Form::Plain => plain(validation::parse(json.as_bytes())?),
    };
    incoming.definition.normalize();
    incoming.definition = incoming.definition.or_default();
    incoming.versions.iter_mut().for_each(|version| version.definition.normalize());
    Ok(incoming)
}

fn plain(definition: Definition) -> Incoming {
    Incoming {
        form: Form::Plain,
        id: None,
        name: None,
        description: None,
        tags: None,
        definition,
        versions: Vec::new(),
        labels: Vec::new(),
    }
}

fn of_request(request: Request) -> Incoming {
    let Request { name, description, tags, definition } = request;
    // A blank name is ignored: it never refers to an existing workflow.
    let name = name.filter(|name| !name.trim().is_empty());
    let described = description.map(Some);
    Incoming {
        form: Form::Request,
        name,
        description: described,
        tags,
        ..plain(definition.unwrap_or_default())
    }
}

fn of_document(document: Document) -> Result<Incoming, Box<Diagnostic>> {
    let misfit =
        |pointer: &str, message: String| Box::new(Diagnostic::new(Code::ShapeInvalid, pointer, message));
    let Document { format, format_version, id, name, description, tags, definition, versions, labels } =
        document;
    if format != FORMAT {
        return Err(misfit("/format", format!("The format must be {FORMAT:?}.")));
    }
    if format_version != FORMAT_VERSION {
        let message = format!(
            "The document has format version {format_version}, this release reads {FORMAT_VERSION}. Upgrade sluice."
        );
        return Err(misfit("/format_version", message));
    }
    let (versions, labels) = (versions.unwrap_or_default(), labels.unwrap_or_default());
    let (form, name) = (Form::Document, Some(name));
    Ok(Incoming { form, id, name, description, tags, versions, labels, ..plain(definition) })
}

/// Checks the checksum of a document, if it has one.
fn check_sum(json: &str) -> Result<(), Box<Diagnostic>> {
    #[derive(Deserialize)]
    struct Stated {
        #[serde(default)]
        checksum: Option<Value>,
    }
    let Ok(Stated { checksum: Some(stated) }) = serde_json::from_str(json) else { return Ok(()) };
    if checksum(json).is_ok_and(|checksum| stated == checksum) {
        return Ok(());
    }
    let message = "The document was changed after its checksum was computed. Export it again, or remove `checksum` if the \
        change is intended.";
    Err(Box::new(Diagnostic::new(Code::ChecksumMismatch, "/checksum", message)))
}

impl Incoming {
    /// Finds its errors, warnings and hints; errors first. Pointers lead into the source text.
    #[must_use]
    pub fn diagnose(&self, catalog: &dyn Catalog) -> Vec<Diagnostic> {
        let mut found = self.misfits();
        let add = |found: &mut Vec<_>, definition: &Definition, of_it: Vec<Diagnostic>, place: &str| {
            found.extend(too_deep(definition).into_iter().chain(of_it).map(|mut one| {
                one.prepend_pointer(place);
                one
            }));
        };
        let place = if self.form == Form::Plain { "" } else { "/definition" };
        add(&mut found, &self.definition, validation::diagnose(&self.definition, catalog), place);
        for (index, version) in self.versions.iter().enumerate() {
            let place = format!("/versions/{index}/definition");
            add(&mut found, &version.definition, validation::validate(&version.definition, catalog), &place);
            if found.len() > MAX_DIAGNOSTICS {
                break;
            }
        }
        found.sort_by_key(Diagnostic::severity);
        validation::truncate(&mut found);
        found
    }

    /// Finds errors outside of the definitions. Pointers lead into the source text.
    #[must_use]
    pub fn misfits(&self) -> Vec<Diagnostic> {
        let mut found = self.too_long();
        let mut misfit = |pointer: String, message: &str| {
            found.push(Diagnostic::new(Code::ShapeInvalid, pointer, message))
        };
        let in_one_line =
            |name: &str| (1..=naming::MAX_NAME_LENGTH).contains(&name.chars().count()) && fits(name);
        if self.name.as_deref().is_some_and(|name| name.is_empty() || !fits(name)) {
            misfit("/name".to_owned(), &naming::NAME_RULE);
        }
        if self.tags.as_deref().is_some_and(|tags| !naming::are_valid_tags(tags)) {
            misfit("/tags".to_owned(), &naming::TAGS_RULE);
        }
        if self.versions.len() > MAX_VERSIONS {
            misfit(
                "/versions".to_owned(),
                &format!("The document has more than {MAX_VERSIONS} versions. Remove the earliest."),
            );
        }
        let first = self.versions.first().map_or(1, |version| i64::from(version.version));
        for (number, (index, version)) in (first..).zip(self.versions.iter().enumerate()) {
            if i64::from(version.version) != number || !(1..=MAX_NUMBER).contains(&number) {
                misfit(format!("/versions/{index}/version"), NUMBERS);
                break;
            }
            if !in_one_line(&version.name) {
                misfit(format!("/versions/{index}/name"), &naming::NAME_RULE);
            }
            let is_longer =
                |text: &Option<String>, most| text.as_ref().is_some_and(|t| t.chars().count() > most);
            let texts = [
                ("description", is_longer(&version.description, naming::MAX_DESCRIPTION_LENGTH)),
                ("note", is_longer(&version.note, naming::MAX_NOTE_LENGTH)),
                ("created_by", is_longer(&version.created_by, naming::MAX_NAME_LENGTH)),
            ];
            for (field, _) in texts.into_iter().filter(|(_, is_too_long)| *is_too_long) {
                misfit(format!("/versions/{index}/{field}"), "The text is too long. Shorten it.");
            }
            // SQLite stores times as text with four digits for the year.
            if !(1..=9999).contains(&version.created_at.year()) {
                misfit(format!("/versions/{index}/created_at"), "The year must be from 1 to 9999.");
            }
        }
        self.labels_that_misfit(&mut misfit);
        found
    }

    /// Finds texts outside of the definition that are too long.
    fn too_long(&self) -> Vec<Diagnostic> {
        let described = self.description.as_ref().and_then(Option::as_deref);
        let texts = [
            ("name", self.name.as_deref(), naming::MAX_NAME_LENGTH),
            ("description", described, naming::MAX_DESCRIPTION_LENGTH),
        ];
        let long = |(_, text, most): &(&str, Option<&str>, usize)| {
            // The byte length is cheap and rules out most texts.
            text.is_some_and(|text| text.len() > *most && text.chars().count() > *most)
        };
        let told = |(field, _, most): (&str, _, usize)| {
            let message = format!("The {field} has more than {most} characters. Shorten it.");
            Diagnostic::new(Code::TextTooLong, format!("/{field}"), message)
        };
        texts.into_iter().filter(long).map(told).collect()
    }

    fn labels_that_misfit(&self, misfit: &mut impl FnMut(String, &str)) {
        if self.labels.len() > MAX_LABELS {
            misfit(
                "/labels".to_owned(),
                &format!("The document has more than {MAX_LABELS} labels. Remove some."),
            );
        }
        let numbers: HashSet<i32> = self.versions.iter().map(|version| version.version).collect();
        let mut names = HashSet::new();
        let label_rule = format!("{} Each label must occur once.", *naming::LABEL_RULE);
        for (index, label) in self.labels.iter().enumerate() {
            if !naming::is_valid_label(&label.label) || !names.insert(label.label.as_str()) {
                misfit(format!("/labels/{index}/label"), &label_rule);
            }
            if !numbers.contains(&label.version) {
                misfit(
                    format!("/labels/{index}/version"),
                    "The document has no version with this number. Add it, or remove the label.",
                );
            }
        }
    }
}

/// The maximum number of an imported version. It leaves room for later versions, up to 999,999,999.
const MAX_NUMBER: i64 = 900_000_000;
const NUMBERS: &str = "Version numbers must be consecutive and in ascending order, starting at 1 or later.";

/// Reports a definition that is too deep to be saved: a request has it one level below the top.
fn too_deep(definition: &Definition) -> Option<Diagnostic> {
    (depth(&definition.to_json()) >= MAX_DEPTH).then(|| {
        let message =
            format!("The definition is nested more than {} levels deep. Flatten it.", MAX_DEPTH - 1);
        Diagnostic::new(Code::JsonTooDeep, "", message)
    })
}

fn fits(text: &str) -> bool {
    !text.contains(char::is_control)
}
