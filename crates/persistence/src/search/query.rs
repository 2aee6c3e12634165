//! The tokenizer, and subqueries for search.

use std::collections::BTreeSet;

use sea_orm::ColumnTrait as _;
use sea_orm::sea_query::{Query, SelectStatement};
use sluice_domain::naming;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;
use uuid::Uuid;

use crate::entity::{version_word, workflow_tag, workflow_word};

/// Maximum number of search terms. Each adds a join to the query.
const MAX_TERMS: usize = 8;
/// Maximum number of indexed words per workflow or version.
const MAX_WORDS: usize = 200;
/// Maximum length of an indexed word, in characters.
const MAX_WORD_LENGTH: usize = 64;

/// Search terms. A text matches if every term is a prefix of one of its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search(BTreeSet<String>);

impl Search {
    /// Parses search terms. Returns `None` if the text contains no words, or more than 8 different ones.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let terms: BTreeSet<String> = words(text).collect();
        (1..=MAX_TERMS).contains(&terms.len()).then_some(Self(terms))
    }

    /// Returns a query for the ids of matching workflows, for each term.
    pub(crate) fn workflow_queries(&self) -> impl Iterator<Item = SelectStatement> {
        self.0.iter().map(|term| {
            Query::select()
                .column(workflow_word::Column::WorkflowId)
                .from(workflow_word::Entity)
                .and_where(workflow_word::Column::Word.gte(term.as_bytes()))
                .and_where(workflow_word::Column::Word.lt(prefix_end(term)))
                .take()
        })
    }

    /// Returns a query for the numbers of matching versions of a workflow, for each term.
    pub(crate) fn version_queries(&self, workflow_id: Uuid) -> impl Iterator<Item = SelectStatement> {
        self.0.iter().map(move |term| {
            Query::select()
                .column(version_word::Column::Version)
                .from(version_word::Entity)
                .and_where(version_word::Column::WorkflowId.eq(workflow_id))
                .and_where(version_word::Column::Word.gte(term.as_bytes()))
                .and_where(version_word::Column::Word.lt(prefix_end(term)))
                .take()
        })
    }
}

/// Returns an exclusive upper bound of the words with a prefix. The increment can't overflow, because UTF-8 never
/// contains the byte 0xFF.
fn prefix_end(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

/// Returns a query for the ids of the workflows with a tag.
pub(crate) fn tag_query(tag: &str) -> SelectStatement {
    Query::select()
        .column(workflow_tag::Column::WorkflowId)
        .from(workflow_tag::Entity)
        .and_where(workflow_tag::Column::Tag.eq(naming::normalize_tag(tag)))
        .take()
}

/// Splits a text into folded words. Combining marks don't separate words.
fn words(text: &str) -> impl Iterator<Item = String> {
    let folded = fold(text);
    let words: Vec<String> = folded
        .split(|letter: char| !letter.is_alphanumeric() && !is_combining_mark(letter))
        .filter(|word| word.contains(char::is_alphanumeric))
        .map(|word| word.chars().take(MAX_WORD_LENGTH).collect())
        .collect();
    words.into_iter()
}

/// Normalizes a text (NFKC) and folds its case. Folds through uppercase, which unifies letters with several lowercase
/// forms: `ß` and `ss`, `σ` and `ς`.
fn fold(text: &str) -> String {
    text.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect()
}

/// Returns the distinct words of several texts, at most [`MAX_WORDS`].
pub(crate) fn tokenize<'a>(texts: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    let mut distinct = BTreeSet::new();
    for word in texts.into_iter().flat_map(words) {
        distinct.insert(word);
        if distinct.len() == MAX_WORDS {
            break;
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_texts_into_words() {
        let found: Vec<String> = words("Order-Import (v2), ÄRGER\tund_mehr").collect();
        assert_eq!(found, ["order", "import", "v2", "ärger", "und", "mehr"]);
        assert_eq!(words(&"x".repeat(100)).map(|word| word.len()).collect::<Vec<_>>(), [MAX_WORD_LENGTH]);
        assert!(Search::new(" -- ").is_none());
        assert!(Search::new("a b c d e f g h a").is_some() && Search::new("a b c d e f g h i").is_none());
    }

    #[test]
    fn folds_equivalent_spellings_to_one_word() {
        for (text, equivalent) in [
            ("Caf\u{e9}", "CAFE\u{301}"),
            ("\u{fb01}le", "FILE"),
            ("Ｏｒｄｅｒ", "order"),
            ("Straße", "STRASSE"),
            ("ΟΔΟΣ", "οδος"),
            ("οδός", "ΟΔΌΣ"),
            ("\u{1e9b}\u{323}", "\u{1e69}"),
        ] {
            let (found, expected): (Vec<_>, Vec<_>) = (words(text).collect(), words(equivalent).collect());
            assert_eq!((found.len(), &found), (1, &expected));
        }
        // A combining mark doesn't separate words, and is not a word by itself.
        assert_eq!(words("हिन्दी ภาษาที่ x\u{334}y \u{301}").count(), 3);
        assert_eq!(Search::new("E\u{301}"), Search::new("é"));
        assert_eq!(naming::normalize_tag("e\u{301}"), "é");
    }

    #[test]
    fn prefix_ranges_contain_all_words_with_the_prefix() {
        for (prefix, words) in [("ab", ["ab", "abz", "ab\u{10ffff}"]), ("é", ["é", "éa", "é\u{10ffff}"])]
        {
            let end = prefix_end(prefix);
            let range = prefix.as_bytes()..end.as_slice();
            assert!(words.iter().all(|word| range.contains(&word.as_bytes())));
        }
        assert!(!("ab".as_bytes()..prefix_end("ab").as_slice()).contains(&"ac".as_bytes()));
    }
}
