//! The supported subset of Python, the inputs and the results of snippets.

use crate::support::{object, pool, run};
use serde_json::{Value, json};
use sluice_python::{Pool, PythonError};

fn inputs() -> serde_json::Map<String, Value> {
    object(json!({
        "loop_input": {
            "count": 3,
            "loop_history": {"increment": [{"count": 1}, {"count": 2}]},
        },
        "input_node": {"deep": {"list": [{"a": {"b": 7}}], "items": [1, 2]}, "x": "41"},
        "My Node": {"größe": 1.5, "none": null, "yes": true},
    }))
}

async fn check(pool: &Pool, code: &str, expected: Value) {
    assert_eq!(pool.run(code, &inputs()).await, Ok(expected), "{code}");
}

#[tokio::test]
async fn accepts_indented_snippets() {
    let pool = pool(1);
    check(&pool, "    # first\n    x = 1\n    if x:\n        x = 2\n    return x\n", json!(2)).await;
    check(&pool, "\treturn 3", json!(3)).await;
    check(&pool, "# nothing but words", Value::Null).await;
}

#[tokio::test]
async fn a_loop_counter_reads_its_history() {
    let code = "\
previous = input_model.loop_input.loop_history.get('increment', [])
total = sum(o['count'] for o in previous) if previous else 0
return {'count': input_model.loop_input.count + 1, 'running_total': total}
";
    check(&pool(1), code, json!({"count": 4, "running_total": 3})).await;
}

#[tokio::test]
async fn inputs_are_read_as_attributes_and_as_dicts() {
    let pool = pool(1);
    for (code, expected) in [
        ("return int(input_model.input_node.x) + 1", json!(42)),
        ("return input_model['input_node']['x']", json!("41")),
        ("return input_model['input_node'].x", json!("41")),
        ("return input_model.input_node['deep'].list[0].a.b", json!(7)),
        ("return [o.count for o in input_model.loop_input.loop_history.increment]", json!([1, 2])),
        ("return input_model['My Node'].größe", json!(1.5)),
        ("return input_model.input_node.deep.items", json!([1, 2])),
        ("return sorted(k for k, v in input_model.input_node.deep.items())", json!(["items", "list"])),
        ("return sorted(input_model.keys())", json!(["My Node", "input_node", "loop_input"])),
        ("return sorted(input_model)", json!(["My Node", "input_node", "loop_input"])),
        (
            "return len(input_model), 'x' in input_model.input_node, 'y' in input_model",
            json!([3, true, false]),
        ),
        ("return input_model.input_node.get('nothing', 'default')", json!("default")),
        (
            "return {**input_model.loop_input.loop_history}",
            json!({"increment": [{"count": 1}, {"count": 2}]}),
        ),
        ("return (lambda m: m.input_node.x)(input_model)", json!("41")),
        ("return getattr(input_model.input_node, 'x'), getattr(input_model, 'y', 0)", json!(["41", 0])),
        ("return hasattr(input_model, 'input_node'), hasattr(input_model, 'y')", json!([true, false])),
        ("return isinstance(input_model.input_node, dict)", json!(true)),
        ("return input_model['My Node']", json!({"größe": 1.5, "none": null, "yes": true})),
        ("return input_model.input_node.deep", json!({"list": [{"a": {"b": 7}}], "items": [1, 2]})),
        ("input_model.input_node['new'] = 1\nreturn input_model.input_node.new", json!(1)),
        (
            "return f'{input_model.input_node.x:>4} {input_model.loop_input.count=}'",
            json!("  41 input_model.loop_input.count=3"),
        ),
    ] {
        check(&pool, code, expected).await;
    }
}

#[tokio::test]
async fn the_error_for_a_missing_field_contains_its_name() {
    let error = pool(1).run("x = 1\nreturn input_model.input_node.y", &inputs()).await;
    let text = error.unwrap_err().to_string();
    assert_eq!(text, "AttributeError: there is no field 'y' (the fields are: deep, x) (line 2)");
}

#[tokio::test]
async fn numbers_keep_their_value() {
    let pool = pool(1);
    for number in [json!(i64::MIN), json!(u64::MAX), json!(0.1), json!(-0.0), json!(1e300)] {
        let inputs = object(json!({"node": {"n": number}}));
        assert_eq!(pool.run("return input_model.node.n", &inputs).await, Ok(number));
    }
}

#[tokio::test]
async fn supported_syntax_and_modules_work() {
    let pool = pool(1);
    for (code, expected) in [
        ("return [x * x for x in range(5) if x % 2]", json!([1, 9])),
        ("return {k: v for k, v in zip('ab', (1, 2))}", json!({"a": 1, "b": 2})),
        ("import json\nreturn json.loads(json.dumps({'a': [1, None]}))", json!({"a": [1, null]})),
        ("import re\nreturn re.sub(r'(\\d+)', r'<\\1>', 'a1b22')", json!("a<1>b<22>")),
        ("import re\nreturn re.match(r'(\\w+)@', 'me@x').group(1)", json!("me")),
        ("import math\nreturn math.floor(math.pi), math.sqrt(16)", json!([3, 4.0])),
        (
            "from datetime import datetime, timedelta\nreturn (datetime(2024, 2, 28) + timedelta(days=2)).isoformat()",
            json!("2024-03-01T00:00:00"),
        ),
        (
            "import datetime\nreturn datetime.datetime.now().year > 2000, datetime.date.today().year > 2000",
            json!([true, true]),
        ),
        (
            "from datetime import datetime, timezone\nreturn datetime.now(timezone.utc).tzinfo is not None",
            json!(true),
        ),
        (
            "from collections import Counter, defaultdict\nd = defaultdict(list)\nd['a'].append(1)\nreturn Counter('aab')['a'], d",
            json!([2, {"a": [1]}]),
        ),
        (
            "import itertools, functools\nreturn functools.reduce(lambda a, b: a + b, itertools.chain([1], [2]))",
            json!(3),
        ),
        ("import base64\nreturn base64.b64encode(b'hi').decode()", json!("aGk=")),
        (
            "try:\n    return 1 / 0\nexcept ZeroDivisionError as e:\n    return str(e)\nfinally:\n    pass",
            json!("division by zero"),
        ),
        ("def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\nreturn fib(12)", json!(144)),
        (
            "class P:\n    def __init__(self, x):\n        self.x = x\n    def double(self):\n        return self.x * 2\np = P(2)\np.x += 1\nreturn p.double(), p.x",
            json!([6, 3]),
        ),
        ("from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\nreturn P(3)", json!({"x": 3})),
        ("a, *b = 'x-y-z'.split('-')\nif (n := len(b)) > 1:\n    return n, b", json!([2, ["y", "z"]])),
        ("return '{:>3}'.format(7), f'{3.14159:.2f}'", json!(["  7", "3.14"])),
        ("print('nothing to see')\nreturn sorted([3, 1], reverse=True)", json!([3, 1])),
    ] {
        assert_eq!(run(&pool, code).await, Ok(expected), "{code}");
    }
}

#[tokio::test]
async fn returned_values_become_json() {
    let pool = pool(1);
    for (code, expected) in [
        ("", Value::Null),
        ("# nothing\n", Value::Null),
        ("x = 1", Value::Null),
        ("return", Value::Null),
        (
            "return {7: (1, 2), None: {3}, True: 'x', 2.5: []}",
            json!({"7": [1, 2], "null": [3], "true": "x", "2.5": []}),
        ),
        ("return 2 ** 63", json!(9_223_372_036_854_775_808_u64)),
        ("from datetime import date\nreturn date(2024, 1, 2)", json!("2024-01-02")),
    ] {
        assert_eq!(run(&pool, code).await, Ok(expected), "{code}");
    }
}

#[tokio::test]
async fn values_that_are_not_json_are_rejected() {
    let pool = pool(1);
    for (code, expected) in [
        ("return float('nan')", "JSON has no number like"),
        ("return {'a': [1e999]}", "at [\"a\"][0]"),
        ("return 2 ** 64", "more than 64 bits"),
        ("return b'x'", "bytes"),
        ("return len", "aren't JSON"),
        ("return {(1, 2): 3}", "a key must be"),
        ("a = []\na.append(a)\nreturn a", "contains itself"),
        ("a = []\nfor i in range(500):\n    a = [a]\nreturn a", "levels deep"),
    ] {
        match run(&pool, code).await {
            Err(PythonError::NotJson(text)) => assert!(text.contains(expected), "{code}: {text}"),
            other => panic!("{code}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn exceptions_have_the_line_of_the_snippet() {
    let pool = pool(1);
    for (code, expected) in [
        ("x = 1\nreturn x / 0", "ZeroDivisionError: division by zero (line 2)"),
        ("def f():\n    raise ValueError('no')\n\nf()", "ValueError: no (line 2)"),
        ("return {}['k']", "KeyError: k (line 1)"),
        ("return undefined", "NameError: name 'undefined' is not defined (line 1)"),
        ("assert 1 == 2, 'text'", "AssertionError: text"),
        ("import json\njson.loads('{')", "json.JSONDecodeError"),
    ] {
        let text = run(&pool, code).await.unwrap_err().to_string();
        assert!(text.starts_with(expected), "{code}: {text}");
    }
}

#[tokio::test]
async fn syntax_errors_have_the_line_of_the_snippet() {
    let pool = pool(1);
    let nested = format!("x = 1\nreturn {}1{}", "(".repeat(5000), ")".repeat(5000));
    for (code, expected) in [
        ("x = 1\nreturn )", 2),
        ("if True:\nreturn 1", 2),
        ("a = 1\n\n\n   b = 2", 4),
        (&nested, 2),
        ("break", 1),
    ] {
        match run(&pool, code).await {
            Err(PythonError::Syntax { line, .. }) => assert_eq!(line, expected, "{code:.30}"),
            other => panic!("{code:.30}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn the_error_for_an_unsupported_feature_contains_its_name() {
    let pool = pool(1);
    for (code, expected) in [
        ("x = 1\nimport random", "the module 'random' (line 2)"),
        ("from hashlib import md5", "the module 'hashlib' (line 1)"),
        ("import socket", "the module 'socket' (line 1)"),
        ("import subprocess", "the module 'subprocess' (line 1)"),
        ("from collections import OrderedDict", "'OrderedDict' of the module 'collections'"),
        ("import math\nreturn math.nothing", "the name 'nothing' of this module"),
        ("class E(Exception):\n    pass", "class inheritance"),
        ("yield 1", "yield"),
        ("match 1:\n    case 1:\n        pass", "match"),
        ("x = [1]\ndel x[0]", "'del' statement"),
        ("return eval('1')", "the built-in function 'eval' (line 1)"),
        ("exec('x = 1')", "the built-in function 'exec' (line 1)"),
    ] {
        match run(&pool, code).await {
            Err(PythonError::Unsupported(text)) => {
                assert!(text.starts_with("not in the supported subset of Python: "), "{text}");
                assert!(text.contains(expected), "{code}: {text}");
            }
            other => panic!("{code}: {other:?}"),
        }
    }
}
