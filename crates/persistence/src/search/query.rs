//! How workflows, their runs and their versions are looked for: by tags, and by how words begin.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::ColumnTrait as _;
use sea_orm::sea_query::{Query, SelectStatement};
use sluice_domain::naming;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;
use uuid::Uuid;

use crate::entity::{version_word, workflow_tag, workflow_word};

/// How many words may be looked for: each is a join.
const MAX_SEARCH: usize = 8;
/// How many words of a workflow are kept.
const MAX_WORDS: usize = 200;
/// How many characters of a word are kept.
const MAX_WORD: usize = 64;

/// Words to look for: each has to be the beginning of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search(BTreeSet<String>);

impl Search {
    /// The words of a text; none when it has none, or more than 8 different ones.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let words: BTreeSet<String> = words(text).collect();
        (1..=MAX_SEARCH).contains(&words.len()).then_some(Self(words))
    }

    /// For each word, the workflows that have one that begins so.
    pub(crate) fn workflows(&self) -> impl Iterator<Item = SelectStatement> {
        self.0.iter().map(|word| {
            let mut select = Query::select();
            select
                .column(workflow_word::Column::WorkflowId)
                .from(workflow_word::Entity)
                .and_where(workflow_word::Column::Word.gte(word.as_bytes()))
                .and_where(workflow_word::Column::Word.lt(end(word)));
            select
        })
    }

    /// For each word, the numbers of the versions of a workflow that have one that begins so.
    pub(crate) fn versions(&self, workflow_id: Uuid) -> impl Iterator<Item = SelectStatement> {
        self.0.iter().map(move |word| {
            let mut select = Query::select();
            select
                .column(version_word::Column::Version)
                .from(version_word::Entity)
                .and_where(version_word::Column::WorkflowId.eq(workflow_id))
                .and_where(version_word::Column::Word.gte(word.as_bytes()))
                .and_where(version_word::Column::Word.lt(end(word)));
            select
        })
    }
}

/// The least text behind all that begin with a word. No byte of UTF-8 is the last that there is.
fn end(word: &str) -> Vec<u8> {
    let mut end = word.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

/// The workflows that are filed under a tag.
pub(crate) fn tagged(tag: &str) -> SelectStatement {
    Query::select()
        .column(workflow_tag::Column::WorkflowId)
        .from(workflow_tag::Entity)
        .and_where(workflow_tag::Column::Tag.eq(naming::normalize_tag(tag)))
        .take()
}

/// The words of a text, folded. What marks a letter belongs to its word.
fn words(text: &str) -> impl Iterator<Item = String> {
    let folded = folded(text);
    let words: Vec<String> = folded
        .split(|letter: char| !letter.is_alphanumeric() && !is_combining_mark(letter))
        .filter(|word| word.contains(char::is_alphanumeric))
        .map(|word| word.chars().take(MAX_WORD).collect())
        .collect();
    words.into_iter()
}

/// A text so that two that say the same are the same: however their letters are put together (NFKC), large or
/// small. By way of the large letters, which some that differ when small share: `ß` and `ss`, `σ` and `ς`.
fn folded(text: &str) -> String {
    text.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect()
}

/// The first different words of texts, each with the number of the first text that has it.
pub(crate) fn words_of<'a>(texts: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, usize> {
    let all =
        texts.into_iter().enumerate().flat_map(|(number, text)| words(text).map(move |word| (word, number)));
    let mut found = BTreeMap::new();
    for (word, number) in all {
        found.entry(word).or_insert(number);
        if found.len() == MAX_WORDS {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_into_words() {
        let found: Vec<String> = words("Order-Import (v2), ÄRGER\tund_mehr").collect();
        assert_eq!(found, ["order", "import", "v2", "ärger", "und", "mehr"]);
        assert_eq!(words(&"x".repeat(100)).map(|word| word.len()).collect::<Vec<_>>(), [MAX_WORD]);
        assert!(Search::new(" -- ").is_none());
        assert!(Search::new("a b c d e f g h a").is_some() && Search::new("a b c d e f g h i").is_none());
    }

    #[test]
    fn what_says_the_same_is_the_same() {
        for (one, other) in [
            ("Caf\u{e9}", "CAFE\u{301}"),
            ("\u{fb01}le", "FILE"),
            ("Ｏｒｄｅｒ", "order"),
            ("Straße", "STRASSE"),
            ("ΟΔΟΣ", "οδος"),
            ("οδός", "ΟΔΌΣ"),
            ("\u{1e9b}\u{323}", "\u{1e69}"),
        ] {
            let (one, other): (Vec<_>, Vec<_>) = (words(one).collect(), words(other).collect());
            assert_eq!((one.len(), &one), (1, &other));
        }
        // Marks that stand for themselves don't end a word, and are none.
        assert_eq!(words("हिन्दी ภาษาที่ x\u{334}y \u{301}").count(), 3);
        assert_eq!(Search::new("E\u{301}"), Search::new("é"));
        assert_eq!(naming::normalize_tag("e\u{301}"), "é");
    }

    #[test]
    fn what_begins_with_a_word_stands_before_its_end() {
        for (word, others) in [("ab", ["ab", "abz", "ab\u{10ffff}"]), ("é", ["é", "éa", "é\u{10ffff}"])] {
            assert!(
                others
                    .iter()
                    .all(|other| (word.as_bytes()..end(word).as_slice()).contains(&other.as_bytes()))
            );
        }
        assert!(!("ab".as_bytes()..end("ab").as_slice()).contains(&"ac".as_bytes()));
    }
}
