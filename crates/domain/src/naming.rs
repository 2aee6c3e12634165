//! Names, labels and tags of workflows: limits, rules and normalization.

use std::collections::HashSet;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization as _;

/// The maximum length of a workflow name, in characters.
pub const MAX_NAME_LENGTH: usize = 255;

/// The maximum length of a description, in characters.
pub const MAX_DESCRIPTION_LENGTH: usize = 65_536;

/// The maximum length of a version note, in characters.
pub const MAX_NOTE_LENGTH: usize = 1_000;

/// The maximum length of a label, in characters.
pub const MAX_LABEL_LENGTH: usize = 64;

/// Labels with a meaning of their own.
pub const RESERVED_LABELS: [&str; 2] = ["draft", "latest"];

/// The maximum number of tags of a workflow.
pub const MAX_TAGS: usize = 50;

/// The maximum length of a tag, in characters.
pub const MAX_TAG_LENGTH: usize = 64;

/// The maximum number of labels of a workflow.
pub const MAX_LABELS: usize = 100;

/// The default name of a workflow.
pub const UNTITLED: &str = "Untitled Workflow";

/// The rule for workflow names, as a sentence.
pub static NAME_RULE: LazyLock<String> = LazyLock::new(|| {
    format!("A name must have 1 to {MAX_NAME_LENGTH} characters, none of them a control character.")
});

/// The form of labels, as a phrase.
pub static LABEL_FORM: LazyLock<String> = LazyLock::new(|| {
    format!(
        "1 to {MAX_LABEL_LENGTH} characters: a lowercase letter, then lowercase letters, digits, `_` or `-`"
    )
});

/// The rule for labels, as sentences.
pub static LABEL_RULE: LazyLock<String> = LazyLock::new(|| {
    let reserved = RESERVED_LABELS.map(|label| format!("`{label}`")).join(" and ");
    format!("A label has {}. {reserved} are reserved.", *LABEL_FORM)
});

/// The limit on labels, as sentences.
pub static LABEL_LIMIT: LazyLock<String> =
    LazyLock::new(|| format!("A workflow can have at most {MAX_LABELS} labels. Delete one first."));

/// The rule for tags, as a sentence.
pub static TAGS_RULE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "tags must be at most {MAX_TAGS} different strings of 1 to {MAX_TAG_LENGTH} characters without control \
         characters."
    )
});

/// Returns the `n`-th candidate for the name of a workflow: the name itself, then the name with a number. A long name
/// is truncated to make room for the number.
#[must_use]
pub fn numbered_name(name: &str, n: u32) -> String {
    if n <= 1 {
        return name.chars().take(MAX_NAME_LENGTH).collect();
    }
    with_suffix(name, &format!(" ({n})"))
}

/// Returns the name for a copy of the workflow `name`.
#[must_use]
pub fn copy_name(name: &str) -> String {
    with_suffix(name, " (Copy)")
}

/// Returns true if `text` follows [`LABEL_RULE`].
#[must_use]
pub fn is_valid_label(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'))
        && text.len() <= MAX_LABEL_LENGTH
        && !RESERVED_LABELS.contains(&text)
}

/// Returns the form in which tags are compared and stored for search: Unicode NFC.
#[must_use]
pub fn normalize_tag(text: &str) -> String {
    text.nfc().collect()
}

/// Returns true if `tags` follow [`TAGS_RULE`].
#[must_use]
pub fn are_valid_tags(tags: &[String]) -> bool {
    let mut seen = HashSet::new();
    tags.len() <= MAX_TAGS
        && tags.iter().all(|tag| {
            (1..=MAX_TAG_LENGTH).contains(&tag.chars().count())
                && !tag.contains(char::is_control)
                && seen.insert(normalize_tag(tag))
        })
}

fn with_suffix(name: &str, suffix: &str) -> String {
    let room = MAX_NAME_LENGTH.saturating_sub(suffix.chars().count());
    name.chars().take(room).chain(suffix.chars()).collect()
}
