use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};

use serde_json::Value;

use super::changes::Change;
use super::diff::{Diff, NodeRef};
use crate::Link;

/// How many characters of a value are shown.
const SHOWN: usize = 200;
/// How many characters are shown before the first that is different.
const CONTEXT: usize = 20;

impl Diff {
    /// The differences as text for people, a line each: `+` came, `-` went, `~` changed, with the fields
    /// of what changed indented below. Long values are shown from where they begin to differ.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.to_string()
    }
}

impl Display for Diff {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.definition.is_empty() {
            writeln!(f, "~ definition")?;
        }
        self.definition.iter().try_for_each(|change| change_line(f, change))?;
        self.nodes.removed.iter().try_for_each(|node| node_line(f, '-', node))?;
        self.nodes.added.iter().try_for_each(|node| node_line(f, '+', node))?;
        for node in &self.nodes.changed {
            writeln!(f, "~ node {} {}", word(&node.node_id), quoted(&node.title))?;
            node.changes.iter().try_for_each(|change| change_line(f, change))?;
        }
        if self.nodes.reordered {
            writeln!(f, "~ nodes in another order")?;
        }
        self.links.removed.iter().try_for_each(|link| link_line(f, '-', link))?;
        self.links.added.iter().try_for_each(|link| link_line(f, '+', link))?;
        if self.links.reordered {
            writeln!(f, "~ links in another order")?;
        }
        Ok(())
    }
}

fn node_line(f: &mut Formatter<'_>, sign: char, node: &NodeRef) -> fmt::Result {
    let NodeRef { node_id, title, node_type } = node;
    writeln!(f, "{sign} node {} {} ({})", word(node_id), quoted(title), word(node_type))
}

fn link_line(f: &mut Formatter<'_>, sign: char, link: &Link) -> fmt::Result {
    write!(f, "{sign} link {} → {}", word(&link.source_id), word(&link.target_id))?;
    if let Some(handle) = &link.source_handle {
        write!(f, ", from {}", word(handle))?;
    }
    if let Some(handle) = &link.target_handle {
        write!(f, ", to {}", word(handle))?;
    }
    writeln!(f)
}

fn change_line(f: &mut Formatter<'_>, change: &Change) -> fmt::Result {
    let text = |value: &Option<Value>| value.as_ref().map(Value::to_string);
    let pointer = word(&change.pointer);
    match (text(&change.before), text(&change.after)) {
        (Some(old), Some(new)) => {
            let start = start_of_difference(&old, &new);
            writeln!(f, "  {pointer}: {} → {}", shown(&old, start), shown(&new, start))
        }
        (Some(old), None) => writeln!(f, "  - {pointer}: {}", shown(&old, 0)),
        (None, new) => writeln!(f, "  + {pointer}: {}", shown(&new.unwrap_or_default(), 0)),
    }
}

/// From which character on two values are shown: the first, unless one would be cut.
fn start_of_difference(old: &str, new: &str) -> usize {
    let is_long = |text: &str| text.chars().nth(SHOWN).is_some();
    if !is_long(old) && !is_long(new) {
        return 0;
    }
    let same = old.chars().zip(new.chars()).take_while(|(old, new)| old == new).count();
    same.saturating_sub(CONTEXT)
}

/// At most [`SHOWN`] characters of `text`, from the character at `start` on.
fn shown(text: &str, start: usize) -> String {
    let mut chars = text.chars().skip(start);
    let mut shown: String = if start > 0 { "…" } else { "" }.to_owned();
    shown.extend(chars.by_ref().take(SHOWN));
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}

/// A name as it is, or quoted where it could be mistaken for more than one word.
fn word(name: &str) -> Cow<'_, str> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '→' | ',');
    if name.is_empty() || name.contains(odd) { Cow::Owned(quoted(name)) } else { Cow::Borrowed(name) }
}

/// A name as a JSON string, which has no line breaks.
fn quoted(name: &str) -> String {
    Value::from(name).to_string()
}
