use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};
use sluice_domain::graph::{Coordinates, Dimensions, RawObject};
use sluice_domain::versioning::{DefinitionDiff, Patch, definition_hash, diff, patch};
use sluice_domain::{Definition, Link, Node, SpurType};

use crate::kinds::{link, node};

const LAYOUT: [&str; 3] = ["coordinates", "dimensions", "test_inputs"];

fn to_json(definition: &Definition) -> Value {
    serde_json::to_value(definition).unwrap()
}

fn canonical(value: &Value) -> String {
    serde_json_canonicalizer::to_string(value).unwrap()
}

fn apply(definition: &Definition, patch: &Patch) -> Value {
    let mut value = to_json(definition);
    json_patch::patch(&mut value, patch).unwrap();
    value
}

fn raw(value: &Value) -> RawObject {
    RawObject::from_map(value.as_object().unwrap())
}

fn ids() -> impl Strategy<Value = String> {
    prop_oneof![9 => "[a-e]", 1 => "[~/\n0→ \"]{0,2}"]
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..3i64).prop_map(Value::from),
        (0..3u8).prop_map(|number| json!(f64::from(number))),
        Just(json!(9_007_199_254_740_993_u64)),
        Just(json!(9_007_199_254_740_992_f64)),
        "[a-c\n/~]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let fields = vec((prop_oneof!["[a-c/~]{0,2}", Just("id".to_owned())], inner.clone()), 0..4);
        prop_oneof![
            vec(inner, 0..5).prop_map(Value::from),
            fields.prop_map(|fields| fields.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

fn layouts() -> impl Strategy<Value = (Option<Coordinates>, Option<Dimensions>)> {
    let number = || (0..3u8).prop_map(f64::from);
    let coordinates = (number(), number()).prop_map(|(x, y)| Coordinates { x, y });
    let dimensions = (number(), number()).prop_map(|(width, height)| Dimensions { width, height });
    (proptest::option::of(coordinates), proptest::option::of(dimensions))
}

fn nodes(bodies: impl Strategy<Value = Definition> + 'static) -> impl Strategy<Value = Node> {
    let kinds = prop_oneof![Just("ForLoopNode"), Just("Echo")];
    let body = || proptest::option::weighted(0.3, bodies.boxed());
    let body = body().boxed();
    (ids(), kinds, vec(("[a-c]", values()), 0..4), layouts(), body.clone(), body).prop_map(
        |(id, kind, config, (coordinates, dimensions), subworkflow, in_config)| {
            let mut config: Map<String, Value> = config.into_iter().collect();
            config.extend(in_config.map(|body| ("subworkflow".to_owned(), to_json(&body))));
            let subworkflow = subworkflow.map(Box::new);
            let config = RawObject::from_map(&config);
            Node { config, coordinates, dimensions, subworkflow, ..node(&id, kind) }
        },
    )
}

fn definitions_with(nodes: impl Strategy<Value = Node>) -> impl Strategy<Value = Definition> {
    let handle = || proptest::option::of("[ab]");
    let link = (ids(), ids(), handle(), handle()).prop_map(
        |(source_id, target_id, source_handle, target_handle)| Link {
            source_id,
            target_id,
            source_handle,
            target_handle,
        },
    );
    let rows = vec(values().prop_map(|value| raw(&json!({ "row": value }))), 0..3);
    let spur_type = prop_oneof![5 => Just(SpurType::Workflow), 1 => Just(SpurType::Agent)];
    (vec(nodes, 0..5), vec(link, 0..5), rows, spur_type).prop_map(|(nodes, links, test_inputs, spur_type)| {
        Definition { nodes, links, test_inputs, spur_type }
    })
}

fn definitions() -> impl Strategy<Value = Definition> {
    let flat = definitions_with(nodes(Just(Definition::default())));
    definitions_with(nodes(flat))
}

/// A small change of a definition.
#[derive(Clone, Debug)]
enum Edit {
    Swap(Index, Index),
    Remove(Index),
    Insert(Index, Node),
    Layout(Index, (Option<Coordinates>, Option<Dimensions>)),
    Config(Index, Value),
    Doubles(Index),
    Retype(Index),
    Rows,
    SwapLinks(Index, Index),
    Unlink(Index),
    Double(Index),
    InBody(Index, Box<Edit>),
}

fn edits() -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    let edit = prop_oneof![
        (at(), at()).prop_map(|(a, b)| Edit::Swap(a, b)),
        at().prop_map(Edit::Remove),
        (at(), nodes(Just(Definition::default()))).prop_map(|(at, node)| Edit::Insert(at, node)),
        (at(), layouts()).prop_map(|(at, layout)| Edit::Layout(at, layout)),
        (at(), values()).prop_map(|(at, value)| Edit::Config(at, value)),
        at().prop_map(Edit::Doubles),
        at().prop_map(Edit::Retype),
        Just(Edit::Rows),
        (at(), at()).prop_map(|(a, b)| Edit::SwapLinks(a, b)),
        at().prop_map(Edit::Unlink),
        at().prop_map(Edit::Double),
    ];
    edit.prop_recursive(1, 2, 1, move |inner| {
        (at(), inner).prop_map(|(at, edit)| Edit::InBody(at, Box::new(edit)))
    })
}

fn edit(definition: &mut Definition, step: Edit) {
    let Definition { nodes, links, test_inputs, .. } = definition;
    let (count, link_count) = (nodes.len(), links.len());
    match step {
        Edit::Insert(at, node) => nodes.insert(at.index(count + 1), node),
        Edit::Rows => test_inputs.push(raw(&json!({"x": 1}))),
        Edit::SwapLinks(a, b) if !links.is_empty() => links.swap(a.index(link_count), b.index(link_count)),
        Edit::Unlink(at) if !links.is_empty() => drop(links.remove(at.index(link_count))),
        Edit::Double(at) if !links.is_empty() => links.push(at.get(links).clone()),
        _ if nodes.is_empty() => {}
        Edit::Swap(a, b) => nodes.swap(a.index(count), b.index(count)),
        Edit::Remove(at) => drop(nodes.remove(at.index(count))),
        Edit::Layout(at, (coordinates, dimensions)) => {
            let node = at.get_mut(nodes);
            *node = Node { coordinates, dimensions, ..node.clone() };
        }
        Edit::Config(at, value) => {
            let mut config = at.get(nodes).config.to_map();
            config.insert("a".to_owned(), value);
            at.get_mut(nodes).config = RawObject::from_map(&config);
        }
        Edit::Doubles(at) => {
            let config = with_doubles(at.get(nodes).config.to_map().into());
            at.get_mut(nodes).config = raw(&config);
        }
        Edit::Retype(at) => at.get_mut(nodes).node_type = "Echo".to_owned(),
        Edit::InBody(at, step) => edit_body(at.get_mut(nodes), *step),
        Edit::SwapLinks(..) | Edit::Unlink(_) | Edit::Double(_) => {}
    }
}

/// Writes every number as a double, which keeps the hash.
fn with_doubles(value: Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.into_iter().map(with_doubles).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, with_doubles(value))).collect()
        }
        other => other,
    }
}

fn edit_body(node: &mut Node, step: Edit) {
    if let Some(body) = &mut node.subworkflow {
        return edit(body, step);
    }
    let mut config = node.config.to_map();
    if let Some(value) = config.get_mut("subworkflow") {
        let mut body = serde_json::from_value(value.clone()).unwrap();
        edit(&mut body, step);
        *value = to_json(&body);
        node.config = RawObject::from_map(&config);
    }
}

/// Generates two definitions that have much in common, or nothing.
fn pairs() -> impl Strategy<Value = (Definition, Definition)> {
    let similar = (definitions(), vec(edits(), 0..4)).prop_map(|(before, edits)| {
        let mut after = before.clone();
        edits.into_iter().for_each(|step| edit(&mut after, step));
        (before, after)
    });
    prop_oneof![4 => similar, 1 => (definitions(), definitions())]
}

proptest! {
    #[test]
    fn diff_is_empty_exactly_for_equal_hashes((before, after) in pairs()) {
        let same = definition_hash(&before) == definition_hash(&after);
        prop_assert_eq!(diff(&before, &after, false).is_empty(), same);
        let same = canonical(&to_json(&before)) == canonical(&to_json(&after));
        prop_assert_eq!(diff(&before, &after, true).is_empty(), same);
    }

    #[test]
    fn patch_with_layout_produces_the_later_definition((before, after) in pairs()) {
        let patch = patch(&before, &after, true);
        prop_assert_eq!(canonical(&apply(&before, &patch)), canonical(&to_json(&after)));
        prop_assert_eq!(patch.is_empty(), diff(&before, &after, true).is_empty());
    }

    #[test]
    fn patch_without_layout_keeps_the_layout((before, after) in pairs()) {
        let patch = patch(&before, &after, false);
        let patched: Definition = serde_json::from_value(apply(&before, &patch)).unwrap();
        prop_assert_eq!(definition_hash(&patched), definition_hash(&after));
        prop_assert_eq!(patch.is_empty(), diff(&before, &after, false).is_empty());
        prop_assert_eq!(&patched.test_inputs, &before.test_inputs);
        for node in &patched.nodes {
            let same_id = |other: &&Node| other.id == node.id;
            let old: Vec<_> = before.nodes.iter().filter(same_id).collect();
            if let ([old], 1) = (&*old, patched.nodes.iter().filter(same_id).count()) {
                prop_assert_eq!((node.coordinates, node.dimensions), (old.coordinates, old.dimensions));
            }
        }
    }

    #[test]
    fn patch_without_layout_never_touches_layout(mut before in definitions(), steps in vec(edits(), 0..4)) {
        // A loop whose node type changes no longer has a body, only a field with that name.
        let steps = steps.into_iter().filter(|step| !matches!(step, Edit::Retype(_)));
        let mut seen = std::collections::HashSet::new();
        before.nodes.retain(|node| node.node_type == "ForLoopNode" && seen.insert(node.id.clone()));
        let mut after = before.clone();
        steps.for_each(|step| edit(&mut after, step));
        let mut seen = std::collections::HashSet::new();
        after.nodes.retain(|node| node.node_type == "ForLoopNode" && seen.insert(node.id.clone()));
        for operation in patch(&before, &after, false).iter() {
            let path = operation.path().to_string();
            let in_inner_config = path.matches("/config/").count() > 1;
            prop_assert!(in_inner_config || !path.split('/').any(|part| LAYOUT.contains(&part)), "{}", path);
        }
    }

    #[test]
    fn diff_text_has_a_line_for_each_difference((before, after) in pairs()) {
        let DefinitionDiff { nodes, links, definition } = diff(&before, &after, true);
        let fields: usize = nodes.changed.iter().map(|node| 1 + node.changes.len()).sum();
        let heading_and_fields = if definition.is_empty() { 0 } else { 1 + definition.len() };
        let single_lines = nodes.added.len() + nodes.removed.len() + links.added.len() + links.removed.len();
        let reordered = usize::from(nodes.reordered) + usize::from(links.reordered);
        let text = DefinitionDiff { nodes, links, definition }.to_text();
        prop_assert_eq!(text.lines().count(), fields + heading_and_fields + single_lines + reordered, "{}", text);
    }
}

fn node_with_config(id: &str, config: &Value) -> Node {
    Node { config: raw(config), ..node(id, "Echo") }
}

fn example() -> (Definition, Definition) {
    let body = |nodes| Some(Box::new(Definition { nodes, ..Definition::default() }));
    let before = Definition {
        nodes: vec![
            node_with_config("a", &json!({"n": 1, "list": [1, 2, 3], "gone": null})),
            Node {
                title: "Loop\n\"x\"".to_owned(),
                subworkflow: body(vec![node("in", "InputNode")]),
                ..node("b", "Echo")
            },
            node("c", "Echo"),
        ],
        links: vec![link("a", "b", None), link("b", "c", Some("yes"))],
        ..Definition::default()
    };
    let mut after = before.clone();
    after.nodes[0] = node_with_config("a", &json!({"n": 1.0, "list": [1, 5, 3], "new/field": {"x": 1}}));
    after.nodes[1].subworkflow = body(vec![node("first", "Echo"), node("in", "Other")]);
    after.nodes[1].coordinates = Some(Coordinates { x: 1.0, y: 2.0 });
    after.nodes[2] = node("new node", "Echo");
    after.links = vec![link("b", "c", None), link("a", "b", None)];
    after.spur_type = SpurType::Agent;
    (before, after)
}

#[test]
fn diff_text_matches_the_expected_lines() {
    let (before, after) = example();
    let added = r#"{"id":"first","title":"first","parent_id":null,"node_type":"Echo","config":{},"subworkflow":null}"#;
    let expected = format!(
        r#"~ definition
  /spur_type: "workflow" → "agent"
- node c "c" (Echo)
+ node "new node" "new node" (Echo)
~ node a "a"
  /config/list/1: 2 → 5
  - /config/gone: null
  + /config/new~1field: {{"x":1}}
~ node b "Loop\n\"x\""
  + /subworkflow/nodes/0: {added}
  /subworkflow/nodes/1/node_type: "InputNode" → "Other"
- link b → c, from yes
+ link b → c
"#
    );
    assert_eq!(diff(&before, &after, false).to_text(), expected);
    let with_layout = diff(&before, &after, true).to_text();
    assert!(with_layout.contains("  /coordinates: null → {\"x\":1.0,\"y\":2.0}\n"), "{with_layout}");
}

#[test]
fn diff_distinguishes_null_from_absent() {
    let (before, after) = example();
    let value = serde_json::to_value(diff(&before, &after, false)).unwrap();
    assert_eq!(
        value["nodes"]["changed"][0],
        json!({"node_id": "a", "title": "a", "changes": [
            {"pointer": "/config/list/1", "before": 2, "after": 5},
            {"pointer": "/config/gone", "before": null},
            {"pointer": "/config/new~1field", "after": {"x": 1}},
        ]})
    );
    assert_eq!(
        value["links"],
        json!({
            "added": [{"source_id": "b", "target_id": "c", "source_handle": null, "target_handle": null}],
            "removed": [{"source_id": "b", "target_id": "c", "source_handle": "yes", "target_handle": null}],
            "reordered": false,
        })
    );
}

#[test]
fn diff_reports_reordering() {
    let before = Definition {
        nodes: vec![node("a", "Echo"), node("b", "Echo")],
        links: vec![link("a", "b", None), link("b", "a", None)],
        ..Definition::default()
    };
    let mut after = before.clone();
    after.nodes.reverse();
    after.links.reverse();
    let text = diff(&before, &after, false).to_text();
    assert_eq!(text, "~ nodes in another order\n~ links in another order\n");
}

#[test]
fn inserting_a_node_is_one_operation() {
    let nodes = |from: usize| (from..2_000).map(|n| node(&format!("n{n}"), "Echo")).collect();
    let definition = |from| Definition { nodes: nodes(from), ..Definition::default() };
    assert_eq!(patch(&definition(1), &definition(0), true).len(), 1);
    assert_eq!(patch(&definition(0), &definition(1), true).len(), 1);
}

#[test]
fn long_values_start_near_their_difference() {
    let code = |end: &str| Definition {
        nodes: vec![node_with_config("a", &json!({"code": format!("{}{end}", "x".repeat(5_000))}))],
        ..Definition::default()
    };
    let text = diff(&code("1"), &code("2"), false).to_text();
    assert!(text.contains(r#"x1" → …x"#) && text.chars().count() < 100, "{text}");
    let text = diff(&code("1"), &Definition::default(), false).to_text();
    assert!(text.chars().count() < 300, "{text}");
}
