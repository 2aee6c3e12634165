use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};

use serde_json::Value;

use super::definition_diff::{DefinitionDiff, NodeReference};
use super::field_changes::FieldChange;
use crate::Link;

/// The maximum number of characters of a value.
const MAX_VALUE_LENGTH: usize = 200;
/// The number of characters before the first difference.
const CONTEXT: usize = 20;

impl DefinitionDiff {
    /// Formats the differences for people, one per line: `+` for added, `-` for removed, `~` for changed, with the
    /// changed fields indented below. Long values start shortly before the first difference.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.to_string()
    }
}

impl Display for DefinitionDiff {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.definition.is_empty() {
            writeln!(f, "~ definition")?;
        }
        self.definition.iter().try_for_each(|change| change_line(f, change))?;
        self.nodes.removed.iter().try_for_each(|node| node_line(f, '-', node))?;
        self.nodes.added.iter().try_for_each(|node| node_line(f, '+', node))?;
        for node in &self.nodes.changed {
            writeln!(f, "~ node {} {}", quote_if_needed(&node.node_id), quote(&node.title))?;
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

fn node_line(f: &mut Formatter<'_>, sign: char, node: &NodeReference) -> fmt::Result {
    let NodeReference { node_id, title, node_type } = node;
    writeln!(f, "{sign} node {} {} ({})", quote_if_needed(node_id), quote(title), quote_if_needed(node_type))
}

fn link_line(f: &mut Formatter<'_>, sign: char, link: &Link) -> fmt::Result {
    write!(f, "{sign} link {} → {}", quote_if_needed(&link.source_id), quote_if_needed(&link.target_id))?;
    if let Some(handle) = &link.source_handle {
        write!(f, ", from {}", quote_if_needed(handle))?;
    }
    if let Some(handle) = &link.target_handle {
        write!(f, ", to {}", quote_if_needed(handle))?;
    }
    writeln!(f)
}

fn change_line(f: &mut Formatter<'_>, change: &FieldChange) -> fmt::Result {
    let text = |value: &Option<Value>| value.as_ref().map(Value::to_string);
    let pointer = quote_if_needed(&change.pointer);
    match (text(&change.before), text(&change.after)) {
        (Some(old), Some(new)) => {
            let start = excerpt_start(&old, &new);
            writeln!(f, "  {pointer}: {} → {}", excerpt(&old, start), excerpt(&new, start))
        }
        (Some(old), None) => writeln!(f, "  - {pointer}: {}", excerpt(&old, 0)),
        (None, new) => writeln!(f, "  + {pointer}: {}", excerpt(&new.unwrap_or_default(), 0)),
    }
}

/// Returns the index of the first character to show of two values: 0 unless one of them would be truncated.
fn excerpt_start(old: &str, new: &str) -> usize {
    let is_long = |text: &str| text.chars().nth(MAX_VALUE_LENGTH).is_some();
    if !is_long(old) && !is_long(new) {
        return 0;
    }
    let same = old.chars().zip(new.chars()).take_while(|(old, new)| old == new).count();
    same.saturating_sub(CONTEXT)
}

/// Returns at most [`MAX_VALUE_LENGTH`] characters of `text`, from the character at `start` on.
fn excerpt(text: &str, start: usize) -> String {
    let mut chars = text.chars().skip(start);
    let mut excerpt: String = if start > 0 { "…" } else { "" }.to_owned();
    excerpt.extend(chars.by_ref().take(MAX_VALUE_LENGTH));
    if chars.next().is_some() {
        excerpt.push('…');
    }
    excerpt
}

/// Quotes a name if it could be mistaken for more than one word.
fn quote_if_needed(name: &str) -> Cow<'_, str> {
    let is_special = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '→' | ',');
    if name.is_empty() || name.contains(is_special) { Cow::Owned(quote(name)) } else { Cow::Borrowed(name) }
}

/// Formats a name as a JSON string, which has no line breaks.
fn quote(name: &str) -> String {
    Value::from(name).to_string()
}
