use std::collections::HashMap;

use proptest::collection::vec;
use proptest::prelude::*;
use roxmltree::Document;
use serde_json::json;
use sluice_domain::draw::{DrawError, DrawingFormat, MAX_SVG_SHAPES, draw, state_key};
use sluice_domain::graph::RawObject;
use sluice_domain::run::{LoopIteration, TaskPath, TaskStatus};
use sluice_domain::{Definition, Node};

use crate::kinds::{link, loop_node, node};

const STATES: [TaskStatus; 6] = [
    TaskStatus::Pending,
    TaskStatus::Running,
    TaskStatus::Completed,
    TaskStatus::Failed,
    TaskStatus::Paused,
    TaskStatus::Canceled,
];

fn plain(definition: &Definition, format: DrawingFormat) -> String {
    draw(definition, format, &HashMap::new()).unwrap()
}

fn titles() -> impl Strategy<Value = String> {
    let special = "[\"'`<>&;#|\\[\\](){}\\\\\n\r\t\u{0}\u{b}\u{7f}\u{85}\u{fffe}\u{2028}%:.\\-end1]{0,12}";
    prop_oneof![special.boxed(), any::<String>().boxed(), Just("end".to_owned()).boxed()]
}

/// A random node: title, node type, parent, kind of body.
type RandomNode = (String, String, Option<usize>, u8);
/// A random link: source, target, route.
type RandomLink = (usize, usize, Option<String>);

/// Generates definitions of any shape, in which links and parents may form cycles.
fn definitions() -> impl Strategy<Value = Definition> {
    let kinds = prop_oneof!["InputNode", "RouterNode", "ForLoopNode", titles()];
    let nodes = vec((titles(), kinds, proptest::option::of(0..12usize), 0..4u8), 0..12);
    (nodes, vec((0..14usize, 0..14usize, proptest::option::of(titles())), 0..20)).prop_map(build)
}

fn build((nodes, links): (Vec<RandomNode>, Vec<RandomLink>)) -> Definition {
    let nodes = nodes.into_iter().enumerate().map(|(index, (title, kind, parent, body))| {
        let inner = loop_node("inner", 1, "<Echo>");
        let with_body = match body {
            0 => loop_node("x", 1, "Echo"),
            1 => Node {
                subworkflow: Some(Box::new(Definition { nodes: vec![inner], ..Definition::default() })),
                ..Node::default()
            },
            _ => Node::default(),
        };
        let parent_id = parent.map(|parent| format!("id{parent}"));
        Node { id: format!("id{index}"), title, node_type: kind, parent_id, ..with_body }
    });
    let links = links.into_iter();
    let links =
        links.map(|(from, to, route)| link(&format!("id{from}"), &format!("id{to}"), route.as_deref()));
    Definition { nodes: nodes.collect(), links: links.collect(), ..Definition::default() }
}

/// Removes quoted parts of a text. `\` escapes the next character if `escapes` is true.
fn unquote(text: &str, escapes: bool) -> String {
    let (mut unquoted, mut is_quoted, mut chars) = (String::new(), false, text.chars());
    while let Some(c) = chars.next() {
        match c {
            '"' => is_quoted = !is_quoted,
            '\\' if is_quoted && escapes => drop(chars.next()),
            _ if is_quoted => {}
            _ => unquoted.push(c),
        }
    }
    assert!(!is_quoted, "an unterminated quote in: {text}");
    unquoted
}

/// Returns the index of the shape that a line declares, in Mermaid or in DOT.
fn declaration_index(line: &str) -> Option<usize> {
    let line = line.trim().trim_start_matches("subgraph ").trim_start_matches("cluster_");
    let rest = line.strip_prefix('n')?;
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    let is_link = rest.contains("->") || rest.contains("-->");
    (!is_link && end > 0).then(|| rest[..end].parse().unwrap())
}

fn declared_shapes(text: &str) -> Vec<usize> {
    let mut indices: Vec<_> = text.lines().filter_map(declaration_index).collect();
    indices.sort_unstable();
    indices
}

proptest! {
    #[test]
    fn every_node_is_drawn_once_in_every_format(definition in definitions(), state in 0..6usize) {
        let states: HashMap<_, _> =
            definition.nodes.iter().map(|node| (node.id.clone(), STATES[state])).collect();
        let svg = draw(&definition, DrawingFormat::Svg, &states).unwrap();
        let document = Document::parse(&svg).unwrap();
        let mut drawn: Vec<_> = document.descendants().filter_map(|node| node.attribute("data-node")).collect();
        let shapes: Vec<_> = (0..drawn.len()).collect();
        drawn.retain(|id| id.starts_with("id"));
        drawn.sort_unstable();
        let mut expected: Vec<_> = definition.nodes.iter().map(|node| node.id.as_str()).collect();
        expected.sort_unstable();
        prop_assert_eq!(drawn, expected);

        let mermaid = unquote(&draw(&definition, DrawingFormat::Mermaid, &states).unwrap(), false);
        prop_assert_eq!(&declared_shapes(&mermaid), &shapes, "{}", mermaid);
        let opened = mermaid.lines().filter(|line| line.trim().starts_with("subgraph ")).count();
        let closed = mermaid.lines().filter(|line| line.trim() == "end").count();
        prop_assert_eq!(opened, closed);

        let dot = unquote(&draw(&definition, DrawingFormat::Dot, &states).unwrap(), true);
        prop_assert_eq!(&declared_shapes(&dot), &shapes, "{}", dot);
        prop_assert_eq!(dot.matches('{').count(), dot.matches('}').count());
    }

    #[test]
    fn titles_are_escaped_in_every_format(title in titles()) {
        let definition = |title: &str| Definition {
            nodes: vec![Node { title: title.to_owned(), ..node("a", "RouterNode") }, node("b", "Echo")],
            links: vec![link("a", "b", Some(&format!("x{title}")))],
            ..Definition::default()
        };
        let (special, plain_title) = (definition(&title), definition("x"));
        for (format, escapes) in [(DrawingFormat::Mermaid, false), (DrawingFormat::Dot, true)] {
            let (special, plain_title) = (plain(&special, format), plain(&plain_title, format));
            prop_assert_eq!(unquote(&special, escapes), unquote(&plain_title, escapes));
        }
        let mermaid = plain(&special, DrawingFormat::Mermaid);
        prop_assert_eq!(mermaid.matches('<').count(), 2, "{}", mermaid);
    }
}

/// Returns a definition with an input, a router and a loop over children.
fn example() -> Definition {
    let child = |id: &str, kind| Node { parent_id: Some("loop".to_owned()), ..node(id, kind) };
    Definition {
        nodes: vec![
            Node { title: "1. \"In\" & <b>\nout".to_owned(), ..node("in", "InputNode") },
            node("router", "RouterNode"),
            Node { title: "Loop".to_owned(), ..node("loop", "ForLoopNode") },
            child("first", "InputNode"),
            child("last", "OutputNode"),
        ],
        links: vec![
            link("in", "router", None),
            link("router", "loop", Some("yes")),
            link("first", "last", Some("not a route")),
            link("router", "last", Some("into another level")),
        ],
        ..Definition::default()
    }
}

fn states() -> HashMap<String, TaskStatus> {
    let scope = vec![LoopIteration { loop_id: "loop".to_owned(), iteration: 7 }];
    let first = state_key(&TaskPath::new(&scope, "first"));
    HashMap::from([("in".to_owned(), TaskStatus::Completed), (first, TaskStatus::Running)])
}

#[test]
fn mermaid_matches_the_expected_text() {
    let expected = r##"flowchart LR
  n0(["1#46; #34;In#34; #38; #60;b#62; out<br/>InputNode"])
  n1{"router<br/>RouterNode"}
  subgraph n2["Loop<br/>ForLoopNode"]
    n3(["first<br/>InputNode"])
    n4(["last<br/>OutputNode"])
  end
  n0 --> n1
  n1 -->|"yes"| n2
  n3 --> n4
  classDef running fill:#bfdbfe,stroke:#1d4ed8,color:#1a1a1a
  class n3 running
  classDef completed fill:#bbf7d0,stroke:#15803d,color:#1a1a1a
  class n0 completed
  linkStyle default stroke:#6b7280
"##;
    assert_eq!(draw(&example(), DrawingFormat::Mermaid, &states()).unwrap(), expected);
}

#[test]
fn dot_matches_the_expected_text() {
    let expected = r##"digraph workflow {
  graph [rankdir=LR, compound=true, fontname="sans-serif", fontcolor="#1a1a1a"];
  node [shape=box, style=filled, fillcolor="#ffffff", color="#374151", fontname="sans-serif", fontcolor="#1a1a1a"];
  edge [color="#6b7280", fontname="sans-serif", fontcolor="#1a1a1a"];
  n0 [label="1. \"In\" &amp; <b> out\nInputNode", shape=oval, fillcolor="#bbf7d0", color="#15803d"];
  n1 [label="router\nRouterNode", shape=diamond];
  subgraph cluster_n2 {
    graph [label="Loop\nForLoopNode", style=solid, bgcolor="#ffffff", color="#374151"];
    n3 [label="first\nInputNode", shape=oval, fillcolor="#bfdbfe", color="#1d4ed8"];
    n4 [label="last\nOutputNode", shape=oval];
  }
  n0 -> n1;
  n1 -> n3 [label="yes", lhead=cluster_n2];
  n3 -> n4;
}
"##;
    assert_eq!(draw(&example(), DrawingFormat::Dot, &states()).unwrap(), expected);
}

/// Returns `(x, y, width, height)` of a node in an SVG.
fn area(document: &Document<'_>, id: &str) -> (i64, i64, i64, i64) {
    let group = document.descendants().find(|node| node.attribute("data-node") == Some(id)).unwrap();
    let rect = group.children().find(|node| node.has_tag_name("rect")).unwrap();
    let number = |name| rect.attribute(name).unwrap().parse().unwrap();
    (number("x"), number("y"), number("width"), number("height"))
}

#[test]
fn svg_is_self_contained_and_drawn_from_left_to_right() {
    let svg = draw(&example(), DrawingFormat::Svg, &states()).unwrap();
    let document = Document::parse(&svg).unwrap();
    let root = document.root_element();
    assert_eq!(root.attribute("role"), Some("img"));
    assert_eq!(root.first_element_child().unwrap().tag_name().name(), "title");
    assert!(!svg.contains("<script") && !svg.contains("href") && svg.matches("http").count() == 1);
    assert!(svg.contains("<title>first (InputNode): running</title>"), "{svg}");
    let [input, router, loop_area, first, last] =
        ["in", "router", "loop", "first", "last"].map(|id| area(&document, id));
    assert!(input.0 + input.2 < router.0 && router.0 + router.2 < loop_area.0 && first.0 + first.2 < last.0);
    assert!(loop_area.0 < first.0 && last.0 + last.2 < loop_area.0 + loop_area.2);
    assert!(loop_area.1 < first.1 && first.1 + first.3 < loop_area.1 + loop_area.3);
    let lines = document.descendants().filter(|node| node.attribute("marker-end").is_some());
    assert_eq!(lines.count(), 3);
}

#[test]
fn bodies_are_drawn_inside_their_loops() {
    let in_field = Node {
        subworkflow: Some(Box::new(Definition { nodes: vec![node("a", "Echo")], ..Definition::default() })),
        ..node("field", "ForLoopNode")
    };
    let empty = RawObject::from_map(json!({"subworkflow": {}}).as_object().unwrap());
    let empty = Node { config: empty, ..node("empty", "ForLoopNode") };
    let nodes = vec![loop_node("config", 2, "Echo"), in_field, empty];
    let svg = plain(&Definition { nodes, ..Definition::default() }, DrawingFormat::Svg);
    let document = Document::parse(&svg).unwrap();
    let drawn: Vec<_> = document.descendants().filter_map(|node| node.attribute("data-node")).collect();
    assert_eq!(drawn, ["config", "field", "in", "inner", "out", "a", "empty"]);
}

#[test]
fn long_links_pass_beside_intermediate_nodes() {
    let nodes = ["a", "b", "c"].map(|id| node(id, "Echo")).to_vec();
    let links = vec![link("a", "b", None), link("b", "c", None), link("a", "c", None)];
    let svg = plain(&Definition { nodes, links, ..Definition::default() }, DrawingFormat::Svg);
    let document = Document::parse(&svg).unwrap();
    let (x, y, width, height) = area(&document, "b");
    let mut paths = document.descendants().filter_map(|node| node.attribute("d"));
    let (start, end) = paths.find_map(|path| path.split_once('H')).unwrap();
    let (line_end, passing_y) = start.rsplit_once(' ').unwrap();
    assert!(line_end.ends_with(&format!(" {x}")) && end.starts_with(&format!("{}C", x + width)), "{svg}");
    let passing_y: i64 = passing_y.parse().unwrap();
    assert!(passing_y < y || y + height < passing_y, "{svg}");
}

#[test]
fn many_long_links_are_drawn() {
    let id = |n: usize| format!("n{n}");
    let chain = (1..3_000).map(|n| link(&id(n - 1), &id(n), None));
    let long = (2..3_000).map(|n| link(&id(0), &id(n), None));
    let nodes = (0..3_000).map(|n| node(&id(n), "Echo")).collect();
    let links = chain.chain(long).collect();
    let svg = plain(&Definition { nodes, links, ..Definition::default() }, DrawingFormat::Svg);
    assert_eq!(svg.matches("marker-end").count(), 5_997);
}

#[test]
fn large_and_deep_definitions_are_drawn() {
    let chain = |count: usize, is_nested: bool| {
        let id = |n: usize| format!("n{n}");
        let parent = |n: usize| n.checked_sub(1).filter(|_| is_nested).map(id);
        let nodes = (0..count).map(|n| Node { parent_id: parent(n), ..node(&id(n), "Echo") }).collect();
        let links = (1..count).map(|n| link(&id(n - 1), &id(n), None)).collect();
        Definition { nodes, links, ..Definition::default() }
    };
    for is_nested in [false, true] {
        let large = chain(20_000, is_nested);
        assert_eq!(declared_shapes(&plain(&large, DrawingFormat::Mermaid)).len(), 20_000);
        assert_eq!(declared_shapes(&plain(&large, DrawingFormat::Dot)).len(), 20_000);
        let svg = plain(&chain(MAX_SVG_SHAPES / 2, is_nested), DrawingFormat::Svg);
        assert_eq!(svg.matches("data-node").count(), MAX_SVG_SHAPES / 2);
        let result = draw(&large, DrawingFormat::Svg, &HashMap::new());
        assert!(matches!(result, Err(DrawError::TooLarge { .. })));
    }
}
