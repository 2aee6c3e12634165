//! Forms (`multipart/form-data`, RFC 7578), read field by field.

use std::collections::HashMap;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::StatusCode;
use http_body_util::Limited;
use sluice_domain::naming;
use sluice_domain::validation::pointer_step;

use crate::error::{Problem, ProblemItem, ProblemKind};
use crate::extract::json::media_type;
use crate::state::AppState;

/// Maximum length of a text field in a form with one file, in characters.
const MAX_TEXT: usize = naming::MAX_DESCRIPTION_LENGTH;

/// Maximum number of text fields of such a form that are kept.
const MAX_FIELDS: usize = 20;

/// Maximum size of a form without its files, in bytes: text fields and part headers.
const MAX_OVERHEAD: usize = 1 << 20;

/// Maximum time to drain a rejected form. Some clients read the response only after they have sent the whole body.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Returns true if the body of the request is a form.
pub(crate) fn is_form(request: &Request) -> bool {
    media_type(request.headers()).as_deref() == Some("multipart/form-data")
}

/// A type that is filled from a form, field by field.
pub(crate) trait FromForm: Sized {
    /// Reads the next field.
    async fn add_field(&mut self, field: &mut Field<'_>) -> Result<(), Problem>;
}

/// Reads a form into `form`. Its files have at most `max` bytes in total.
pub(crate) async fn read_form<F: FromForm>(
    request: Request,
    state: &AppState,
    max: u64,
    mut form: F,
) -> Result<F, Problem> {
    if !is_form(&request) {
        let detail = "The body must be a form. Send it with Content-Type: multipart/form-data.";
        return Err(Problem::new(ProblemKind::UnsupportedMediaType, detail));
    }
    let limit = usize::try_from(max).unwrap_or(usize::MAX).saturating_add(MAX_OVERHEAD);
    let request = request.map(|body| Body::new(Limited::new(body, limit)));
    let mut fields = Multipart::from_request(request, state).await.map_err(|rejection| {
        let detail = "The Content-Type header has no boundary. Let the HTTP client set the header.";
        Problem::new(ProblemKind::BadRequest, detail).caused_by(rejection)
    })?;
    let result = async {
        while let Some(mut field) = fields.next_field().await.map_err(form_problem)? {
            form.add_field(&mut field).await?;
        }
        Ok(form)
    }
    .await;
    if result.is_err() {
        let _ = tokio::time::timeout(DRAIN_TIMEOUT, drain(&mut fields)).await;
    }
    result
}

/// Reads the rest of the form and drops it.
async fn drain(fields: &mut Multipart) {
    while let Ok(Some(mut field)) = fields.next_field().await {
        while let Ok(Some(_)) = field.chunk().await {}
    }
}

/// Returns the next chunk of a field, or `None` at its end.
pub(crate) async fn next_chunk(field: &mut Field<'_>) -> Result<Option<Bytes>, Problem> {
    field.chunk().await.map_err(form_problem)
}

/// Reads a text field of at most `max` characters.
pub(crate) async fn text_field(field: &mut Field<'_>, max: usize) -> Result<String, Problem> {
    let pointer = format!("/{}", pointer_step(field.name().unwrap_or_default()));
    let invalid = |code: &str, detail: String| {
        Problem::invalid(ProblemKind::InvalidBody, vec![ProblemItem::new(pointer.as_str(), code, detail)])
    };
    let too_long = || invalid("length", format!("The value is longer than {max} characters. Shorten it."));
    let mut bytes = Vec::new();
    while let Some(chunk) = next_chunk(field).await? {
        bytes.extend_from_slice(&chunk);
        // No character takes more than four bytes.
        if bytes.len() > 4 * max {
            return Err(too_long());
        }
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| invalid("type", "The value is not UTF-8. Encode it as UTF-8.".to_owned()))?;
    if text.chars().count() > max { Err(too_long()) } else { Ok(text) }
}

fn form_problem(error: MultipartError) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::new(ProblemKind::TooLarge, "The form is too large. Send fewer or smaller files.");
    }
    Problem::new(ProblemKind::BadRequest, "The form is incomplete or malformed. Send it again.")
        .caused_by(error)
}

/// A form with one file, read into memory: text fields by name, and the field `file`.
#[derive(Debug)]
pub(crate) struct FileForm {
    pub(crate) texts: HashMap<String, String>,
    /// The file name that the client sent, and the content of the file.
    file: Option<(String, Vec<u8>)>,
    max: u64,
}

impl FileForm {
    pub(crate) async fn read(request: Request, state: &AppState) -> Result<Self, Problem> {
        let max = state.settings.max_upload_bytes;
        read_form(request, state, max, Self { texts: HashMap::new(), file: None, max }).await
    }

    /// Returns the name and the content of the file.
    pub(crate) fn file(&mut self) -> Result<(String, Vec<u8>), Problem> {
        self.file.take().ok_or_else(|| {
            let detail = "file is missing. Add a CSV, JSON Lines or JSON file.";
            Problem::invalid(ProblemKind::InvalidBody, vec![ProblemItem::new("/file", "missing", detail)])
        })
    }
}

impl FromForm for FileForm {
    async fn add_field(&mut self, field: &mut Field<'_>) -> Result<(), Problem> {
        let name = field.name().unwrap_or_default().to_owned();
        if name != "file" {
            let text = text_field(field, MAX_TEXT).await?;
            if self.texts.len() < MAX_FIELDS {
                self.texts.insert(name, text);
            }
            return Ok(());
        }
        if self.file.is_some() {
            let detail = "The form has more than one file. Send one file per request.";
            return Err(Problem::invalid(
                ProblemKind::InvalidBody,
                vec![ProblemItem::new("/file", "duplicate", detail)],
            ));
        }
        let filename = field.file_name().unwrap_or_default().to_owned();
        let mut bytes = Vec::new();
        while let Some(chunk) = next_chunk(field).await? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() as u64 > self.max {
                let detail = format!("The file is larger than {} bytes. Send a smaller file.", self.max);
                return Err(Problem::new(ProblemKind::TooLarge, detail));
            }
        }
        self.file = Some((filename, bytes));
        Ok(())
    }
}
