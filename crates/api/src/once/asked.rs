//! What a request asks for, as a hash: by it a request that is sent again is told from another one.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt as _, Limited};
use sha2::{Digest as _, Sha256};

use crate::AppState;
use crate::extract::{media_type, read_body};
use crate::problem::{Kind, Problem};
use crate::state::lock;

/// The hash of a request's path, query and body. Of a form it is known when the form was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked(Arc<Mutex<Reading>>);

impl Asked {
    /// The request, to be read on, and what it asks for. A form that was asked for before is not read on, so it is read
    /// here.
    pub(super) async fn of(
        state: &AppState,
        request: Request,
        was_asked_before: bool,
    ) -> Result<(Request, Self), Problem> {
        let boundary = match media_type(request.headers()).as_deref() {
            Some("multipart/form-data") => boundary(&request),
            _ => None,
        };
        let asked = request.uri().path_and_query().map_or("", |asked| asked.as_str());
        let is_form = boundary.is_some();
        let mut reading = Reading::new(&boundary.unwrap_or_default());
        reading.whole.update(asked.len().to_le_bytes());
        reading.whole.update(asked);
        let asked = Self(Arc::new(Mutex::new(reading)));
        let (parts, body) = request.into_parts();
        if !is_form {
            let body = read_body(&parts.headers, body, state.settings.max_body_on(parts.uri.path())).await?;
            lock(&asked.0).all(&body);
            return Ok((Request::from_parts(parts, Body::from(body)), asked));
        }
        let mut body = Body::new(Hashed { body, asked: asked.clone() });
        if was_asked_before {
            body = read_over(state, body).await?;
        }
        Ok((Request::from_parts(parts, body), asked))
    }

    /// The SHA-256, in hex.
    pub(super) fn hash(&self) -> String {
        lock(&self.0).whole.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Reads a form to its end, and keeps nothing of it.
async fn read_over(state: &AppState, body: Body) -> Result<Body, Problem> {
    let files = u64::try_from(state.settings.max_upload_files).unwrap_or(u64::MAX);
    let most = files.saturating_mul(state.settings.max_upload_bytes).saturating_add(1 << 20);
    let mut body = Limited::new(body, usize::try_from(most).unwrap_or(usize::MAX));
    while let Some(frame) = body.frame().await {
        frame.map_err(|error| {
            let detail = "The form breaks off, or is too large. Send it again as it was.";
            Problem::new(Kind::BadRequest, detail).caused_by(error)
        })?;
    }
    Ok(Body::empty())
}

/// What stands between the parts of a form; clients choose another one each time.
fn boundary(request: &Request) -> Option<Vec<u8>> {
    let kind = request.headers().get(CONTENT_TYPE)?.to_str().ok()?.parse::<mime::Mime>().ok()?;
    kind.get_param(mime::BOUNDARY).map(|boundary| boundary.as_str().as_bytes().to_vec())
}

/// A hash of what has come so far.
#[derive(Debug, Default)]
struct Reading {
    /// What stands between parts (RFC 2046, 5.1.1): the end of a line, two hyphens and the boundary.
    delimiter: Vec<u8>,
    /// Of the part that is coming.
    part: Sha256,
    /// Of the parts that have come: what comes behind the last delimiter says nothing, and need not be read.
    whole: Sha256,
    /// The end of what has come, in which a delimiter may have begun.
    tail: Vec<u8>,
}

impl Reading {
    fn new(boundary: &[u8]) -> Self {
        let delimiter = [b"\r\n--", boundary].concat();
        // The first delimiter may stand at the very beginning.
        Self { delimiter, tail: b"\r\n".to_vec(), ..Self::default() }
    }

    /// Takes all of a body that is no form.
    fn all(&mut self, body: &[u8]) {
        self.whole.update(body);
    }

    /// Takes the next piece of a form.
    fn piece(&mut self, piece: &[u8]) {
        let mut text = std::mem::take(&mut self.tail);
        text.extend_from_slice(piece);
        let mut rest = text.as_slice();
        while let Some(at) = find(rest, &self.delimiter) {
            self.part.update(&rest[..at]);
            // A hash of each part, and not their texts one after the other: no part can say what stands between parts.
            self.whole.update(self.part.finalize_reset());
            rest = &rest[at + self.delimiter.len()..];
        }
        let kept = rest.len().min(self.delimiter.len() - 1);
        self.part.update(&rest[..rest.len() - kept]);
        self.tail = rest[rest.len() - kept..].to_vec();
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, wanted)
}

/// A body that is hashed as it is read.
struct Hashed {
    body: Body,
    asked: Asked,
}

impl HttpBody for Hashed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(piece) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()) {
            lock(&self.asked.0).piece(piece);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(boundary: &str, form: &str, pieces: usize) -> String {
        let mut reading = Reading::new(boundary.as_bytes());
        form.as_bytes().chunks(pieces).for_each(|piece| reading.piece(piece));
        Asked(Arc::new(Mutex::new(reading))).hash()
    }

    fn form(boundary: &str, name: &str, content: &str) -> String {
        format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{content}\r\n--{boundary}--\r\n"
        )
    }

    #[test]
    fn the_same_form_is_the_same_in_whatever_pieces_and_with_whatever_boundary() {
        let expected = hash("abcabd", &form("abcabd", "a", "x abcab y"), 1_000);
        for pieces in 1..60 {
            assert_eq!(hash("abcabd", &form("abcabd", "a", "x abcab y"), pieces), expected, "{pieces}");
            assert_eq!(hash("zz-9", &form("zz-9", "a", "x abcab y"), pieces), expected, "{pieces}");
        }
        // What looks like a boundary is none where it doesn't begin a line.
        assert_ne!(hash("zz-9", &form("zz-9", "a", "zz-9"), 7), hash("b", &form("b", "a", "b"), 7));
        assert_eq!(hash("zz-9", &form("zz-9", "a", "zz-9"), 7), hash("b", &form("b", "a", "zz-9"), 7));
        // The end of a form need not be read.
        let whole = form("zz-9", "a", "x abcab y");
        assert_eq!(hash("zz-9", &whole[..whole.len() - 3], 7), expected);
    }

    #[test]
    fn another_form_is_another() {
        let expected = hash("b", &form("b", "a", "x"), 5);
        for other in [
            form("b", "a", "y"),
            form("b", "c", "x"),
            form("b", "a", "xx"),
            form("b", "a", "x") + &form("b", "a", "x"),
        ] {
            assert_ne!(hash("b", &other, 5), expected, "{other}");
        }
    }
}
