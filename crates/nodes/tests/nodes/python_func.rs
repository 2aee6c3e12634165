use std::time::Duration;

use serde_json::{Value, json};
use sluice_domain::run::{Behavior, FailureKind};
use sluice_domain::validation::Catalog as _;
use sluice_nodes::NodeKinds;
use sluice_nodes::kinds::python_func::{NODE_TYPE, PythonFuncConfig};

use super::{behavior, node};

fn check(schema: Value, output: Value) -> Result<Value, String> {
    let fields = json!({"code": "return 1", "output_schema": schema});
    PythonFuncConfig::from_fields(fields.as_object().unwrap()).unwrap().check_output(output)
}

#[test]
fn the_effect_has_the_config() {
    let Behavior::Effect(effect) = behavior(NODE_TYPE, &json!({"code": "return {}", "timeout": 3})) else {
        panic!("not an effect");
    };
    assert_eq!(effect.config["timeout"], 3);
    let config = PythonFuncConfig::from_fields(&effect.config).unwrap();
    assert_eq!((config.code.as_str(), config.output_schema.len()), ("return {}", 0));
    assert!(
        PythonFuncConfig::from_fields(json!({"code": null}).as_object().unwrap())
            .unwrap()
            .code
            .contains("return {}")
    );
    assert!(
        PythonFuncConfig::from_fields(json!({"code": 3}).as_object().unwrap())
            .unwrap_err()
            .contains("\"code\"")
    );
}

#[test]
fn the_policy_comes_from_the_config() {
    let retry = json!({"max_attempts": 5, "backoff_seconds": 0.25, "on": ["timeout"]});
    let config = json!({"code": "return {}", "policy": {"timeout_seconds": 2.5, "retry": retry}});
    let Behavior::Effect(effect) = behavior(NODE_TYPE, &config) else { panic!("not an effect") };
    assert_eq!(effect.policy.timeout, Duration::from_millis(2_500));
    assert_eq!(
        (effect.policy.retry.max_attempts, effect.policy.retry.backoff),
        (5, Duration::from_millis(250))
    );
    assert_eq!(effect.policy.retry.on, [FailureKind::Timeout]);
    for (policy, pointer) in [
        (json!({"timeout_seconds": 0}), "/policy/timeout_seconds"),
        (json!({"timeout_seconds": "3"}), "/policy/timeout_seconds"),
        (json!({"retry": {"max_attempts": 0}}), "/policy/retry/max_attempts"),
        (json!({"retry": {"max_attempts": 4_294_967_296_u64}}), "/policy/retry/max_attempts"),
        (json!({"retry": {"backoff_factor": 0.5}}), "/policy/retry/backoff_factor"),
        (json!({"retry": {"on": ["oops"]}}), "/policy/retry/on/0"),
    ] {
        let problems = NodeKinds::default().config_problems(&node(NODE_TYPE, &json!({"policy": policy})));
        let pointers: Vec<_> = problems.iter().map(|problem| problem.pointer.as_str()).collect();
        assert_eq!(pointers, [pointer], "{problems:?}");
    }
    let wrong = json!({"policy": {"retry": {"on": ["timeuot"]}}});
    let problems = NodeKinds::default().config_problems(&node(NODE_TYPE, &wrong));
    let expected = "Item 0 of \"on\" must be one of \"error\", \"timeout\", \"crash\", got \"timeuot\". \
        Did you mean \"timeout\"?";
    assert_eq!(problems[0].message, expected);
}

#[test]
fn values_are_converted_to_declared_types() {
    let cases = [
        ("int", json!(4), json!(4)),
        ("int", json!(4.0), json!(4)),
        ("integer", json!(" -4 "), json!(-4)),
        ("int", json!("4.0"), json!(4)),
        ("int", json!("1_000"), json!(1000)),
        ("int", json!(true), json!(1)),
        ("int", json!(u64::MAX), json!(u64::MAX)),
        ("float", json!(4), json!(4.0)),
        ("number", json!("4.5"), json!(4.5)),
        ("float", json!(false), json!(0.0)),
        ("bool", json!(true), json!(true)),
        ("bool", json!(1), json!(true)),
        ("bool", json!(0.0), json!(false)),
        ("boolean", json!("False"), json!(false)),
        ("bool", json!("yes"), json!(true)),
        ("string", json!("4"), json!("4")),
        ("list", json!([1]), json!([1])),
        ("dict", json!({"a": 1}), json!({"a": 1})),
        ("List[str]", Value::Null, Value::Null),
    ];
    for (name, value, expected) in cases {
        let output = check(json!({"f": name}), json!({"f": value}));
        assert_eq!(output.map(|v| v["f"].to_string()), Ok(expected.to_string()), "{name} {value}");
    }
}

#[test]
fn values_that_cannot_be_converted_are_reported() {
    let cases = [
        ("int", json!(4.5), "\"f\" must be a whole number, got 4.5."),
        ("int", json!("1e3"), "\"f\" must be a whole number, got \"1e3\"."),
        ("int", json!("1__0"), "\"f\" must be a whole number, got \"1__0\"."),
        ("int", json!("four"), "\"f\" must be a whole number, got \"four\"."),
        ("int", Value::Null, "\"f\" must be a whole number, got null."),
        ("float", json!("nan"), "\"f\" must be a number, got \"nan\"."),
        ("float", json!([]), "\"f\" must be a number, got a list."),
        ("bool", json!(2), "\"f\" must be true or false, got 2."),
        ("string", json!(4), "\"f\" must be a string, got 4."),
        ("list", json!("ab"), "\"f\" must be a list, got \"ab\"."),
        ("dict", json!([]), "\"f\" must be an object, got a list."),
    ];
    for (name, value, problem) in cases {
        let expected = format!("The returned value doesn't match output_schema: {problem}");
        assert_eq!(check(json!({"f": name}), json!({"f": value})), Err(expected), "{name}");
    }
}

#[test]
fn outputs_have_exactly_the_declared_fields() {
    let schema = json!({"b": "int", "a": "string"});
    let output = check(schema.clone(), json!({"a": "x", "more": 1, "b": "2"})).unwrap();
    assert_eq!(output.to_string(), r#"{"b":2,"a":"x"}"#);
    let error = check(schema, json!({"a": 1})).unwrap_err();
    assert!(error.contains("\"b\" is missing") && error.contains("\"a\" must be a string, got 1"), "{error}");
    assert_eq!(check(json!({}), json!({"any": [1]})), Ok(json!({"any": [1]})));
}

#[test]
fn the_code_must_return_a_dictionary() {
    for schema in [json!({}), json!({"a": "int"})] {
        assert!(check(schema.clone(), Value::Null).unwrap_err().contains("returned nothing"));
        assert!(check(schema, json!([1])).unwrap_err().contains("must return a dictionary, got a list"));
    }
}
