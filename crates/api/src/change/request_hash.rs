//! The hash by which a repeated request is recognized: SHA-256 over path, query and body.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};

/// The hash of a request's path, query and body. The hash of a form is complete once the form has been read.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestHash(Arc<Mutex<Hasher>>);

impl RequestHash {
    /// Starts the hash of a request with this path and query. `boundary` separates the parts of a
    /// form.
    pub(crate) fn new(path_and_query: &str, boundary: Option<&[u8]>) -> Self {
        let mut hasher = Hasher::new(boundary.unwrap_or_default());
        hasher.whole.update(path_and_query.len().to_le_bytes());
        hasher.whole.update(path_and_query);
        Self(Arc::new(Mutex::new(hasher)))
    }

    /// Adds the whole body of a request that is not a form.
    pub(crate) fn add_body(&self, body: &[u8]) {
        self.0.lock().whole.update(body);
    }

    /// Returns the body of a form, which is hashed while it is read.
    pub(crate) fn hash_form(&self, body: Body) -> Body {
        Body::new(HashedForm { body, hash: self.clone() })
    }

    /// Returns the SHA-256 in hex.
    pub(crate) fn to_hex(&self) -> String {
        format!("{:x}", self.0.lock().whole.clone().finalize())
    }
}

/// The state of a hash.
#[derive(Debug, Default)]
struct Hasher {
    /// The delimiter between parts (RFC 2046, 5.1.1): CRLF, two hyphens and the boundary.
    delimiter: Vec<u8>,
    /// The current part.
    part: Sha256,
    /// Path, query and the finished parts. The epilogue after the last delimiter does not count and need not be read.
    whole: Sha256,
    /// The last bytes, which may contain the beginning of a delimiter.
    tail: Vec<u8>,
}

impl Hasher {
    fn new(boundary: &[u8]) -> Self {
        let delimiter = [b"\r\n--", boundary].concat();
        // The first delimiter may be at the very beginning, without CRLF.
        Self { delimiter, tail: b"\r\n".to_vec(), ..Self::default() }
    }

    /// Adds the next chunk of a form.
    fn add_chunk(&mut self, chunk: &[u8]) {
        let mut text = std::mem::take(&mut self.tail);
        text.extend_from_slice(chunk);
        let mut rest = text.as_slice();
        while let Some(at) = find(rest, &self.delimiter) {
            self.part.update(&rest[..at]);
            // Adds the hash of each part, not its bytes, so that no part can imitate a delimiter.
            self.whole.update(self.part.finalize_reset());
            rest = &rest[at + self.delimiter.len()..];
        }
        let tail = rest.len().min(self.delimiter.len() - 1);
        self.part.update(&rest[..rest.len() - tail]);
        self.tail = rest[rest.len() - tail..].to_vec();
    }
}

fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, needle)
}

/// A form that is hashed while it is read.
struct HashedForm {
    body: Body,
    hash: RequestHash,
}

impl HttpBody for HashedForm {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(chunk) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()) {
            self.hash.0.lock().add_chunk(chunk);
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
        let mut hasher = Hasher::new(boundary.as_bytes());
        form.as_bytes().chunks(pieces).for_each(|chunk| hasher.add_chunk(chunk));
        RequestHash(Arc::new(Mutex::new(hasher))).to_hex()
    }

    fn form(boundary: &str, name: &str, content: &str) -> String {
        format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{content}\r\n--{boundary}--\r\n"
        )
    }

    #[test]
    fn form_hash_is_independent_of_pieces_and_boundary() {
        let expected = hash("abcabd", &form("abcabd", "a", "x abcab y"), 1_000);
        for pieces in 1..60 {
            assert_eq!(hash("abcabd", &form("abcabd", "a", "x abcab y"), pieces), expected, "{pieces}");
            assert_eq!(hash("zz-9", &form("zz-9", "a", "x abcab y"), pieces), expected, "{pieces}");
        }
        // A boundary is recognized only at the beginning of a line.
        assert_ne!(hash("zz-9", &form("zz-9", "a", "zz-9"), 7), hash("b", &form("b", "a", "b"), 7));
        assert_eq!(hash("zz-9", &form("zz-9", "a", "zz-9"), 7), hash("b", &form("b", "a", "zz-9"), 7));
        // The end of a form need not be read.
        let whole = form("zz-9", "a", "x abcab y");
        assert_eq!(hash("zz-9", &whole[..whole.len() - 3], 7), expected);
    }

    #[test]
    fn form_hash_depends_on_names_and_contents() {
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
