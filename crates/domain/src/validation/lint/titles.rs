//! Titles that other nodes can't tell apart, or can't name.

use std::collections::HashMap;

use super::View;
use crate::graph::node_type;
use crate::validation::{Code, Diagnostic};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Diagnostic>) {
    let mut first: HashMap<&str, usize> = HashMap::with_capacity(view.level.nodes.len());
    for (place, (_, node)) in view.level.nodes.iter().enumerate() {
        let title = view.title(place);
        let earlier = *first.entry(title).or_insert(place);
        if earlier != place {
            let message = format!(
                "The title \"{title}\" is also that of another node, so where both arrive this one arrives as \"{}\". \
                 Give it a title of its own.",
                node.id
            );
            let here = view.about(Code::TitleCollision, place, "/title", message);
            found
                .push(here.related_to(format!("{}/title", view.pointer(earlier)), "The title is used here."));
        }
        if node.node_type != node_type::OUTPUT && !is_identifier(title) {
            found.push(unnameable(view, place, title));
        }
    }
}

fn unnameable(view: &View<'_>, place: usize, title: &str) -> Diagnostic {
    let message = format!(
        "Templates and Python code can't name a node with the title \"{title}\". Use letters, digits and _ alone, a \
         digit not first, and no word of the language."
    );
    let help = identifier_of(title).map(|name| format!("Call it \"{name}\", for example."));
    view.about(Code::TitleUnnameable, place, "/title", message).with_help(help)
}

/// The keywords of Python (The Python Language Reference, 2.3.1), and those of templates that it doesn't have.
const KEYWORDS: [&str; 38] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def",
    "del", "elif", "else", "except", "false", "finally", "for", "from", "global", "if", "import", "in", "is",
    "lambda", "none", "nonlocal", "not", "or", "pass", "raise", "return", "true", "try", "while", "with",
    "yield",
];

fn is_identifier(title: &str) -> bool {
    let mut letters = title.chars();
    !KEYWORDS.contains(&title)
        && letters.next().is_some_and(|first| first == '_' || first.is_alphabetic())
        && letters.all(|letter| letter == '_' || letter.is_alphanumeric())
}

/// The title with `_` where it can't be named.
fn identifier_of(title: &str) -> Option<String> {
    let name: String = title.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    let is_prefixed = name.starts_with(|c: char| c.is_numeric()) || KEYWORDS.contains(&title);
    let name = if is_prefixed { format!("_{name}") } else { name };
    is_identifier(&name).then_some(name)
}
