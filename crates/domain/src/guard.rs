//! What every JSON text from outside must be before it is taken in: the same rules on every store.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// The deepest nesting of objects and lists that is accepted.
pub const MAX_DEPTH: usize = 64;

/// The most values that are accepted: objects, lists, texts, numbers. Each takes many times its text in memory.
pub const MAX_VALUES: usize = 1_000_000;

/// The most values of a definition in a document. What is stored names every member of its nodes and links, also those
/// that were left out when it was saved, so it has more values than what [`MAX_VALUES`] was asked of.
pub const MAX_DEFINITION_VALUES: usize = 4 * MAX_VALUES;

/// Accepts a JSON text of at most [`MAX_DEPTH`] levels and [`MAX_VALUES`] values whose numbers are finite doubles, whose strings
/// are Unicode without U+0000 (PostgreSQL stores none) and whose objects name no key twice (RFC 7493).
///
/// # Errors
/// Where the text breaks a rule, with line and column.
pub fn check_json(text: &[u8]) -> Result<(), serde_json::Error> {
    check(
        text,
        Guard { depth: 0, max: MAX_DEPTH, most: MAX_VALUES, left: &Cell::new(MAX_VALUES), part: Part::Inner },
    )
}

/// As [`check_json`], for documents of workflows: around a definition they are up to three levels deeper than what it
/// was saved in, and each workflow, and each definition of its history, may have [`MAX_DEFINITION_VALUES`] values. How
/// deep a definition itself may be is for its validation to say. How many there are is bounded by their size alone:
/// they are looked into one after the other.
///
/// # Errors
/// As [`check_json`].
pub fn check_documents(text: &[u8]) -> Result<(), serde_json::Error> {
    let most = MAX_DEFINITION_VALUES;
    check(text, Guard { depth: 0, max: MAX_DEPTH + 3, most, left: &Cell::new(most), part: Part::Body })
}

fn check(text: &[u8], guard: Guard<'_>) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    guard.deserialize(&mut deserializer)?;
    deserializer.end()
}

/// Why JSON that follows its grammar is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is nested too deep.
    TooDeep,
    /// It holds a key twice, or U+0000, or a key that is reserved, or too many values.
    Unfit,
}

/// Why [`check_json`] refused a text; none when the text is no JSON at all.
#[must_use]
pub fn refusal(error: &serde_json::Error) -> Option<Refusal> {
    let is_deep = || error.to_string().starts_with(TOO_DEEP);
    error.is_data().then(|| if is_deep() { Refusal::TooDeep } else { Refusal::Unfit })
}

/// How the error about nesting begins.
const TOO_DEEP: &str = "nested more than";

#[derive(Clone, Copy)]
struct Guard<'g> {
    depth: usize,
    max: usize,
    /// How many values may come at all.
    most: usize,
    /// How many more values may come.
    left: &'g Cell<usize>,
    /// What is looked into.
    part: Part,
}

/// The parts of documents whose values are counted on their own, and what they are found in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// All of it: a workflow, or a list of them.
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
    /// What the items of a list are.
    fn item(self) -> Self {
        match self {
            Self::Body => Self::Workflow,
            Self::History => Self::Version,
            _ => Self::Inner,
        }
    }

    /// What a member of an object is.
    fn member(self, key: &str) -> Self {
        let is_workflow = matches!(self, Self::Body | Self::Workflow);
        if is_workflow && key == "versions" { Self::History } else { Self::Inner }
    }

    /// Whether a member of an object is a definition.
    fn has_definition(self, key: &str) -> bool {
        matches!(self, Self::Body | Self::Workflow | Self::Version) && key == "definition"
    }
}

impl Guard<'_> {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        let Self { depth, max, .. } = self;
        if depth >= max {
            return Err(E::custom(format_args!("{TOO_DEEP} {max} deep")));
        }
        Ok(Self { depth: depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Guard<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let left = self.left.get().checked_sub(1);
        let left = left.ok_or_else(|| D::Error::custom(format_args!("more than {} values", self.most)))?;
        self.left.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Guard<'_> {
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
        if text.contains('\0') { Err(E::custom("a string may not hold U+0000")) } else { Ok(()) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inner = Self { part: self.part.item(), ..self.deeper()? };
        loop {
            let own = Cell::new(self.most);
            let item = if inner.part == Part::Workflow { Guard { left: &own, ..inner } } else { inner };
            if items.next_element_seed(item)?.is_none() {
                return Ok(());
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        let mut seen: HashSet<Cow<'de, str>> = HashSet::new();
        while let Some(Key(key)) = fields.next_key()? {
            if seen.contains(&key) {
                return Err(de::Error::custom(format_args!("the key {key:?} stands twice in one object")));
            }
            let own = Cell::new(self.most);
            let left = if self.part.has_definition(&key) { &own } else { inner.left };
            fields.next_value_seed(Guard { left, part: self.part.member(&key), ..inner })?;
            seen.insert(key);
        }
        Ok(())
    }
}

struct Key<'de>(Cow<'de, str>);

/// A text where it stands, if it has no escapes.
#[derive(Deserialize)]
struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Borrowed(key) = Borrowed::deserialize(deserializer)?;
        if key.contains('\0') {
            return Err(de::Error::custom("a key may not hold U+0000"));
        }
        // serde_json itself gives keys of this form a meaning.
        if key.starts_with("$serde_json::private::") {
            return Err(de::Error::custom("this key is reserved"));
        }
        Ok(Self(key))
    }
}
