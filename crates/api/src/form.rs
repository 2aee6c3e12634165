//! A form with one file, read into memory.

use std::collections::HashMap;

use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::StatusCode;
use http_body_util::Limited;

use crate::AppState;
use crate::problem::{Kind, Problem, ProblemItem};

/// The longest text field of a form, in bytes.
const MAX_TEXT: usize = 64 << 10;
/// The most text fields.
const MAX_FIELDS: usize = 20;

/// A form: text fields by name, and the field `file`.
#[derive(Debug, Default)]
pub(crate) struct Form {
    pub(crate) texts: HashMap<String, String>,
    /// The name that the client gave the file, and its bytes.
    file: Option<(String, Vec<u8>)>,
}

impl Form {
    pub(crate) async fn read(request: Request, state: &AppState) -> Result<Self, Problem> {
        let max = usize::try_from(state.settings.max_upload_bytes).unwrap_or(usize::MAX);
        let room = max.saturating_add(MAX_FIELDS * MAX_TEXT);
        let request = request.map(|body| axum::body::Body::new(Limited::new(body, room)));
        let mut parts = Multipart::from_request(request, state).await.map_err(|rejection| {
            let detail = "The form has no boundary. Let your client write the Content-Type header.";
            Problem::new(Kind::InvalidJson, detail).caused_by(rejection)
        })?;
        let mut form = Self::default();
        while let Some(mut field) = parts.next_field().await.map_err(broken)? {
            let name = field.name().unwrap_or_default().to_owned();
            if name == "file" {
                let filename = field.file_name().unwrap_or_default().to_owned();
                form.file = Some((filename, bytes(&mut field, max, "The file").await?));
                continue;
            }
            let text = String::from_utf8(bytes(&mut field, MAX_TEXT, "A text field").await?);
            let text = text.map_err(|_| {
                let detail = "A text field is not UTF-8. Send it as UTF-8.";
                Problem::invalid(
                    Kind::InvalidBody,
                    vec![ProblemItem::new(format!("/{name}"), "type", detail)],
                )
            })?;
            if form.texts.len() < MAX_FIELDS {
                form.texts.insert(name, text);
            }
        }
        Ok(form)
    }

    /// The name and the bytes of the file.
    pub(crate) fn file(&mut self) -> Result<(String, Vec<u8>), Problem> {
        self.file.take().ok_or_else(|| {
            let detail = "file is missing. Add a CSV or JSON Lines file.";
            Problem::invalid(Kind::InvalidBody, vec![ProblemItem::new("/file", "missing", detail)])
        })
    }
}

async fn bytes(field: &mut Field<'_>, max: usize, what: &str) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    while let Some(piece) = field.chunk().await.map_err(broken)? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > max {
            return Err(Problem::new(
                Kind::TooLarge,
                format!("{what} is larger than {max} bytes. Send less at once."),
            ));
        }
    }
    Ok(bytes)
}

fn broken(error: MultipartError) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::new(Kind::TooLarge, "The form is too large. Send less at once.");
    }
    Problem::new(Kind::InvalidJson, "The form breaks off or can't be read. Send it again.").caused_by(error)
}
