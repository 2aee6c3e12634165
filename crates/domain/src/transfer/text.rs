//! Formatting of JSON text. Numbers, strings and the order of keys are preserved, which a parser can't guarantee.

/// Removes the whitespace between tokens.
#[must_use]
pub fn compact(json: &str) -> String {
    let mut texts = Texts::default();
    json.chars().filter(|c| texts.holds(*c) || !c.is_ascii_whitespace()).collect()
}

/// Formats a JSON text for people and git: one member per line, two spaces per level, a line break at the end.
#[must_use]
pub fn pretty(json: &str) -> String {
    let json = compact(json);
    let mut out = String::with_capacity(json.len() * 2);
    let (mut texts, mut depth) = (Texts::default(), 0_usize);
    let mut chars = json.chars().peekable();
    while let Some(c) = chars.next() {
        if texts.holds(c) {
            out.push(c);
            continue;
        }
        match c {
            '{' | '[' => {
                out.push(c);
                match chars.next_if(|next| matches!(next, '}' | ']')) {
                    Some(end) => out.push(end),
                    None => {
                        depth += 1;
                        new_line(&mut out, depth);
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => out.push(c),
        }
    }
    out.push('\n');
    out
}

/// The nesting depth of a JSON text.
#[must_use]
pub fn depth(json: &str) -> usize {
    let (mut texts, mut depth, mut deepest) = (Texts::default(), 0_usize, 0);
    for c in json.chars().filter(|c| !texts.holds(*c)) {
        match c {
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

/// A scanner that recognizes characters inside strings.
#[derive(Default)]
struct Texts {
    is_inside: bool,
    is_escaped: bool,
}

impl Texts {
    /// True if the next character belongs to a string, including its quotes.
    fn holds(&mut self, c: char) -> bool {
        if !self.is_inside {
            self.is_inside = c == '"';
            return self.is_inside;
        }
        match c {
            _ if self.is_escaped => self.is_escaped = false,
            '\\' => self.is_escaped = true,
            '"' => self.is_inside = false,
            _ => {}
        }
        true
    }
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
