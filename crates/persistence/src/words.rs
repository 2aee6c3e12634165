//! What workflows are found by: their tags, and the words of their names and descriptions.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::sea_query::{Query, SelectStatement};
use sea_orm::{ActiveModelTrait, ColumnTrait, DbErr, EntityTrait, QueryFilter, Set};
use uuid::Uuid;

use crate::WorkflowRow;
use crate::direct::Tx;
use crate::entity::{workflow_tag, workflow_word};

/// How many words may be looked for: each is a join.
const MAX_SEARCH: usize = 8;
/// How many words of a workflow are kept.
const MAX_WORDS: usize = 200;
/// How many characters of a word are kept.
const MAX_WORD: usize = 64;
/// How many rows are written in one statement: far fewer than it can take values.
const CHUNK: usize = 1_000;

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

    /// For each word, the workflows that have one that begins so; `in_name`: in their names.
    pub(crate) fn workflows(&self, in_name: bool) -> impl Iterator<Item = SelectStatement> {
        self.0.iter().map(move |word| {
            let mut select = Query::select();
            select
                .column(workflow_word::Column::WorkflowId)
                .from(workflow_word::Entity)
                .and_where(workflow_word::Column::Word.gte(word.as_bytes()))
                .and_where(workflow_word::Column::Word.lt(end(word)));
            if in_name {
                select.and_where(workflow_word::Column::IsOfName.eq(true));
            }
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
        .and_where(workflow_tag::Column::Tag.eq(tag))
        .take()
}

/// The words of a text, in small letters.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| word.chars().flat_map(char::to_lowercase).take(MAX_WORD).collect())
}

/// The words of a workflow, and whether the name has them.
fn words_of(row: &WorkflowRow) -> BTreeMap<String, bool> {
    let of_name = words(&row.name).map(|word| (word, true));
    let description = row.description.as_deref().unwrap_or_default();
    let mut found = BTreeMap::new();
    for (word, is_of_name) in of_name.chain(words(description).map(|word| (word, false))) {
        found.entry(word).or_insert(is_of_name);
        if found.len() == MAX_WORDS {
            break;
        }
    }
    found
}

fn word_models(row: &WorkflowRow) -> Vec<workflow_word::ActiveModel> {
    let model = |(word, is_of_name): (String, bool)| workflow_word::ActiveModel {
        word: Set(word.into_bytes()),
        workflow_id: Set(row.id),
        is_of_name: Set(is_of_name),
    };
    words_of(row).into_iter().map(model).collect()
}

fn tag_models(row: &WorkflowRow) -> Vec<workflow_tag::ActiveModel> {
    let tags: BTreeSet<String> = serde_json::from_str(&row.tags).unwrap_or_default();
    let model = |tag| workflow_tag::ActiveModel { tag: Set(tag), workflow_id: Set(row.id) };
    tags.into_iter().map(model).collect()
}

/// Writes what new workflows are found by.
pub(crate) async fn insert(tx: &Tx<'_>, rows: &[WorkflowRow]) -> Result<(), DbErr> {
    insert_all(tx, rows.iter().flat_map(word_models).collect()).await?;
    insert_all(tx, rows.iter().flat_map(tag_models).collect()).await
}

/// Writes what a workflow is found by that was `before`, as far as it has changed.
pub(crate) async fn replace(tx: &Tx<'_>, before: &WorkflowRow, row: &WorkflowRow) -> Result<(), DbErr> {
    if (&before.name, &before.description) != (&row.name, &row.description) {
        delete_words(tx, row.id).await?;
        insert_all(tx, word_models(row)).await?;
    }
    if before.tags != row.tags {
        let old = workflow_tag::Entity::delete_many();
        tx.execute(&old.filter(workflow_tag::Column::WorkflowId.eq(row.id))).await?;
        insert_all(tx, tag_models(row)).await?;
    }
    Ok(())
}

async fn delete_words(tx: &Tx<'_>, workflow_id: Uuid) -> Result<(), DbErr> {
    let old = workflow_word::Entity::delete_many();
    tx.execute(&old.filter(workflow_word::Column::WorkflowId.eq(workflow_id))).await
}

/// Writes rows in as few statements as they fit.
async fn insert_all<A: ActiveModelTrait>(tx: &Tx<'_>, mut models: Vec<A>) -> Result<(), DbErr> {
    while !models.is_empty() {
        let rest = models.split_off(models.len().min(CHUNK));
        tx.execute(&A::Entity::insert_many(models)).await?;
        models = rest;
    }
    Ok(())
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
