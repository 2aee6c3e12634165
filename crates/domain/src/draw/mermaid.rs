use super::picture::{Picture, Shape, Step};
use super::style::{LINE, Style, TEXT};
use crate::graph::node_type;
use crate::run::{MAX_NESTING, TaskStatus};

const STATES: [TaskStatus; 6] = [
    TaskStatus::Pending,
    TaskStatus::Running,
    TaskStatus::Completed,
    TaskStatus::Failed,
    TaskStatus::Paused,
    TaskStatus::Canceled,
];

/// Renders the picture as a Mermaid flowchart.
pub(super) fn write(picture: &Picture) -> String {
    let mut out = "flowchart LR\n".to_owned();
    picture.visit(|step, depth| {
        let indent = "  ".repeat(depth.min(MAX_NESTING));
        out.push_str(&match step {
            Step::Node(index, shape) => format!("{indent}n{index}{}\n", node(shape)),
            Step::Open(index, shape) => format!("{indent}subgraph n{index}[\"{}\"]\n", label(shape)),
            Step::Close => format!("{indent}end\n"),
        });
    });
    for arrow in &picture.arrows {
        let label = arrow.label.as_ref().map(|label| format!("|\"{}\"|", escape(label)));
        let label = label.unwrap_or_default();
        out.push_str(&format!("  n{} -->{label} n{}\n", arrow.source, arrow.target));
    }
    write_states(&mut out, picture);
    out
}

fn write_states(out: &mut String, picture: &Picture) {
    for state in STATES {
        let of_state = picture.shapes.iter().enumerate().filter(|(_, shape)| shape.state == Some(state));
        let names: Vec<_> = of_state.map(|(index, _)| format!("n{index}")).collect();
        if names.is_empty() {
            continue;
        }
        let Style { name, fill, stroke, is_dashed } = Style::for_state(Some(state));
        let dashes = if is_dashed { ",stroke-dasharray:4 3" } else { "" };
        out.push_str(&format!("  classDef {name} fill:{fill},stroke:{stroke},color:{TEXT}{dashes}\n"));
        out.push_str(&format!("  class {} {name}\n", names.join(",")));
    }
    if !picture.arrows.is_empty() {
        out.push_str(&format!("  linkStyle default stroke:{LINE}\n"));
    }
}

fn node(shape: &Shape) -> String {
    let label = label(shape);
    match shape.node_type.as_str() {
        node_type::INPUT | node_type::OUTPUT => format!("([\"{label}\"])"),
        node_type::ROUTER => format!("{{\"{label}\"}}"),
        _ => format!("[\"{label}\"]"),
    }
}

fn label(shape: &Shape) -> String {
    format!("{}<br/>{}", escape(&shape.title), escape(&shape.node_type))
}

/// Escapes text inside quotes. Letters, digits and a few characters without a special meaning are kept. All others
/// become character codes, so that no text can end the quotes, or be read as HTML or as Markdown such as `1. x`.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut is_list_marker = true;
    for c in text.chars() {
        match c {
            '.' | '-' if is_list_marker => escaped.push_str(&format!("#{};", u32::from(c))),
            _ if c.is_alphanumeric() || matches!(c, ' ' | '.' | ',' | ':' | '-' | '(' | ')') => {
                escaped.push(c)
            }
            _ if c.is_whitespace() || c.is_control() => escaped.push(' '),
            _ => escaped.push_str(&format!("#{};", u32::from(c))),
        }
        is_list_marker &= c.is_ascii_digit();
    }
    escaped
}
