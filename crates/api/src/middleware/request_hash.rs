//! Hashing of requests with an idempotency key.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use http_body_util::{BodyExt as _, Limited};

use crate::change::request_hash::RequestHash;
use crate::error::{Problem, ProblemKind};
use crate::extract::json::{media_type, read_body};
use crate::state::AppState;

/// Returns the request with an unread body, and its hash. A form is hashed while the handler reads it. A `repeated`
/// form is read here, since no handler reads it.
pub(super) async fn hash_request(
    state: &AppState,
    request: Request,
    repeated: bool,
) -> Result<(Request, RequestHash), Problem> {
    let boundary = match media_type(request.headers()).as_deref() {
        Some("multipart/form-data") => boundary(&request),
        _ => None,
    };
    let path_and_query = request.uri().path_and_query().map_or("", |path| path.as_str());
    let hash = RequestHash::new(path_and_query, boundary.as_deref());
    let (parts, body) = request.into_parts();
    let body = if boundary.is_none() {
        let body = read_body(&parts.headers, body, state.settings.max_body_on(parts.uri.path())).await?;
        hash.add_body(&body);
        Body::from(body)
    } else if repeated {
        read_to_end(state, hash.hash_form(body)).await?;
        Body::empty()
    } else {
        hash.hash_form(body)
    };
    Ok((Request::from_parts(parts, body), hash))
}

/// Reads a form completely and drops it.
async fn read_to_end(state: &AppState, form: Body) -> Result<(), Problem> {
    let files = u64::try_from(state.settings.max_upload_files).unwrap_or(u64::MAX);
    let max = files.saturating_mul(state.settings.max_upload_bytes).saturating_add(1 << 20);
    let mut form = Limited::new(form, usize::try_from(max).unwrap_or(usize::MAX));
    while let Some(frame) = form.frame().await {
        frame.map_err(|error| {
            let detail = "The form is incomplete or too large. Send it again.";
            Problem::new(ProblemKind::BadRequest, detail).caused_by(error)
        })?;
    }
    Ok(())
}

/// Returns the boundary between the parts of a form. Clients choose a new boundary for each request.
fn boundary(request: &Request) -> Option<Vec<u8>> {
    let kind = request.headers().get(CONTENT_TYPE)?.to_str().ok()?.parse::<mime::Mime>().ok()?;
    kind.get_param(mime::BOUNDARY).map(|boundary| boundary.as_str().as_bytes().to_vec())
}
