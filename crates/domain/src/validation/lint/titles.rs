//! Duplicate titles, and titles that templates and code can't refer to.

use std::collections::HashMap;

use super::view::LevelView;
use crate::graph::node_type;
use crate::validation::{Code, Diagnostic};

pub(super) fn check(view: &LevelView<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let mut first: HashMap<&str, usize> = HashMap::with_capacity(view.level.nodes.len());
    for (position, (_, node)) in view.level.nodes.iter().enumerate() {
        let title = view.title(position);
        let earlier = *first.entry(title).or_insert(position);
        if earlier != position {
            let message = format!(
                "Another node also has the title \"{title}\". In the inputs of a node that receives both \
                 outputs, the key of the second one, in link order, is the id of its node. Give this node a \
                 unique title."
            );
            let diagnostic = view.diagnostic(Code::TitleCollision, position, "/title", message);
            let earlier = format!("{}/title", view.pointer(earlier));
            diagnostics.push(diagnostic.with_related(earlier, "The title is used here."));
        }
        if node.node_type != node_type::OUTPUT && !is_identifier(title) {
            diagnostics.push(unnameable_title(view, position, title));
        }
    }
}

fn unnameable_title(view: &LevelView<'_>, position: usize, title: &str) -> Diagnostic {
    let message = format!(
        "Templates can't refer to a node with the title \"{title}\", and Python code needs brackets, as in \
         input_model['my title']. In the title, use only letters, digits and `_`, don't begin with a digit, \
         and don't use a keyword."
    );
    let help = suggest_identifier(title).map(|name| format!("For example: \"{name}\"."));
    view.diagnostic(Code::TitleUnnameable, position, "/title", message).with_help(help)
}

/// The keywords of Python (The Python Language Reference, 2.3.1) and of templates.
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

/// Replaces invalid characters of a title with `_`.
fn suggest_identifier(title: &str) -> Option<String> {
    let name: String = title.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    let is_prefixed = name.starts_with(|c: char| c.is_numeric()) || KEYWORDS.contains(&title);
    let name = if is_prefixed { format!("_{name}") } else { name };
    is_identifier(&name).then_some(name)
}
