//! Conditional requests (RFC 9110, 13): entity tags and preconditions.

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sluice_domain::naming::MAX_NOTE_LENGTH;
use sluice_domain::{Definition, versioning};
use sluice_persistence::{Pin, Precondition, SaveOptions, WorkflowRow, WriteError};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::ObjectBuilder;
use uuid::Uuid;

use crate::blocking::cpu_bound;
use crate::error::convert::Resource;
use crate::error::{CurrentState, Problem, ProblemKind};
use crate::openapi::params::{optional_parameter, text_schema};
use crate::patterns::ONE_LINE;
use crate::state::AppState;

/// Header with the note of a change.
pub(crate) const CHANGE_NOTE: &str = "x-change-note";

/// A response with its entity tag.
#[derive(Debug)]
pub(crate) struct WithETag<T> {
    etag: String,
    body: T,
}

impl<T> WithETag<T> {
    /// Creates a response. `etag` is the opaque part of the tag, without quotes.
    pub(crate) fn new(etag: String, body: T) -> Self {
        Self { etag, body }
    }

    /// Returns the response, or 304 without a body if the client has it cached.
    pub(crate) fn unless_match(self, if_none_match: &IfNoneMatch) -> Response
    where
        T: Serialize,
    {
        if if_none_match.0.as_ref().is_some_and(|list| list.has_weak_match(&self.etag)) {
            return (StatusCode::NOT_MODIFIED, [(header::ETAG, quote(&self.etag))]).into_response();
        }
        self.into_response()
    }
}

impl<T: Serialize> IntoResponse for WithETag<T> {
    fn into_response(self) -> Response {
        ([(header::ETAG, quote(&self.etag))], Json(self.body)).into_response()
    }
}

pub(crate) fn quote(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// The header `If-None-Match`.
#[derive(Debug)]
pub(crate) struct IfNoneMatch(Option<ETagList>);

impl<S: Send + Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        read_etags(&parts.headers, &header::IF_NONE_MATCH).map(Self)
    }
}

/// The headers `If-Match` and `X-Change-Note` of a change to a workflow.
#[derive(Debug)]
pub(crate) struct Preconditions {
    pub(crate) save_options: SaveOptions,
}

impl<S: Send + Sync> FromRequestParts<S> for Preconditions {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let precondition = match read_etags(&parts.headers, &header::IF_MATCH)? {
            Some(ETagList::Tags(tags)) => Some(Precondition { etags: strong_tags(tags) }),
            // Every change requires that the workflow exists.
            Some(ETagList::Any) | None => None,
        };
        let note = read_change_note(&parts.headers)?;
        Ok(Self { save_options: SaveOptions { precondition, note, ..SaveOptions::default() } })
    }
}

impl Preconditions {
    /// Returns the problem of a rejected change, with the current state of the workflow.
    pub(crate) async fn explain(&self, state: &AppState, id: Uuid, error: WriteError) -> Problem {
        let WriteError::PreconditionFailed(current) = error else {
            return Resource::Workflow.write_problem(error);
        };
        let version_read = match self.client_version() {
            Some(number) => state.db.pinned_version(id, &Pin::Number(number)).await.ok().flatten(),
            None => None,
        };
        let after = current.definition.clone();
        let compare = move || {
            let before: Definition = serde_json::from_str(&version_read?.definition).ok()?;
            let after: Definition = serde_json::from_str(&after).ok()?;
            Some(versioning::diff(&before, &after, false))
        };
        precondition_failed(&current, cpu_bound(compare).await)
    }

    /// Returns the version that the client has read. Its number is at the beginning of the ETag.
    fn client_version(&self) -> Option<i32> {
        let etag = self.save_options.precondition.as_ref()?.etags.first()?;
        etag.split_once('-')?.0.parse().ok()
    }
}

fn precondition_failed(current: &WorkflowRow, diff: Option<versioning::DefinitionDiff>) -> Problem {
    let etag = quote(&current.etag());
    let is_only_metadata = diff.as_ref().is_some_and(|diff| *diff == versioning::DefinitionDiff::default());
    let scope = if is_only_metadata { ", but only in its name, description, tags or layout" } else { "" };
    let detail = format!(
        "The workflow has changed since it was read{scope}. Its ETag is now {etag}. Read it again, then retry with that ETag in If-Match."
    );
    let diff = diff.and_then(|diff| serde_json::to_value(diff).ok());
    let current_state = CurrentState { current_etag: etag, current_version: current.version, diff };
    Problem::new(ProblemKind::PreconditionFailed, detail).with_current_state(current_state)
}

/// Pattern of `If-Match` and `If-None-Match` (RFC 9110, 13.1.1 and 13.1.2).
const ETAG_LIST: &str = r#"^(\*|(W/)?"[!#-~]*"(, *(W/)?"[!#-~]*")*)$"#;

impl IntoParams for IfNoneMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "The `ETag` of the response that the client has cached.";
        vec![optional_parameter(ParameterIn::Header, "If-None-Match", description, text_schema(ETAG_LIST))]
    }
}

impl IntoParams for Preconditions {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "The `ETag` of the workflow as the client last read it. If the workflow has changed since, the request is rejected. Without this header, the last write wins.";
        vec![optional_parameter(ParameterIn::Header, "If-Match", description, text_schema(ETAG_LIST))]
    }
}

/// The header `X-Change-Note` of changes that may add a version. [`Preconditions`] reads it.
pub(crate) struct ChangeNote;

impl IntoParams for ChangeNote {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let note = ObjectBuilder::from(text_schema(ONE_LINE)).max_length(Some(MAX_NOTE_LENGTH)).build();
        let description = "Note to store with the new version. Ignored if the request creates no version.";
        vec![optional_parameter(ParameterIn::Header, "X-Change-Note", description, note)]
    }
}

/// A list of entity tags (RFC 9110, 13.1.1 and 13.1.2).
#[derive(Debug, PartialEq, Eq)]
enum ETagList {
    /// `*`.
    Any,
    /// A list of tags.
    Tags(Vec<ListedTag>),
}

/// An entity tag of a list.
#[derive(Debug, PartialEq, Eq)]
struct ListedTag {
    is_weak: bool,
    /// The opaque part, without quotes.
    tag: String,
}

impl ETagList {
    /// Parses a list (RFC 9110, 8.8.3 and 5.6.1).
    fn parse(text: &str) -> Option<Self> {
        let space = [' ', '\t'];
        let mut rest = text.trim_matches(space);
        if rest == "*" {
            return Some(Self::Any);
        }
        let mut tags = Vec::new();
        loop {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            if rest.is_empty() {
                return (!tags.is_empty()).then_some(Self::Tags(tags));
            }
            let strong = rest.strip_prefix("W/");
            let (tag, after) = strong.unwrap_or(rest).strip_prefix('"')?.split_once('"')?;
            rest = after.trim_start_matches(space);
            if tag.contains(space) || !(rest.is_empty() || rest.starts_with(',')) {
                return None;
            }
            tags.push(ListedTag { is_weak: strong.is_some(), tag: tag.to_owned() });
        }
    }

    /// Returns true if a tag matches in a weak comparison (RFC 9110, 8.8.3.2).
    fn has_weak_match(&self, etag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|listed| listed.tag == etag),
        }
    }
}

/// Returns the tags that can match in a strong comparison (RFC 9110, 8.8.3.2). Weak tags cannot.
fn strong_tags(tags: Vec<ListedTag>) -> Vec<String> {
    tags.into_iter().filter(|listed| !listed.is_weak).map(|listed| listed.tag).collect()
}

/// Reads a header of entity tags. Returns `None` if it is absent.
fn read_etags(headers: &HeaderMap, name: &HeaderName) -> Result<Option<ETagList>, Problem> {
    let values = headers.get_all(name);
    let lines: Vec<&str> = values.iter().map(|value| value.to_str().unwrap_or_default()).collect();
    if lines.is_empty() {
        return Ok(None);
    }
    ETagList::parse(&lines.join(",")).map(Some).ok_or_else(|| {
        let detail = format!("The header {name} must be `*` or a list of quoted ETags, such as \"abc\".");
        Problem::new(ProblemKind::BadRequest, detail)
    })
}

fn read_change_note(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(CHANGE_NOTE) else { return Ok(None) };
    let is_valid = |note: &&str| note.chars().count() <= MAX_NOTE_LENGTH && !note.contains(char::is_control);
    let note = std::str::from_utf8(value.as_bytes()).ok().map(str::trim).filter(is_valid);
    let note = note.ok_or_else(|| {
        let detail = format!(
            "The header X-Change-Note must be UTF-8 text of at most {MAX_NOTE_LENGTH} characters without control characters."
        );
        Problem::new(ProblemKind::BadRequest, detail)
    })?;
    Ok(Some(note.to_owned()).filter(|note| !note.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(tags: &[(&str, bool)]) -> Option<ETagList> {
        let tags = tags.iter().map(|(tag, is_weak)| ListedTag { is_weak: *is_weak, tag: (*tag).to_owned() });
        Some(ETagList::Tags(tags.collect()))
    }

    #[test]
    fn parses_lists_of_entity_tags() {
        assert_eq!(ETagList::parse(" * "), Some(ETagList::Any));
        assert_eq!(ETagList::parse(r#""1-a""#), tags(&[("1-a", false)]));
        assert_eq!(ETagList::parse(r#", W/"a" ,"b,c","#), tags(&[("a", true), ("b,c", false)]));
        for invalid in ["", ",", "a", "\"a", "\"a\" \"b\"", "w/\"a\"", "\"a b\"", "*, \"a\""] {
            assert_eq!(ETagList::parse(invalid), None, "{invalid}");
        }
    }

    #[test]
    fn weak_tags_match_only_weakly() {
        let Some(list) = ETagList::parse(r#"W/"a", "b""#) else { panic!("a valid list") };
        assert!(list.has_weak_match("a") && list.has_weak_match("b") && !list.has_weak_match("c"));
        let ETagList::Tags(tags) = list else { panic!("a list of tags") };
        assert_eq!(strong_tags(tags), ["b"]);
    }
}
