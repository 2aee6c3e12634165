//! The checksum of a document, which detects truncated and edited files.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_transcode::Transcoder;
use sha2::{Digest, Sha256};

/// The checksum of a document: `sha256:` and the SHA-256 (hex) of its RFC 8785 canonical JSON without the member
/// `checksum`.
///
/// # Errors
/// If the text is not an object.
pub(super) fn checksum(json: &str) -> Result<String, serde_json::Error> {
    let mut members: BTreeMap<String, &RawValue> = serde_json::from_str(json)?;
    members.remove("checksum");
    // A tree of all values would take many times more memory than the text.
    let members: BTreeMap<_, _> =
        members.into_iter().map(|(key, value)| (key, Transcoder::new(value))).collect();
    Ok(format!("sha256:{:x}", Sha256::digest(serde_json_canonicalizer::to_vec(&members)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn checksum_hashes_the_canonical_text() {
        let text = r#" {"b": [1.0, -0e1, 1e21, 0.1, -7, 18446744073709551615, {}, [ ]], "checksum": "x",
            "\u20ac": "\u0007\"\\ü", "\ud83d\ude00": null, "a": {"z": true, "\u0061": {"k": [[false]]}}} "#;
        let mut value: Value = serde_json::from_str(text).unwrap();
        value.as_object_mut().unwrap().remove("checksum");
        let canonical = serde_json_canonicalizer::to_vec(&value).unwrap();
        let hex: String = Sha256::digest(&canonical).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(checksum(text).unwrap(), format!("sha256:{hex}"));
        assert!(checksum("[]").is_err());
        assert_eq!(checksum(&json!({}).to_string()).unwrap().len(), 71);
    }
}
