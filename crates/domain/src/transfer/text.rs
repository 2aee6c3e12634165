//! Formatting of JSON text. Numbers, strings and the order of keys are preserved, which a parser can't guarantee.

/// Removes the whitespace between tokens.
#[must_use]
pub fn compact(json: &str) -> String {
    let is_kept = |(c, in_string): &(char, bool)| *in_string || !c.is_ascii_whitespace();
    scan(json).filter(is_kept).map(|(c, _)| c).collect()
}

/// Formats a JSON text for people and git: one member per line, two spaces per level, a line break at the end.
#[must_use]
pub fn pretty(json: &str) -> String {
    let json = compact(json);
    let mut out = String::with_capacity(json.len() * 2);
    let (mut depth, mut previous) = (0_usize, None);
    for (c, in_string) in scan(&json) {
        let token = (!in_string).then_some(c);
        let is_end = matches!(token, Some('}' | ']'));
        let is_first = matches!(previous, Some('{' | '['));
        depth = depth.saturating_sub(usize::from(is_end));
        // Empty objects and arrays stay on one line.
        if is_end != is_first || previous == Some(',') {
            out.push('\n');
            out.extend(std::iter::repeat_n("  ", depth));
        }
        out.push(c);
        if token == Some(':') {
            out.push(' ');
        }
        depth += usize::from(matches!(token, Some('{' | '[')));
        previous = token;
    }
    out.push('\n');
    out
}

/// The nesting depth of a JSON text.
#[must_use]
pub fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for (c, _) in scan(json).filter(|(_, in_string)| !in_string) {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// The characters of a JSON text, each with true if it belongs to a string, including the quotes.
fn scan(json: &str) -> impl Iterator<Item = (char, bool)> {
    let (mut is_inside, mut is_escaped) = (false, false);
    json.chars().map(move |c| {
        let in_string = is_inside || c == '"';
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_inside => is_escaped = true,
            '"' => is_inside = !is_inside,
            _ => {}
        }
        (c, in_string)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formatting_changes_only_whitespace() {
        let json = " {\"b\" : [ 1.0, {} ,[ ] ],\n\t\"a \\\" : {\": -0e1, \"c\": {\"d\":null}} ";
        let laid_out = "{\n  \"b\": [\n    1.0,\n    {},\n    []\n  ],\n  \"a \\\" : {\": -0e1,\n  \"c\": {\n    \"d\": null\n  }\n}\n";
        assert_eq!(pretty(json), laid_out);
        let compacted = "{\"b\":[1.0,{},[]],\"a \\\" : {\":-0e1,\"c\":{\"d\":null}}";
        assert_eq!((compact(json).as_str(), compact(laid_out).as_str()), (compacted, compacted));
        assert_eq!(pretty(laid_out), laid_out);
        assert_eq!(pretty("7"), "7\n");
        assert_eq!((depth(json), depth("7"), depth("[\"[[\"]")), (3, 0, 1));
    }
}
