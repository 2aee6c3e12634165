//! `PythonFuncNode`: untrusted code of clients.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::app::{App, on_both_databases};
use crate::support::definitions::*;
use crate::support::json::{id_of, task};

on_both_databases!(
    inputs_are_readable_as_attributes_and_dictionaries,
    outputs_have_every_json_type,
    common_python_runs,
    errors_name_the_exception_and_the_line,
    output_of_another_type_fails_the_node,
    code_cannot_reach_files_network_or_environment,
    endless_code_leaves_other_runs_alone,
    memory_limit_fails_only_its_node,
    many_nodes_run_concurrently,
);

async fn run_code(app: &App, code: &str, types: Value) -> Value {
    let x = json!({"n": 20, "list": [1, {"deep": "value"}], "none": null});
    app.create_and_run(&after_input("py", python_with_outputs("p", code, types)), &run_body(x)).await
}

async fn error_of(app: &App, code: &str) -> String {
    let run = run_code(app, code, json!({"out": "int"})).await;
    assert_eq!(run["status"], "FAILED", "{code}: {run:#}");
    let error = task(&run, "p")["error"].as_str().expect("an error").to_owned();
    assert!(!error.contains(".rs:") && !error.contains("/root") && !error.contains("panicked"), "{error}");
    error
}

async fn inputs_are_readable_as_attributes_and_dictionaries(app: App) {
    for expression in [
        "input_model.input_node.x['n'] + 1",
        "input_model.input_node.x.get('n') + 1",
        "input_model['input_node']['x']['n'] + 1",
        "len(input_model.input_node.x['list'][1]['deep']) + 16",
        "21 if input_model.input_node.x['none'] is None else 0",
    ] {
        let run = run_code(&app, &format!("return {{'out': {expression}}}"), json!({"out": "int"})).await;
        assert_eq!(run["outputs"]["p"], json!({"out": 21}), "{expression}: {run:#}");
    }
}

async fn outputs_have_every_json_type(app: App) {
    let code = "return {'i': -3, 'f': 1.5, 's': 'ü\u{1F389}\\n', 'b': True, 'l': [1, None, ['x']], 'd': {'k': {'l': []}}}";
    let types = json!({"i": "int", "f": "float", "s": "string", "b": "bool", "l": "list", "d": "dict"});
    let run = run_code(&app, code, types).await;
    let expected = json!({"i": -3, "f": 1.5, "s": "ü\u{1F389}\n", "b": true, "l": [1, null, ["x"]], "d": {"k": {"l": []}}});
    assert_eq!(run["outputs"]["p"], expected, "{run:#}");
}

async fn common_python_runs(app: App) {
    let code = "import json, re, math\n\
                def words(text):\n    return [w.lower() for w in re.findall('[A-Za-z]+', text)]\n\n\
                counts = {}\n\
                for w in words('To be or not to be'):\n    counts[w] = counts.get(w, 0) + 1\n\
                try:\n    json.loads('{')\n\
                except ValueError:\n    counts['bad'] = math.floor(1.9)\n\
                best = sorted(counts.items(), key=lambda item: (-item[1], item[0]))\n\
                return {'out': f\"{best[0][0]}:{best[0][1]}\", 'n': len(best)}";
    let run = run_code(&app, code, json!({"out": "string", "n": "int"})).await;
    assert_eq!(run["outputs"]["p"], json!({"out": "be:2", "n": 5}), "{run:#}");
}

async fn errors_name_the_exception_and_the_line(app: App) {
    for (code, expected) in [
        ("raise ValueError('bad \u{1F389} news')", "bad \u{1F389} news"),
        ("return {'out': 1 // 0}", "ZeroDivisionError"),
        ("return {'out': missing_name}", "missing_name"),
        ("return {'out': input_model.missing_node.x}", "missing_node"),
        ("return {'out': ", "SyntaxError"),
        ("def f(n):\n    return f(n + 1)\nreturn {'out': f(0)}", "RecursionError"),
        ("import socket\nreturn {'out': 1}", "socket"),
    ] {
        let error = error_of(&app, code).await;
        assert!(error.contains(expected), "{code}: {error}");
    }
}

async fn output_of_another_type_fails_the_node(app: App) {
    for code in ["return {'out': 'text'}", "return {}", "return 3", "pass", "return {'out': {1, 2}}"] {
        let error = error_of(&app, code).await;
        assert!(error.len() > 10, "{code}: {error}");
    }
}

async fn code_cannot_reach_files_network_or_environment(app: App) {
    for code in [
        "return {'out': len(open('/etc/passwd').read())}",
        "open('/tmp/sluice-was-here', 'w').write('x')\nreturn {'out': 1}",
        "import os\nreturn {'out': len(os.environ)}",
        "import os\nos.system('true')\nreturn {'out': 1}",
        "import subprocess\nreturn {'out': 1}",
        "return {'out': eval('1')}",
        "return {'out': len(().__class__.__bases__)}",
    ] {
        error_of(&app, code).await;
    }
    assert!(!std::path::Path::new("/tmp/sluice-was-here").exists());
}

/// The other runs end before the endless code reaches its limit.
async fn endless_code_leaves_other_runs_alone(app: App) {
    let busy = app.create(&after_input("busy", never_ending("p"))).await;
    let busy = app.start_run(&busy, &run_body("hi")).await;
    app.run_until(&busy, "RUNNING").await;
    let other = app.create(&after_input("quick", python("p", "return {'out': 1}"))).await;
    let quick = app.run(&other, &run_body("hi")).await;
    let plain = app.create_and_run(&plain("plain"), &run_body("hi")).await;
    assert_eq!(quick["status"], "COMPLETED");
    assert_eq!(plain["status"], "COMPLETED");

    let ended = app.run_until(&busy, "FAILED").await;
    let error = task(&ended, "p")["error"].as_str().expect("an error").to_lowercase();
    assert!(error.contains("longer than"), "{error}");
    for run in [&quick, &plain] {
        assert!(run["end_time"].as_str() < ended["end_time"].as_str(), "{run:#} {ended:#}");
    }
}

async fn memory_limit_fails_only_its_node(app: App) {
    for bomb in ["x = 'x' * 10**10", "x = [1]\nwhile True:\n    x = x + x", "x = 10 ** (10 ** 8)"] {
        let body = workflow(
            "bomb",
            vec![
                input(),
                python("p", &format!("{bomb}\nreturn {{'out': 1}}")),
                python("q", "return {'out': 2}"),
            ],
            vec![link("input_node", "p"), link("input_node", "q")],
        );
        let run = app.create_and_run(&body, &run_body("hi")).await;
        assert_eq!(run["status"], "FAILED", "{bomb}: {run:#}");
        assert_eq!(run["outputs"]["q"], json!({"out": 2}), "{bomb}: {run:#}");
        assert_eq!(task(&run, "p")["status"], "FAILED");
    }
    let large = run_code(&app, "return {'out': 'x' * 50000000}", json!({"out": "string"})).await;
    assert_eq!(large["status"], "FAILED", "the size of an output is limited");
    let after = run_code(&app, "return {'out': 3}", json!({"out": "int"})).await;
    assert_eq!(after["outputs"]["p"], json!({"out": 3}));
}

async fn many_nodes_run_concurrently(app: App) {
    let names: Vec<String> = (0..20).map(|n| format!("p{n}")).collect();
    let mut nodes = vec![input()];
    nodes.extend(names.iter().enumerate().map(|(n, id)| python(id, &format!("return {{'out': {n} * 2}}"))));
    let links = names.iter().map(|n| link("input_node", n)).collect();
    let id = app.create(&workflow("many", nodes, links)).await;
    let body = run_body("hi");
    for run in join_all((0..8).map(|_| app.run(&id, &body))).await {
        assert_eq!(run["status"], "COMPLETED", "{}", id_of(&run));
        for (n, name) in names.iter().enumerate() {
            assert_eq!(run["outputs"][name.as_str()], json!({"out": n * 2}));
        }
    }
}
