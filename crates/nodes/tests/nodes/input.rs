use serde_json::{Value, json};
use sluice_domain::run::Behaviour;

use super::behaviour;

fn check(config: &Value, input: &Value) -> Result<(), String> {
    match behaviour("InputNode", config) {
        Behaviour::Input(check) => check.check(input),
        other => panic!("no input: {other:?}"),
    }
}

#[test]
fn nothing_is_checked_unless_it_is_asked_for() {
    let config = json!({"output_schema": {"n": "int"}, "output_json_schema": "{\"required\": [\"n\"]}"});
    assert_eq!(check(&config, &json!({"n": "no"})), Ok(()));
    assert_eq!(check(&json!({"output_json_schema": "broken {"}), &json!({})), Ok(()));
}

#[test]
fn declared_types_hold() {
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
        ("string", json!(1), "\"f\" is 1, but has to be a text."),
        ("int", json!(1.5), "\"f\" is 1.5, but has to be a whole number."),
        ("int", json!(true), "\"f\" is true, but has to be a whole number."),
        ("number", json!("1"), "\"f\" is \"1\", but has to be a number."),
        ("bool", json!(1), "\"f\" is 1, but has to be true or false."),
        ("list", json!({}), "\"f\" is an object, but has to be a list."),
        ("dict", Value::Null, "\"f\" is null, but has to be an object."),
    ];
    for (name, value, sentence) in bad {
        let config = json!({"enforce_schema": true, "output_schema": {"f": name}});
        let expected = format!("The input doesn't fit the schema of the node: {sentence}");
        assert_eq!(check(&config, &json!({"f": value})), Err(expected), "{name}");
    }
}

#[test]
fn every_problem_is_named() {
    let config = json!({"enforce_schema": true, "output_schema": {"a": "int", "b": "string"}});
    let expected = "The input doesn't fit the schema of the node: \"a\" is missing, it has to be a whole number. \
                    \"b\" is 1, but has to be a text.";
    assert_eq!(check(&config, &json!({"b": 1})), Err(expected.to_owned()));
    assert_eq!(check(&config, &json!([])), Err("The input is a list, but has to be an object.".to_owned()));
}

#[test]
fn the_json_schema_holds_and_its_required_list_decides() {
    let schema =
        json!({"type": "object", "properties": {"a": {"type": "string", "minLength": 2}}, "required": ["a"]});
    for written in [json!(schema.to_string()), schema] {
        let fields = json!({"a": "string", "b": "int"});
        let config = json!({"enforce_schema": true, "output_schema": fields, "output_json_schema": written});
        assert_eq!(check(&config, &json!({"a": "ab"})), Ok(()));
        let lacks = check(&config, &json!({"b": 1})).unwrap_err();
        assert_eq!(lacks, "The input doesn't fit the schema of the node: The input lacks \"a\": add it.");
        let both = check(&config, &json!({"a": 1, "b": "x"})).unwrap_err();
        assert!(
            both.ends_with(
                "\"a\" is a whole number, but has to be a text. \"b\" is \"x\", but has to be a whole number."
            ),
            "{both}"
        );
        assert!(check(&config, &json!({"a": "a"})).unwrap_err().contains("shorter than 2"));
    }
    // Without a list of its own, every declared field must be there.
    let config =
        json!({"enforce_schema": true, "output_schema": {"a": "string"}, "output_json_schema": "{}"});
    assert!(check(&config, &json!({})).unwrap_err().contains("\"a\" is missing"));
}

#[test]
fn a_schema_that_cannot_be_used_says_why() {
    let cases = [
        ("{", "The output_json_schema is no JSON: "),
        (r#"{"type": "frog"}"#, "The output_json_schema is no valid JSON Schema at /type: "),
        (r#"{"pattern": "("}"#, "The output_json_schema is no valid JSON Schema at /pattern: "),
        (
            r#"{"$ref": "http://127.0.0.1:1/x.json"}"#,
            "The output_json_schema refers to \"http://127.0.0.1:1/x.json\"",
        ),
        (
            r#"{"properties": {"a": {"$ref": "file:///etc/passwd"}}}"#,
            "The output_json_schema refers to \"file:///",
        ),
    ];
    for (schema, expected) in cases {
        let error =
            check(&json!({"enforce_schema": true, "output_json_schema": schema}), &json!({})).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn schemas_that_turn_in_circles_or_double_are_refused() {
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
        assert!(error.contains("without these references"), "{error}");
    }
    let plain = r##"{"properties": {"a": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "number"}}}"##;
    let config = json!({"enforce_schema": true, "output_json_schema": plain});
    assert_eq!(check(&config, &json!({"a": 1})), Ok(()));
    assert!(check(&config, &json!({"a": "x"})).is_err());
}
