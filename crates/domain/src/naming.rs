//! Names of workflows, and words to file them under.

use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization as _;

/// The longest name of a workflow, in characters.
pub const MAX_NAME: usize = 255;

/// The longest description, in characters.
pub const MAX_DESCRIPTION: usize = 65_536;

/// The name of a workflow that was given none.
pub const UNTITLED: &str = "Untitled Workflow";

/// The `n`-th name to try for a workflow that shall be called `base`: first the name itself, then with
/// a number behind it. A long name is cut so that the number fits.
#[must_use]
pub fn candidate(base: &str, n: u32) -> String {
    if n <= 1 {
        return base.chars().take(MAX_NAME).collect();
    }
    with_suffix(base, &format!(" ({n})"))
}

/// The name that a copy of the workflow `name` asks for.
#[must_use]
pub fn copy_of(name: &str) -> String {
    with_suffix(name, " (Copy)")
}

/// Whether a text can name a label of versions: a small letter, then small letters, digits, `_` and `-`, 64 at most;
/// `draft` and `latest` stand for something else.
#[must_use]
pub fn is_label(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(fits)
        && text.len() <= 64
        && !["draft", "latest"].contains(&text)
}

/// A tag as it is looked for: the same however Unicode puts its letters together (NFC).
#[must_use]
pub fn tag_of(text: &str) -> String {
    text.nfc().collect()
}

/// What tags have to be.
pub const TAGS: &str =
    "tags must be at most 50 different texts of 1 to 64 characters without control characters.";

/// Whether these can be the tags of a workflow.
#[must_use]
pub fn tags_fit(tags: &[String]) -> bool {
    let fits = |tag: &String| (1..=64).contains(&tag.chars().count()) && !tag.contains(char::is_control);
    let mut seen = HashSet::new();
    tags.len() <= 50 && tags.iter().all(|tag| fits(tag) && seen.insert(tag_of(tag)))
}

fn with_suffix(base: &str, suffix: &str) -> String {
    let room = MAX_NAME.saturating_sub(suffix.chars().count());
    base.chars().take(room).chain(suffix.chars()).collect()
}
