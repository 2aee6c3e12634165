use super::layout::{Area, Lane, Layout};
use super::picture::{Arrow, Picture, Shape};
use super::style::{LINE, Style, TEXT};

/// The approximate width of a letter of a title.
const LETTER: i64 = 8;

/// Renders the picture as a self-contained SVG.
pub(super) fn write(picture: &Picture) -> String {
    let Layout { areas, lanes, width, height } = Layout::new(picture);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"13\" fill=\"{TEXT}\">\n\
         <title>Workflow of {} nodes</title>\n\
         <defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" \
         markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"{LINE}\"/></marker></defs>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n",
        picture.shapes.len(),
    );
    let (nodes, groups): (Vec<_>, Vec<_>) =
        picture.shapes.iter().zip(&areas).partition(|(shape, _)| shape.children.is_empty());
    let lines = picture.arrows.iter().zip(&lanes);
    let lines: Vec<_> = lines.map(|(arrow, lanes)| (arrow, segments(arrow, lanes, &areas))).collect();
    // Later elements cover earlier ones: lines are visible inside groups and end at nodes.
    groups.iter().for_each(|(group, area)| out.push_str(&node(group, area)));
    lines.iter().for_each(|(_, segments)| out.push_str(&line(segments)));
    nodes.iter().for_each(|(shape, area)| out.push_str(&node(shape, area)));
    lines.iter().for_each(|(arrow, segments)| out.push_str(&label(arrow, segments)));
    out.push_str("</svg>\n");
    out
}

fn node(shape: &Shape, area: &Area) -> String {
    let Area { x, y, width, height } = area;
    let Style { name, fill, stroke, is_dashed } = Style::for_state(shape.state);
    let dashes = if is_dashed { " stroke-dasharray=\"4 3\"" } else { "" };
    let state = if name.is_empty() { String::new() } else { format!(": {name}") };
    let max_width = (width / LETTER) as usize;
    let (middle, first, second) = (x + width / 2, y + 20, y + 37);
    format!(
        "<g data-node=\"{}\"><title>{} ({}){state}</title>\
         <rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"{fill}\" \
         stroke=\"{stroke}\"{dashes}/>\
         <text x=\"{middle}\" y=\"{first}\" text-anchor=\"middle\" font-weight=\"bold\">{}</text>\
         <text x=\"{middle}\" y=\"{second}\" text-anchor=\"middle\" font-size=\"11\">{}</text></g>\n",
        escape(&shape.id),
        escape(&shape.title),
        escape(&shape.node_type),
        escape(&truncate(&shape.title, max_width)),
        escape(&truncate(&shape.node_type, max_width)),
    )
}

/// A horizontal segment of a line.
#[derive(Clone, Copy)]
struct Segment {
    left: i64,
    right: i64,
    y: i64,
}

/// Returns the horizontal segments of a line, from the source to the target. The line bends from the right end of each
/// to the left end of the next.
fn segments(arrow: &Arrow, lanes: &[Lane], areas: &[Area]) -> Vec<Segment> {
    let end = |shape: usize| {
        let Area { x, y, width, height } = areas[shape];
        Segment { left: x, right: x + width, y: y + height / 2 }
    };
    let lanes = lanes.iter().map(|lane| Segment { left: lane.x, right: lane.x + lane.width, y: lane.y });
    [end(arrow.source)].into_iter().chain(lanes).chain([end(arrow.target)]).collect()
}

fn line(segments: &[Segment]) -> String {
    let mut path = String::new();
    for pair in segments.windows(2) {
        let (Segment { right: x, y, .. }, Segment { left: to_x, y: to_y, .. }) = (pair[0], pair[1]);
        let bend = (to_x - x).abs() / 2;
        let start = if path.is_empty() { format!("M{x} {y}") } else { format!("H{x}") };
        path.push_str(&format!("{start}C{} {y} {} {to_y} {to_x} {to_y}", x + bend, to_x - bend));
    }
    format!("<path d=\"{path}\" fill=\"none\" stroke=\"{LINE}\" marker-end=\"url(#arrow)\"/>\n")
}

/// Renders the label in the first bend, close to the source.
fn label(arrow: &Arrow, segments: &[Segment]) -> String {
    let (Some(label), [from, to, ..]) = (&arrow.label, segments) else { return String::new() };
    let (x, y) = ((from.right + to.left) / 2, (from.y + to.y) / 2 + 4);
    let label = escape(&truncate(label, 12));
    format!(
        "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\" font-size=\"11\" stroke=\"#ffffff\" \
         stroke-width=\"3\" paint-order=\"stroke\">{label}</text>\n"
    )
}

/// Truncates a text to a width; letters of East Asian scripts are twice as wide.
fn truncate(text: &str, max_width: usize) -> String {
    let mut used = 0;
    let fits = |c: &char| {
        used += if *c < '\u{1100}' { 1 } else { 2 };
        used <= max_width
    };
    let short: String = text.chars().take_while(fits).collect();
    if short.len() == text.len() { short } else { format!("{short}…") }
}

/// Escapes text or the value of an attribute. Characters that XML can't represent become U+FFFD.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\r' | '\t' => escaped.push(' '),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ if c.is_control() => escaped.push('\u{fffd}'),
            _ => escaped.push(c),
        }
    }
    escaped
}
