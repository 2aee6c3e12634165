//! Storage of data URIs among the inputs of a run as files. The run has the path instead of the content.

use std::io;
use std::io::Write;
use std::path::Path;

use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine as _, alphabet};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use sluice_engine::clock;
use uuid::Uuid;

use crate::error::Problem;
use crate::uploads::folders::{RUN_FILES, TEMPORARY, file_io, make_folder, sync_folder};

/// Standard base64. The padding may be missing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A file that is embedded in a text.
#[derive(Debug, PartialEq, Eq)]
struct InlineFile {
    bytes: Vec<u8>,
    extension: &'static str,
}

/// Stores every base64 data URI as a file, and replaces it by the path. Other text stays unchanged.
pub(crate) async fn store_data_uris(
    data_dir: &Path,
    workflow_id: Uuid,
    inputs: Map<String, Value>,
) -> Result<Map<String, Value>, Problem> {
    if !inputs.values().any(has_candidate) {
        return Ok(inputs);
    }
    let data_dir = data_dir.to_owned();
    file_io(move || {
        let mut inputs = inputs;
        for value in inputs.values_mut() {
            replace(value, &mut |inline| store_file(&data_dir, workflow_id, inline))?;
        }
        Ok(inputs)
    })
    .await
}

fn is_candidate(text: &str) -> bool {
    text.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"))
}

fn has_candidate(value: &Value) -> bool {
    match value {
        Value::String(text) => is_candidate(text),
        Value::Array(items) => items.iter().any(has_candidate),
        Value::Object(fields) => fields.values().any(has_candidate),
        _ => false,
    }
}

fn replace(value: &mut Value, store: &mut impl FnMut(InlineFile) -> io::Result<String>) -> io::Result<()> {
    match value {
        Value::String(text) => {
            if let Some(inline) = parse(text) {
                *text = store(inline)?;
            }
            Ok(())
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| replace(item, store)),
        Value::Object(fields) => fields.values_mut().try_for_each(|field| replace(field, store)),
        _ => Ok(()),
    }
}

/// Parses `data:<media type>[;parameter…];base64,<base64>`. Returns `None` for other text.
fn parse(text: &str) -> Option<InlineFile> {
    if !is_candidate(text) {
        return None;
    }
    let (head, data) = text[5..].split_once(',')?;
    let mut parts = head.split(';');
    let media_type = parts.next()?.trim().to_ascii_lowercase();
    if !parts.next_back()?.trim().eq_ignore_ascii_case("base64") {
        return None;
    }
    let bytes = BASE64.decode(data).ok()?;
    Some(InlineFile { bytes, extension: extension(&media_type) })
}

fn extension(media_type: &str) -> &'static str {
    match media_type {
        "image/jpeg" => ".jpg",
        "image/png" => ".png",
        "image/gif" => ".gif",
        "image/webp" => ".webp",
        "application/pdf" => ".pdf",
        "video/mp4" => ".mp4",
        "text/plain" => ".txt",
        "text/csv" => ".csv",
        "application/json" => ".json",
        "audio/mpeg" => ".mp3",
        "audio/wav" => ".wav",
        _ => "",
    }
}

/// Stores a file under the hash of its content, and returns its path below the data folder.
fn store_file(data_dir: &Path, workflow_id: Uuid, inline: InlineFile) -> io::Result<String> {
    let InlineFile { bytes, extension } = inline;
    let hash = format!("{:x}", Sha256::digest(&bytes));
    let name = format!("{hash}{extension}");
    let folder = make_folder(data_dir, RUN_FILES, workflow_id)?;
    let path = folder.join(&name);
    if !path.is_file() {
        let temporary = data_dir.join(TEMPORARY);
        std::fs::create_dir_all(&temporary)?;
        let temporary = temporary.join(clock::new_id().to_string());
        let result = write(&temporary, &bytes).and_then(|()| std::fs::rename(&temporary, &path));
        if let Err(error) = result {
            let _ = std::fs::remove_file(&temporary);
            return Err(error);
        }
        sync_folder(&folder)?;
    }
    Ok(format!("{RUN_FILES}/{workflow_id}/{name}"))
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = std::fs::File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_base64_data_uris_are_files() {
        let hello = |extension| Some(InlineFile { bytes: b"hello".to_vec(), extension });
        assert_eq!(parse("data:text/plain;base64,aGVsbG8="), hello(".txt"));
        assert_eq!(parse("data:text/plain;base64,aGVsbG8"), hello(".txt"));
        assert_eq!(parse("data:text/csv;charset=utf-8;base64,aGVsbG8="), hello(".csv"));
        assert_eq!(parse("DATA:Image/PNG;Base64,aGVsbG8="), hello(".png"));
        assert_eq!(parse("data:application/x-thing;base64,aGVsbG8="), hello(""));
        assert_eq!(parse("data:;base64,aGVsbG8="), hello(""));
        for text in [
            "",
            "data",
            "data:",
            "data: the results are in, look",
            "data:text/plain,hello",
            "data:text/plain;base64,a b",
            "data:text/plain;base64,aGVsbG8=!",
            "data:base64,aGVsbG8=",
            "see data:text/plain;base64,aGVsbG8=",
            "dàta:;base64,aGVsbG8=",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[tokio::test]
    async fn files_are_stored_once_under_their_hash() {
        let folder = tempfile::tempdir().unwrap();
        let id = Uuid::nil();
        let uri = "data:text/plain;base64,aGVsbG8=";
        let Value::Object(inputs) = json!({"n": {"a": uri, "b": [uri, 1], "c": "data: no"}}) else {
            panic!()
        };
        let stored = Value::Object(store_data_uris(folder.path(), id, inputs).await.unwrap());
        let hash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        let path = format!("run_files/{id}/{hash}.txt");
        assert_eq!(stored, json!({"n": {"a": path, "b": [path, 1], "c": "data: no"}}));
        assert_eq!(std::fs::read(folder.path().join(path)).unwrap(), b"hello");
        assert_eq!(std::fs::read_dir(folder.path().join(TEMPORARY)).unwrap().count(), 0);
    }
}
