//! Limits for JSON from clients, checked before parsing. They are the same for every database.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// The maximum nesting depth of objects and arrays.
pub const MAX_DEPTH: usize = 64;

/// The maximum nesting depth of a document around definitions: a definition in the history of a workflow lies up to
/// three levels deeper than in a request.
pub const MAX_DOCUMENT_DEPTH: usize = MAX_DEPTH + 3;

/// The maximum number of values: objects, arrays, strings, numbers, booleans and nulls. A value takes many times more
/// memory than its text.
pub const MAX_VALUES: usize = 1_000_000;

/// The maximum number of values of a definition in a document. Higher than [`MAX_VALUES`], because a stored definition
/// has every field of its nodes and links, including those that the client left out.
pub const MAX_DEFINITION_VALUES: usize = 4 * MAX_VALUES;

/// Checks a JSON text: at most [`MAX_DEPTH`] levels and [`MAX_VALUES`] values, only finite numbers, no U+0000 in strings
/// (PostgreSQL can't store it) and no duplicate keys in an object (RFC 7493).
///
/// # Errors
/// The first violation, with line and column.
pub fn check_json(text: &[u8]) -> Result<(), serde_json::Error> {
    let remaining = Cell::new(MAX_VALUES);
    check(
        text,
        LimitChecker {
            depth: 0,
            max_depth: MAX_DEPTH,
            max_values: MAX_VALUES,
            remaining: &remaining,
            part: Part::Inner,
        },
    )
}

/// Checks a JSON text that holds exported workflows: at most [`MAX_DOCUMENT_DEPTH`] levels, and
/// [`MAX_DEFINITION_VALUES`] values for each workflow and for each definition of its history. Otherwise as
/// [`check_json`]. Validation limits the depth of a definition itself.
///
/// # Errors
/// The first violation, with line and column.
pub fn check_documents(text: &[u8]) -> Result<(), serde_json::Error> {
    let (max_depth, max_values) = (MAX_DOCUMENT_DEPTH, MAX_DEFINITION_VALUES);
    check(
        text,
        LimitChecker { depth: 0, max_depth, max_values, remaining: &Cell::new(max_values), part: Part::Body },
    )
}

fn check(text: &[u8], checker: LimitChecker<'_>) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    checker.deserialize(&mut deserializer)?;
    deserializer.end()
}

/// A violation of the limits by a text that is JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// The nesting is too deep.
    TooDeep,
    /// A duplicate or reserved key, U+0000, a number out of range, or too many values.
    Other,
}

/// Returns the violation that an error of [`check_json`] reports, or `None` if the text is not JSON.
#[must_use]
pub fn violation(error: &serde_json::Error) -> Option<Violation> {
    if !error.is_data() {
        return None;
    }
    let is_too_deep = error.to_string().starts_with(TOO_DEEP);
    Some(if is_too_deep { Violation::TooDeep } else { Violation::Other })
}

/// The beginning of the error about nesting.
const TOO_DEEP: &str = "nested more than";

#[derive(Clone, Copy)]
struct LimitChecker<'g> {
    depth: usize,
    max_depth: usize,
    max_values: usize,
    /// The number of values still allowed.
    remaining: &'g Cell<usize>,
    /// The part of the document being checked.
    part: Part,
}

/// Parts of a document that are counted separately, and the parts that contain them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The whole text: a workflow, or an array of workflows.
    Body,
    /// A workflow.
    Workflow,
    /// The history of a workflow.
    History,
    /// A version of a workflow.
    Version,
    /// Anything else.
    Inner,
}

impl Part {
    /// Returns the part to which an item of an array in this part belongs.
    fn of_item(self) -> Self {
        match self {
            Self::Body => Self::Workflow,
            Self::History => Self::Version,
            _ => Self::Inner,
        }
    }

    /// Returns the part to which the member `key` of an object in this part belongs.
    fn of_member(self, key: &str) -> Self {
        let is_workflow = matches!(self, Self::Body | Self::Workflow);
        if is_workflow && key == "versions" { Self::History } else { Self::Inner }
    }

    /// Returns true if the member `key` of an object in this part is a definition.
    fn is_definition(self, key: &str) -> bool {
        matches!(self, Self::Body | Self::Workflow | Self::Version) && key == "definition"
    }
}

impl LimitChecker<'_> {
    fn descend<E: de::Error>(self) -> Result<Self, E> {
        let Self { depth, max_depth, .. } = self;
        if depth >= max_depth {
            return Err(E::custom(format_args!("{TOO_DEEP} {max_depth} levels deep")));
        }
        Ok(Self { depth: depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for LimitChecker<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let remaining = self.remaining.get().checked_sub(1);
        let remaining = remaining
            .ok_or_else(|| D::Error::custom(format_args!("more than {} values", self.max_values)))?;
        self.remaining.set(remaining);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for LimitChecker<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<(), E> {
        if number.is_finite() { Ok(()) } else { Err(E::custom("number out of range")) }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        if text.contains('\0') { Err(E::custom("a string must not contain U+0000")) } else { Ok(()) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inner = Self { part: self.part.of_item(), ..self.descend()? };
        loop {
            let own_limit = Cell::new(self.max_values);
            let item = if inner.part == Part::Workflow {
                LimitChecker { remaining: &own_limit, ..inner }
            } else {
                inner
            };
            if items.next_element_seed(item)?.is_none() {
                return Ok(());
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let inner = self.descend()?;
        let mut seen: HashSet<Cow<'de, str>> = HashSet::new();
        while let Some(Key(key)) = fields.next_key()? {
            if seen.contains(&key) {
                return Err(de::Error::custom(format_args!("duplicate key {key:?} in an object")));
            }
            let own_limit = Cell::new(self.max_values);
            let remaining = if self.part.is_definition(&key) { &own_limit } else { inner.remaining };
            fields.next_value_seed(LimitChecker { remaining, part: self.part.of_member(&key), ..inner })?;
            seen.insert(key);
        }
        Ok(())
    }
}

struct Key<'de>(Cow<'de, str>);

/// A string, borrowed from the input if it has no escapes.
#[derive(Deserialize)]
struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Borrowed(key) = Borrowed::deserialize(deserializer)?;
        if key.contains('\0') {
            return Err(de::Error::custom("a key must not contain U+0000"));
        }
        // serde_json itself interprets keys of this form.
        if key.starts_with("$serde_json::private::") {
            return Err(de::Error::custom("this key is reserved"));
        }
        Ok(Self(key))
    }
}
