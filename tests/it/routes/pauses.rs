//! Pauses at gates, and the decisions on them.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::app::{App, on_both_databases};
use crate::support::definitions::*;
use crate::support::json::{assert_json, id_of, task};
use crate::support::polling::eventually;

on_both_databases!(
    run_pauses_at_a_gate,
    list_shows_the_current_workflow_name,
    approve_merges_inputs_into_the_waiting_value,
    override_outputs_only_the_inputs,
    decline_cancels_a_run_without_other_outputs,
    decline_completes_a_run_with_other_outputs,
    coalesce_below_a_declined_gate_takes_another_branch,
    cancel_keeps_inputs_and_outputs_of_an_open_gate,
    decline_keeps_the_inputs_of_the_gate,
    two_open_pauses_are_decided_by_node_id,
    decision_without_a_node_id_takes_the_oldest_pause,
    gates_pause_one_after_another,
    blocking_gate_delays_nodes_that_have_not_started,
    failure_of_another_branch_fails_the_run_after_the_gate,
    one_of_several_concurrent_decisions_wins,
    rejects_a_decision_without_an_open_pause,
    rejects_invalid_decisions,
    paused_runs_are_listed_newest_first,
);

fn decision(action: &str, inputs: Value) -> Value {
    json!({"inputs": inputs, "user_id": "ada", "action": action, "comments": "fine \u{1F389}"})
}

fn at_node(node: &str, mut decision: Value) -> Value {
    decision["node_id"] = json!(node);
    decision
}

async fn history(app: &App, run: &str) -> Vec<Value> {
    let list = app.get(&format!("/wf/pause_history/{run}/")).await.ok();
    list.as_array().expect("a list").clone()
}

async fn run_pauses_at_a_gate(app: App) {
    let run = app.start_to_pause(&gated_workflow("g")).await;
    let paused = app.read_run(&run).await;
    assert_eq!(paused["end_time"], Value::Null);
    assert_eq!(task(&paused, "gate")["status"], "PAUSED");
    assert_eq!(task(&paused, "gate")["inputs"], json!({"before": {"k": "v"}}));
    assert_eq!(task(&paused, "before")["status"], "COMPLETED");
    for node in ["after", "output_node"] {
        assert_eq!(task(&paused, node)["status"], "PENDING", "{node}");
    }
    let percent = paused["percentage_complete"].as_f64().expect("a number");
    assert!(percent > 0.0 && percent < 100.0, "{percent}");

    let pauses = history(&app, &run).await;
    let pause = &pauses[0];
    assert_eq!(pauses.len(), 1);
    assert_eq!(pause["id"], json!(format!("PH_{run}_gate")));
    assert_json!(pause, {"run_id": run, "node_id": "gate"});
    assert_eq!(pause["pause_message"], "please look");
    assert_eq!(pause["input_data"], json!({"before": {"k": "v"}}));
    assert!(pause["pause_time"].as_str().expect("a time").ends_with('Z'));
    for field in ["resume_time", "resume_user_id", "resume_action", "comments"] {
        assert_eq!(pause[field], Value::Null, "{field}");
    }
}

async fn approve_merges_inputs_into_the_waiting_value(app: App) {
    let run = app.start_to_pause(&gated_workflow("g")).await;
    let decided = app.pause_decide(&run, &decision("APPROVE", json!({"note": "ok"}))).await.ok();
    assert_eq!(decided["id"], json!(run));
    let done = app.run_until(&run, "COMPLETED").await;
    assert_eq!(done["outputs"]["gate"], json!({"before": {"k": "v"}, "note": "ok"}));
    assert_eq!(done["outputs"]["output_node"], json!({"out": "done", "seen": "v"}));
    assert_eq!(task(&done, "after")["inputs"]["gate"]["note"], "ok");

    let pause = history(&app, &run).await.remove(0);
    assert_json!(pause, {"resume_action": "APPROVE", "resume_user_id": "ada"});
    assert_eq!(pause["comments"], "fine \u{1F389}");
    assert!(pause["resume_time"].as_str() >= pause["pause_time"].as_str(), "{pause}");
    assert_eq!(
        pause["input_data"],
        json!({"before": {"k": "v"}}),
        "the history keeps the inputs of the gate"
    );

    // Only top-level keys are merged: a given key replaces the whole value.
    let run = app.start_to_pause(&gated_workflow("g2")).await;
    app.pause_decide(&run, &decision("APPROVE", json!({"before": {"new": 1}}))).await.ok();
    let done = eventually("the run to end", async || {
        let now = app.read_run(&run).await;
        now["end_time"].is_string().then_some(now)
    })
    .await;
    assert_eq!(task(&done, "gate")["outputs"], json!({"before": {"new": 1}}));
}

async fn override_outputs_only_the_inputs(app: App) {
    let body = workflow(
        "o",
        vec![input(), gate("gate"), output(json!({}))],
        chain(&["input_node", "gate", "output_node"]),
    );
    let run = app.start_to_pause(&body).await;
    app.pause_decide(&run, &decision("OVERRIDE", json!({"mine": [1, null]}))).await.ok();
    let done = app.run_until(&run, "COMPLETED").await;
    assert_eq!(done["outputs"]["gate"], json!({"mine": [1, null]}));
    assert_eq!(done["outputs"]["output_node"], json!({"gate": {"mine": [1, null]}}));
    assert_eq!(history(&app, &run).await[0]["resume_action"], "OVERRIDE");
}

async fn decline_cancels_a_run_without_other_outputs(app: App) {
    let run = app.start_to_pause(&gated_workflow("g")).await;
    app.pause_decide(&run, &decision("DECLINE", json!({}))).await.ok();
    let done = app.run_until(&run, "CANCELED").await;
    for node in ["after", "output_node"] {
        assert_eq!(task(&done, node)["status"], "CANCELED", "{node}");
    }
    assert!(done["end_time"].is_string());
    assert!(done["outputs"]["gate"].is_null() && done["outputs"]["after"].is_null(), "{done}");
    assert_eq!(history(&app, &run).await[0]["resume_action"], "DECLINE");
}

async fn decline_completes_a_run_with_other_outputs(app: App) {
    let mut body = gated_workflow("g");
    body["definition"]["nodes"].as_array_mut().expect("nodes").push(static_node("side", json!({"k": 1})));
    body["definition"]["links"].as_array_mut().expect("links").push(link("input_node", "side"));
    let run = app.start_to_pause(&body).await;
    app.pause_decide(&run, &decision("DECLINE", json!({}))).await.ok();
    let done = app.run_until(&run, "COMPLETED").await;
    assert_eq!(done["outputs"]["side"], json!({"k": 1}));
    assert_eq!(task(&done, "after")["status"], "CANCELED");
}

async fn coalesce_below_a_declined_gate_takes_another_branch(app: App) {
    let body = workflow(
        "c",
        vec![
            input(),
            gate("gate"),
            static_node("better", json!({"k": "better"})),
            static_node("plain", json!({"k": "plain"})),
            coalesce("c", &["better", "plain"]),
            output(json!({"out": "c.k"})),
        ],
        vec![
            link("input_node", "gate"),
            link("gate", "better"),
            link("input_node", "plain"),
            link("better", "c"),
            link("plain", "c"),
            link("c", "output_node"),
        ],
    );
    for (action, expected) in [("APPROVE", "better"), ("DECLINE", "plain")] {
        let run = app.start_to_pause(&body).await;
        app.pause_decide(&run, &decision(action, json!({}))).await.ok();
        let done = app.run_until(&run, "COMPLETED").await;
        assert_eq!(done["outputs"]["output_node"]["out"], expected, "{action}");
    }
}

async fn cancel_keeps_inputs_and_outputs_of_an_open_gate(app: App) {
    let mut body = gated_workflow("g");
    body["definition"]["nodes"].as_array_mut().expect("nodes").push(never_ending("side"));
    body["definition"]["links"].as_array_mut().expect("links").push(link("input_node", "side"));
    let workflow = app.create(&body).await;
    let run = app.start_run(&workflow, &run_body("x")).await;
    let before = eventually("an open gate and a running node", async || {
        let now = app.read_run(&run).await;
        (task(&now, "gate")["status"] == "PAUSED" && task(&now, "side")["status"] == "RUNNING").then_some(now)
    })
    .await;
    assert_eq!(before["outputs"]["gate"], json!({"before": {"k": "v"}}));
    let canceled = app.post(&format!("/wf/cancel_workflow/{run}/")).json(&Value::Null).await.ok();
    for after in [canceled, app.read_run(&run).await] {
        assert_json!(after, {"status": "CANCELED", "outputs": before["outputs"]});
        for node in ["input_node", "before", "gate", "side", "after"] {
            let (before, after) = (task(&before, node), task(&after, node));
            assert_eq!(before["inputs"], after["inputs"], "{node}");
            assert_eq!(before["outputs"], after["outputs"], "{node}");
        }
        assert_eq!(task(&after, "gate")["status"], "CANCELED");
        assert_eq!(task(&after, "gate")["inputs"], json!({"before": {"k": "v"}}));
        assert_eq!(task(&after, "side")["inputs"], json!({"input_node": {"x": "x"}}));
    }
}

async fn decline_keeps_the_inputs_of_the_gate(app: App) {
    let run = app.start_to_pause(&gated_workflow("g")).await;
    app.pause_decide(&run, &decision("DECLINE", json!({}))).await.ok();
    let done = app.run_until(&run, "CANCELED").await;
    let gate = task(&done, "gate");
    assert_json!(gate, {"inputs": {"before": {"k": "v"}}, "outputs": null});
}

async fn two_open_pauses_are_decided_by_node_id(app: App) {
    let run = app.start_to_pause(&two_gates("g")).await;
    let paused = app.read_run(&run).await;
    for node in ["g1", "g2"] {
        assert_eq!(task(&paused, node)["status"], "PAUSED", "{node}");
    }
    assert_eq!(history(&app, &run).await.len(), 2);

    app.pause_decide(&run, &at_node("g2", decision("APPROVE", json!({"by": "second"})))).await.ok();
    let paused = eventually("the branch of g2 to end", async || {
        let now = app.read_run(&run).await;
        (now["status"] == "PAUSED" && task(&now, "s2")["status"] == "COMPLETED").then_some(now)
    })
    .await;
    assert_eq!(task(&paused, "g1")["status"], "PAUSED");
    assert_eq!(task(&paused, "s1")["status"], "PENDING");
    let listed = app.get("/wf/paused_workflows/").await.ok();
    assert_eq!(listed[0]["current_pause"]["node_id"], "g1", "{listed}");

    app.pause_decide(&run, &at_node("g2", decision("APPROVE", json!({})))).await.problem(400);
    app.pause_decide(&run, &at_node("s1", decision("APPROVE", json!({})))).await.problem(400);
    app.pause_decide(&run, &at_node("g1", decision("APPROVE", json!({})))).await.ok();
    let done = app.run_until(&run, "COMPLETED").await;
    assert_eq!(done["outputs"]["all"], json!({"s1": {"k": "one"}, "s2": {"k": "two"}}));
    assert_eq!(done["outputs"]["g2"]["by"], "second");
}

async fn decision_without_a_node_id_takes_the_oldest_pause(app: App) {
    // `late` follows a slow node, so it opens after `early`.
    let body = workflow(
        "g",
        vec![input(), gate("early"), slow("p"), gate("late")],
        vec![link("input_node", "early"), link("input_node", "p"), link("p", "late")],
    );
    let run = app.start_to_pause(&body).await;
    let pauses = history(&app, &run).await;
    let order: Vec<&Value> = pauses.iter().map(|p| &p["node_id"]).collect();
    assert_eq!(order, ["late", "early"], "newest first");
    let listed = app.get("/wf/paused_workflows/").await.ok();
    assert_eq!(listed[0]["current_pause"]["node_id"], "late", "the latest pause: {listed}");

    app.approve(&run).await;
    let pauses = history(&app, &run).await;
    assert_eq!(pauses[0]["resume_action"], Value::Null);
    assert_eq!(pauses[1]["resume_action"], "APPROVE");
    app.run_until(&run, "PAUSED").await;
    app.approve(&run).await;
    app.run_until(&run, "COMPLETED").await;
}

async fn gates_pause_one_after_another(app: App) {
    let body = workflow(
        "g",
        vec![input(), gate("g1"), gate("g2"), output(json!({"n": "g2.g1.note"}))],
        chain(&["input_node", "g1", "g2", "output_node"]),
    );
    let run = app.start_to_pause(&body).await;
    app.pause_decide(&run, &at_node("g1", decision("APPROVE", json!({"note": "first"})))).await.ok();
    eventually("the second gate", async || {
        let now = app.read_run(&run).await;
        (now["status"] == "PAUSED" && task(&now, "g2")["status"] == "PAUSED").then_some(())
    })
    .await;
    app.pause_decide(&run, &decision("APPROVE", json!({}))).await.ok();
    let done = app.run_until(&run, "COMPLETED").await;
    assert_eq!(done["outputs"]["output_node"]["n"], "first");
    assert_eq!(history(&app, &run).await.len(), 2);
}

async fn blocking_gate_delays_nodes_that_have_not_started(app: App) {
    for (blocks_only_dependents, expected) in [(true, "COMPLETED"), (false, "PENDING")] {
        let mut blocking = gate("gate");
        blocking["config"]["block_only_dependent_nodes"] = json!(blocks_only_dependents);
        // `p` runs when the gate opens. `later` would start after it.
        let body = workflow(
            "g",
            vec![input(), blocking, slow("p"), static_node("later", json!({"k": 1}))],
            vec![link("input_node", "gate"), link("input_node", "p"), link("p", "later")],
        );
        let run = app.start_to_pause(&body).await;
        let paused = app.read_run(&run).await;
        assert_eq!(task(&paused, "later")["status"], expected, "{paused:#}");
        app.approve(&run).await;
        let done = app.run_until(&run, "COMPLETED").await;
        assert_eq!(done["outputs"]["later"], json!({"k": 1}));
    }
}

async fn failure_of_another_branch_fails_the_run_after_the_gate(app: App) {
    let body = workflow(
        "g",
        vec![input(), gate("gate"), failing("p"), static_node("after", json!({"k": 1}))],
        vec![link("input_node", "gate"), link("input_node", "p"), link("gate", "after")],
    );
    let run = app.start_to_pause(&body).await;
    assert_eq!(task(&app.read_run(&run).await, "p")["status"], "FAILED");
    app.approve(&run).await;
    let done = app.run_until(&run, "FAILED").await;
    assert_eq!(done["outputs"]["after"], json!({"k": 1}), "the branch of the gate finishes");
}

async fn one_of_several_concurrent_decisions_wins(app: App) {
    let run = app.start_to_pause(&gated_workflow("g")).await;
    let bodies: Vec<Value> = (0..16)
        .map(|n| json!({"inputs": {"winner": n}, "user_id": format!("user {n}"), "action": "APPROVE"}))
        .collect();
    let mut winners = Vec::new();
    for (n, response) in
        join_all(bodies.iter().map(|body| app.pause_decide(&run, body).send())).await.into_iter().enumerate()
    {
        if response.status == 200 {
            winners.push(n);
        } else {
            response.problem(400);
        }
    }
    assert_eq!(winners.len(), 1, "{winners:?}");
    let done = app.run_until(&run, "COMPLETED").await;
    assert_eq!(done["outputs"]["gate"]["winner"], winners[0]);
    let pauses = history(&app, &run).await;
    assert_eq!(pauses.len(), 1);
    assert_eq!(pauses[0]["resume_user_id"], json!(format!("user {}", winners[0])));
}

async fn rejects_a_decision_without_an_open_pause(app: App) {
    let done = app.create_and_run(&plain("p"), &run_body("hi")).await;
    app.pause_decide(&id_of(&done), &decision("APPROVE", json!({}))).await.problem(400);
    assert_eq!(history(&app, &id_of(&done)).await, Vec::<Value>::new());

    let run = app.start_to_pause(&gated_workflow("g")).await;
    app.pause_decide(&run, &at_node("missing", decision("APPROVE", json!({})))).await.problem(400);
    app.approve(&run).await;
    app.run_until(&run, "COMPLETED").await;
    app.pause_decide(&run, &decision("APPROVE", json!({}))).await.problem(400);
}

async fn rejects_invalid_decisions(app: App) {
    let run = app.start_to_pause(&gated_workflow("g")).await;
    let mut pointers = app.pause_decide(&run, &json!({})).await.pointers();
    pointers.sort();
    assert_eq!(pointers, ["/action", "/inputs", "/user_id"]);
    for (member, wrong) in [
        ("inputs", json!([])),
        ("inputs", json!("text")),
        ("user_id", json!(3)),
        ("action", json!("approve")),
        ("action", json!("SHRUG")),
        ("comments", json!({})),
        ("node_id", json!(1)),
    ] {
        let mut body = decision("APPROVE", json!({}));
        body[member] = wrong;
        let pointers = app.pause_decide(&run, &body).await.pointers();
        assert_eq!(pointers, [format!("/{member}")], "{body}");
    }
    assert_eq!(app.read_run(&run).await["status"], "PAUSED", "a rejected decision leaves the pause open");
}

async fn paused_runs_are_listed_newest_first(app: App) {
    let id = app.create(&gated_workflow("g")).await;
    let mut runs = Vec::new();
    for _ in 0..3 {
        let run = app.start_run(&id, &run_body("hi")).await;
        app.run_until(&run, "PAUSED").await;
        runs.push(run);
    }
    runs.reverse();
    let listed = |list: Value| -> Vec<String> {
        list.as_array().expect("a list").iter().map(|row| id_of(&row["run"])).collect()
    };
    let all = app.get("/wf/paused_workflows/").await.ok();
    let first = &all[0];
    assert_eq!(first["run"]["status"], "PAUSED");
    assert_eq!(first["current_pause"]["node_id"], "gate");
    assert_eq!(
        first["workflow"]["nodes"],
        with_optional_members(&gated_workflow("g")["definition"])["nodes"]
    );
    assert_json!(first["workflow"], {"id": id, "name": "g"});
    assert_eq!(listed(all), runs);
    assert_eq!(listed(app.get("/wf/paused_workflows/?page_size=1").await.ok()), runs[..1]);
    assert_eq!(listed(app.get("/wf/paused_workflows/?page=2&page_size=2").await.ok()), runs[2..]);

    app.approve(&runs[1]).await;
    app.run_until(&runs[1], "COMPLETED").await;
    let remaining = listed(app.get("/wf/paused_workflows/").await.ok());
    assert_eq!(remaining, [runs[0].clone(), runs[2].clone()]);
}

async fn list_shows_the_current_workflow_name(app: App) {
    let body = gated_workflow("before");
    let id = app.create(&body).await;
    let run = app.start_run(&id, &run_body("hi")).await;
    app.run_until(&run, "PAUSED").await;
    let renamed = json!({"name": "after", "definition": body["definition"]});
    app.put(&format!("/wf/{id}/")).json(&renamed).await.ok();
    let listed = app.get("/wf/paused_workflows/").await.ok();
    assert_json!(listed[0]["workflow"], {"name": "after", "id": id});
}
