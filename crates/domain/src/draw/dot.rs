use super::picture::{Arrow, Picture, Shape, Step};
use super::style::{LINE, PLAIN, Style, TEXT};
use crate::graph::node_type;
use crate::run::MAX_NESTING;

/// Renders the picture as a Graphviz graph. A node with children is a cluster.
pub(super) fn write(picture: &Picture) -> String {
    let mut out = "digraph workflow {\n".to_owned();
    let font = format!("fontname=\"sans-serif\", fontcolor=\"{TEXT}\"");
    out.push_str(&format!("  graph [rankdir=LR, compound=true, {font}];\n"));
    let style = format!("style=filled, fillcolor=\"{}\", color=\"{}\"", PLAIN.fill, PLAIN.stroke);
    out.push_str(&format!("  node [shape=box, {style}, {font}];\n"));
    out.push_str(&format!("  edge [color=\"{LINE}\", {font}];\n"));
    picture.visit(|step, depth| {
        let indent = "  ".repeat(depth.min(MAX_NESTING));
        out.push_str(&match step {
            Step::Node(index, shape) => format!("{indent}n{index} [{}];\n", node(shape)),
            Step::Open(index, shape) => {
                format!("{indent}subgraph cluster_n{index} {{\n{indent}  graph [{}];\n", cluster(shape))
            }
            Step::Close => format!("{indent}}}\n"),
        });
    });
    let leaves = leaves(picture);
    for arrow in &picture.arrows {
        out.push_str(&edge(picture, arrow, &leaves));
    }
    out.push_str("}\n");
    out
}

fn node(shape: &Shape) -> String {
    let mut attributes = format!("label={}", label(shape));
    match shape.node_type.as_str() {
        node_type::INPUT | node_type::OUTPUT => attributes.push_str(", shape=oval"),
        node_type::ROUTER => attributes.push_str(", shape=diamond"),
        _ => {}
    }
    if shape.state.is_some() {
        let Style { fill, stroke, is_dashed, .. } = Style::for_state(shape.state);
        let dashed = if is_dashed { ", style=\"filled,dashed\"" } else { "" };
        attributes.push_str(&format!(", fillcolor=\"{fill}\", color=\"{stroke}\"{dashed}"));
    }
    attributes
}

fn cluster(shape: &Shape) -> String {
    let Style { fill, stroke, is_dashed, .. } = Style::for_state(shape.state);
    let style = if is_dashed { "dashed" } else { "solid" };
    format!("label={}, style={style}, bgcolor=\"{fill}\", color=\"{stroke}\"", label(shape))
}

/// Renders a link. Graphviz only links nodes: a link of a cluster is a link of a node inside, clipped at the border.
fn edge(picture: &Picture, arrow: &Arrow, leaves: &[usize]) -> String {
    let Arrow { source, target, label } = arrow;
    let is_cluster = |index: usize| !picture.shapes[index].children.is_empty();
    let mut attributes = Vec::new();
    attributes.extend(label.as_ref().map(|label| format!("label=\"{}\"", escape(label))));
    attributes.extend(is_cluster(*source).then(|| format!("ltail=cluster_n{source}")));
    attributes.extend(is_cluster(*target).then(|| format!("lhead=cluster_n{target}")));
    let ends = format!("n{} -> n{}", leaves[*source], leaves[*target]);
    if attributes.is_empty() {
        format!("  {ends};\n")
    } else {
        format!("  {ends} [{}];\n", attributes.join(", "))
    }
}

/// Returns a leaf for every shape: the shape itself, or the leaf of its first child.
fn leaves(picture: &Picture) -> Vec<usize> {
    let mut leaves: Vec<_> = (0..picture.shapes.len()).collect();
    for (index, shape) in picture.shapes.iter().enumerate().rev() {
        if let Some(first) = shape.children.first() {
            leaves[index] = leaves[*first];
        }
    }
    leaves
}

fn label(shape: &Shape) -> String {
    format!("\"{}\\n{}\"", escape(&shape.title), escape(&shape.node_type))
}

/// Escapes text inside quotes, where Graphviz interprets escapes and HTML entities.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '&' => escaped.push_str("&amp;"),
            _ if c.is_whitespace() || c.is_control() => escaped.push(' '),
            _ => escaped.push(c),
        }
    }
    escaped
}
