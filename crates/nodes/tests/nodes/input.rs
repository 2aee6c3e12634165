use serde_json::{Value, json};
use sluice_domain::run::Behavior;

use super::behavior;

fn check(config: &Value, input: &Value) -> Result<(), String> {
    match behavior("InputNode", config) {
        Behavior::Input(check) => check.check(input),
        other => panic!("not an input: {other:?}"),
    }
}

#[test]
fn schemas_are_not_enforced_by_default() {
    let config = json!({"output_schema": {"n": "int"}, "output_json_schema": "{\"required\": [\"n\"]}"});
    assert_eq!(check(&config, &json!({"n": "no"})), Ok(()));
    assert_eq!(check(&json!({"output_json_schema": "broken {"}), &json!({})), Ok(()));
}

#[test]
fn declared_types_are_enforced() {
    let good = [
        ("string", json!("a")),
        ("str", json!("")),
        ("integer", json!(1)),
        ("int", json!(2.0)),
        ("number", json!(1)),
        ("float", json!(1.5)),
        ("boolean", json!(true)),
        ("bool", json!(false)),
        ("list", json!([])),
        ("array", json!([1])),
        ("dict", json!({})),
        ("object", json!({"a": 1})),
        ("List[Dict[str, str]]", json!(3)),
        ("whatever", Value::Null),
    ];
    for (name, value) in good {
        let config = json!({"enforce_schema": true, "output_schema": {"f": name}});
        assert_eq!(check(&config, &json!({"f": value, "more": 1})), Ok(()), "{name}");
    }
    let bad = [
        ("string", json!(1), "\"f\" must be a string, got 1."),
        ("int", json!(1.5), "\"f\" must be a whole number, got 1.5."),
        ("int", json!(true), "\"f\" must be a whole number, got true."),
        ("number", json!("1"), "\"f\" must be a number, got \"1\"."),
        ("bool", json!(1), "\"f\" must be true or false, got 1."),
        ("list", json!({}), "\"f\" must be a list, got an object."),
        ("dict", Value::Null, "\"f\" must be an object, got null."),
    ];
    for (name, value, problem) in bad {
        let config = json!({"enforce_schema": true, "output_schema": {"f": name}});
        let expected = format!("The input doesn't match the schema of the input node: {problem}");
        assert_eq!(check(&config, &json!({"f": value})), Err(expected), "{name}");
    }
}

#[test]
fn every_problem_is_reported() {
    let config = json!({"enforce_schema": true, "output_schema": {"a": "int", "b": "string"}});
    let expected = "The input doesn't match the schema of the input node: \"a\" is missing. It must be a whole number. \
                    \"b\" must be a string, got 1.";
    assert_eq!(check(&config, &json!({"b": 1})), Err(expected.to_owned()));
    assert_eq!(check(&config, &json!([])), Err("The input must be an object, got a list.".to_owned()));
}

#[test]
fn the_required_list_of_the_json_schema_takes_precedence() {
    let schema =
        json!({"type": "object", "properties": {"a": {"type": "string", "minLength": 2}}, "required": ["a"]});
    for schema in [json!(schema.to_string()), schema] {
        let fields = json!({"a": "string", "b": "int"});
        let config = json!({"enforce_schema": true, "output_schema": fields, "output_json_schema": schema});
        assert_eq!(check(&config, &json!({"a": "ab"})), Ok(()));
        let missing = check(&config, &json!({"b": 1})).unwrap_err();
        assert_eq!(
            missing,
            "The input doesn't match the schema of the input node: The input must have the field \"a\"."
        );
        let both = check(&config, &json!({"a": 1, "b": "x"})).unwrap_err();
        assert!(
            both.ends_with("\"a\" must be a string, got 1. \"b\" must be a whole number, got \"x\"."),
            "{both}"
        );
        assert!(check(&config, &json!({"a": "a"})).unwrap_err().contains("shorter than 2"));
    }
    // Without a `required` list, all declared fields are required.
    let config =
        json!({"enforce_schema": true, "output_schema": {"a": "string"}, "output_json_schema": "{}"});
    assert!(check(&config, &json!({})).unwrap_err().contains("\"a\" is missing"));
}

#[test]
fn unusable_schemas_fail_with_a_reason() {
    let cases = [
        ("{", "output_json_schema is not valid JSON: "),
        (r#"{"type": "frog"}"#, "output_json_schema is not a valid JSON Schema at /type: "),
        (r#"{"pattern": "("}"#, "output_json_schema is not a valid JSON Schema at /pattern: "),
        (
            r#"{"$ref": "http://127.0.0.1:1/x.json"}"#,
            "output_json_schema refers to \"http://127.0.0.1:1/x.json\"",
        ),
        (
            r#"{"properties": {"a": {"$ref": "file:///etc/passwd"}}}"#,
            "output_json_schema refers to \"file:///",
        ),
    ];
    for (schema, expected) in cases {
        let error =
            check(&json!({"enforce_schema": true, "output_json_schema": schema}), &json!({})).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn recursive_and_doubling_schemas_are_rejected() {
    let doubling: Vec<String> = (0..40)
        .map(|i| {
            format!(
                r##""a{i}": {{"allOf": [{{"$ref": "#/$defs/a{n}"}}, {{"$ref": "#/$defs/a{n}"}}]}}"##,
                n = i + 1
            )
        })
        .collect();
    let doubling =
        format!(r##"{{"$ref": "#/$defs/a0", "$defs": {{{}, "a40": {{}}}}}}"##, doubling.join(", "));
    for schema in [
        r##"{"$ref": "#"}"##,
        r##"{"allOf": [{"$ref": "#"}]}"##,
        r##"{"properties": {"a": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}}"##,
        r##"{"$dynamicRef": "#x", "$dynamicAnchor": "x"}"##,
        &doubling,
    ] {
        let config = json!({"enforce_schema": true, "output_json_schema": schema});
        let error = check(&config, &json!({"a": {"a": {}}})).unwrap_err();
        assert!(error.contains("Remove these references"), "{error}");
    }
    let plain = r##"{"properties": {"a": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "number"}}}"##;
    let config = json!({"enforce_schema": true, "output_json_schema": plain});
    assert_eq!(check(&config, &json!({"a": 1})), Ok(()));
    assert!(check(&config, &json!({"a": "x"})).is_err());
}
