use proptest::prelude::*;
use serde_json::{Map, Value};
use sluice_domain::run::{Behavior, Behaviors, NodeBehavior};
use sluice_domain::validation::Catalog;
use sluice_nodes::NodeKinds;
use sluice_nodes::kinds::python_func::PythonFuncConfig;

use super::{inputs, node};

/// Generates arbitrary JSON, in which many keys are those of configs.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "contains|equals|OR|int|string|list|\\{\\}|A\\.v".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..5)
                .prop_map(|fields| Value::Object(Map::from_iter(fields))),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    let known = "enforce_schema|output_schema|output_json_schema|has_fixed_output|output_map|values|route_map|conditions|\
                 variable|operator|value|logicalOperator|preferences|message|block_only_dependent_nodes|num_iterations|\
                 input_map|subworkflow|nodes|links|id|node_type|code|type|properties|required";
    prop_oneof![4 => known.prop_map(String::from), 1 => any::<String>()]
}

fn any_config() -> impl Strategy<Value = Value> {
    prop::collection::vec((key(), any_json()), 0..6).prop_map(|fields| Value::Object(Map::from_iter(fields)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn handles_any_config_and_input(config in any_config(), input in any_json()) {
        for name in NodeKinds::default().names() {
            let node = node(name, &config);
            let problems = NodeKinds::default().config_problems(&node);
            let _ = (NodeKinds::default().routes(&node), NodeKinds::default().body(&node));
            match NodeKinds::default().behavior(&node) {
                NodeBehavior::Complete(Behavior::Invalid(reason)) => prop_assert!(!reason.is_empty()),
                NodeBehavior::Complete(behavior) => {
                    // A config with a behavior must be valid.
                    prop_assert!(problems.is_empty());
                    run(&behavior, &input);
                }
                NodeBehavior::Loop(_) => prop_assert!(problems.is_empty()),
            }
            for problem in problems {
                let value = config.pointer(&problem.pointer);
                prop_assert!(value.is_some(), "{} in {config}", problem.pointer);
                prop_assert!(problem.message.ends_with('.') || problem.message.ends_with('?'), "{}", problem.message);
            }
        }
    }
}

fn run(behavior: &Behavior, input: &Value) {
    match behavior {
        Behavior::Input(check) => drop(check.check(input)),
        Behavior::Compute(compute) | Behavior::ComputeAny(compute) => {
            drop(compute.compute(&inputs(&[("A", "a", input.clone())])));
        }
        Behavior::Effect(effect) => {
            let config = PythonFuncConfig::from_fields(&effect.config).unwrap();
            drop(config.check_output(input.clone()));
        }
        _ => {}
    }
}
