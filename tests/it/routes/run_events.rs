//! Event streams of runs and pauses.

use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::support::app::{App, on_both_databases};
use crate::support::database::Backend;
use crate::support::definitions::*;
use crate::support::json::{assert_json, id_of};
use crate::support::polling::eventually;
use crate::support::sse::{Message, Stream};

on_both_databases!(
    stream_has_every_event_of_the_log,
    stream_resumes_after_any_event,
    stream_stays_open_during_a_pause,
    stream_resumes_after_a_crash,
    many_clients_follow_one_run,
    retried_run_can_be_followed_again,
    stream_ends_when_its_run_is_canceled,
    rejects_invalid_stream_requests,
    stream_has_pauses_of_all_runs,
    pause_events_survive_a_crash,
    deleted_pause_events_do_not_end_the_stream,
);

fn path(run: &str) -> String {
    format!("/run/{run}/events/")
}

fn types(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.event.as_str()).collect()
}

fn check_numbers(messages: &[Message], first: u64) {
    for (number, message) in (first..).zip(messages) {
        assert_eq!(message.id, number, "{messages:#?}");
        assert_eq!(message.data["sequence"], json!(number), "{messages:#?}");
        assert_eq!(message.data["type"], message.event);
    }
}

async fn stream_has_every_event_of_the_log(app: App) {
    let run = app.create_and_run(&after_input("w", python("p", "return {'out': 7}")), &run_body("hi")).await;
    let all = Stream::open(&app, &path(&id_of(&run)), None).await.read_to_end().await;
    check_numbers(&all, 0);
    let expected =
        ["run_started", "task_completed", "task_queued", "task_started", "task_completed", "run_completed"];
    assert_eq!(types(&all), expected);
    assert_eq!(all[0].data["inputs"], json!({"input_node": {"x": "hi"}}));
    assert_eq!(all[1].data["node_id"], "input_node");
    assert_eq!(all[1].data["output"], json!({"x": "hi"}));
    assert_eq!(all[3].data["node_id"], "p");
    assert_eq!(all[3].data["attempt"], 1);
    assert_eq!(all[4].data["output"], json!({"out": 7}));
    assert_eq!(all[5].data["time"], run["end_time"]);
    assert!(all.iter().all(|message| message.data["run_id"] == run["id"]));
}

async fn stream_resumes_after_any_event(app: App) {
    let run = id_of(&app.create_and_run(&plain("w"), &run_body("hi")).await);
    let all = Stream::open(&app, &path(&run), None).await.read_to_end().await;
    let end = all.len() - 1;
    for last in 0..end {
        let rest = Stream::open(&app, &path(&run), Some(last as u64)).await.read_to_end().await;
        assert_eq!(rest, all[last + 1..], "after {last}");
    }
    // With a 204, clients do not reconnect.
    assert_eq!(app.get(&path(&run)).header("last-event-id", end.to_string()).stream().await.status(), 204);
}

async fn stream_stays_open_during_a_pause(app: App) {
    let workflow = app.create(&gated_workflow("gated")).await;
    let run = app.start_run(&workflow, &run_body("hi")).await;
    let mut stream = Stream::open(&app, &path(&run), None).await;
    let mut all = stream.until("run_paused").await;
    let opened = all.iter().find(|message| message.event == "pause_opened").expect("a pause");
    assert_json!(opened.data, {"node_id": "gate", "message": "please look"});
    app.approve(&run).await;
    all.extend(stream.read_to_end().await);
    check_numbers(&all, 0);
    let decided = all.iter().find(|message| message.event == "pause_decided").expect("a decision");
    assert_json!(decided.data, {"action": "APPROVE", "user_id": "ada"});
    assert_eq!(all.last().expect("an end").event, "run_completed");
}

async fn stream_resumes_after_a_crash(mut app: App) {
    let nodes = ["a", "b", "c", "d"].map(slow).into_iter().chain([input()]).collect();
    let workflow = app.create(&workflow("w", nodes, chain(&["input_node", "a", "b", "c", "d"]))).await;
    let run = app.start_run(&workflow, &run_body("hi")).await;
    let mut stream = Stream::open(&app, &path(&run), None).await;
    let mut all = stream.until("task_started").await;
    app.kill9().await;
    while let Some(message) = stream.next().await {
        all.push(message);
    }
    app.start_server().await;
    let last = all.last().map(|message| message.id);
    all.extend(Stream::open(&app, &path(&run), last).await.read_to_end().await);
    check_numbers(&all, 0);
    assert_eq!(all.last().expect("an end").event, "run_completed");
    assert_eq!(
        Stream::open(&app, &path(&run), None).await.read_to_end().await,
        all,
        "the events equal the log"
    );
}

async fn many_clients_follow_one_run(app: App) {
    let nodes = ["a", "b", "c"].map(slow).into_iter().chain([input()]).collect();
    let workflow = app.create(&workflow("w", nodes, chain(&["input_node", "a", "b", "c"]))).await;
    let run = app.start_run(&workflow, &run_body("hi")).await;
    let streams =
        join_all((0..40).map(|_| async { Stream::open(&app, &path(&run), None).await.read_to_end().await }))
            .await;
    for stream in &streams {
        check_numbers(stream, 0);
        assert_eq!(stream, &streams[0]);
    }
    assert_eq!(streams[0].last().expect("an end").event, "run_completed");
}

async fn retried_run_can_be_followed_again(app: App) {
    let run = id_of(&app.create_and_run(&after_input("w", failing("p")), &run_body("hi")).await);
    let first = Stream::open(&app, &path(&run), None).await.read_to_end().await;
    assert_eq!(first.last().expect("an end").event, "run_failed");
    app.post(&format!("/run/{run}/retry/")).json(&json!({})).await.ok();
    let second =
        Stream::open(&app, &path(&run), first.last().map(|message| message.id)).await.read_to_end().await;
    check_numbers(&second, first.len() as u64);
    assert_eq!(types(&second), ["run_retried", "task_queued", "task_started", "task_failed", "run_failed"]);
}

async fn stream_ends_when_its_run_is_canceled(app: App) {
    let workflow = app.create(&after_input("w", never_ending("p"))).await;
    let run = app.start_run(&workflow, &run_body("hi")).await;
    let mut stream = Stream::open(&app, &path(&run), None).await;
    stream.until("task_started").await;
    app.post(&format!("/wf/cancel_workflow/{run}/")).json(&json!({})).await.ok();
    assert_eq!(types(&stream.read_to_end().await), ["run_canceled"]);
    // Deleting the workflow cancels its runs, which ends their streams.
    let run = app.start_run(&workflow, &run_body("hi")).await;
    let mut stream = Stream::open(&app, &path(&run), None).await;
    stream.until("task_started").await;
    app.delete(&format!("/wf/{workflow}/")).await.expect(204);
    assert_eq!(types(&stream.read_to_end().await), ["run_canceled"]);
}

async fn rejects_invalid_stream_requests(app: App) {
    let run = id_of(&app.create_and_run(&plain("w"), &run_body("hi")).await);
    let length = Stream::open(&app, &path(&run), None).await.read_to_end().await.len();
    let beyond = app.get(&path(&run)).header("last-event-id", length.to_string()).await;
    beyond.problem(400);
    for bad in ["x", "-1", "1.5", "99999999999999999999"] {
        for path in [path(&run), "/wf/paused_workflows/events/".to_owned()] {
            let response = app.get(&path).header("last-event-id", bad).await;
            let problem = response.problem(400);
            assert!(problem["detail"].as_str().expect("a detail").contains("Last-Event-ID"), "{problem}");
        }
    }
    app.get("/run/019aa2b5-0b7c-7f12-8a44-91d0c2e4f602/events/").await.problem(404);
    app.get("/run/nonsense/events/").await.problem(404);
}

const PAUSES: &str = "/wf/paused_workflows/events/";

async fn stream_has_pauses_of_all_runs(app: App) {
    let before = app.start_to_pause(&gated_workflow("before")).await;
    let mut stream = Stream::open(&app, PAUSES, None).await;
    let run = app.start_to_pause(&gated_workflow("after")).await;
    let opened = stream.next().await.expect("an event");
    assert_eq!(opened.event.as_str(), "opened", "the stream starts with new events");
    assert_eq!(opened.data["run_id"], json!(run), "the stream starts with new events");
    assert_json!(opened.data, {"node_id": "gate", "message": "please look"});
    assert_eq!(opened.data["workflow_id"], app.read_run(&run).await["workflow_id"]);
    app.approve(&before).await;
    let decided = stream.next().await.expect("an event");
    assert_eq!(decided.event.as_str(), "decided");
    assert_eq!(decided.data["run_id"], json!(before));
    assert_json!(decided.data, {"action": "APPROVE", "user_id": "ada"});
    let mut from_start = Stream::open(&app, PAUSES, Some(0)).await;
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(from_start.next().await.expect("an event"));
    }
    assert_eq!(all[1..], [opened, decided]);
    assert_eq!(all[0].event.as_str(), "opened");
    assert_eq!(all[0].data["run_id"], json!(before));
    assert!(all.is_sorted_by(|a, b| a.id < b.id));
}

/// Pause events are deleted with their workflow. A client that has read them continues with later ones.
async fn deleted_pause_events_do_not_end_the_stream(app: App) {
    let mut stream = Stream::open(&app, PAUSES, None).await;
    let run = app.start_to_pause(&gated_workflow("gone")).await;
    let seen = stream.next().await.expect("an event");
    let workflow = app.read_run(&run).await["workflow_id"].as_str().expect("an id").to_owned();
    app.delete(&format!("/wf/{workflow}/")).await.expect(204);
    drop(stream);
    let mut stream = Stream::open(&app, PAUSES, Some(seen.id)).await;
    let run = app.start_to_pause(&gated_workflow("next")).await;
    let next = stream.next().await.expect("an event");
    assert_eq!(next.event.as_str(), "opened");
    assert_eq!(next.data["run_id"], json!(run));
    assert!(next.id > seen.id);
}

async fn pause_events_survive_a_crash(mut app: App) {
    let mut stream = Stream::open(&app, PAUSES, None).await;
    let run = app.start_to_pause(&gated_workflow("gated")).await;
    let opened = stream.next().await.expect("an event");
    app.approve(&run).await;
    app.crash_and_restart().await;
    let mut stream = Stream::open(&app, PAUSES, Some(opened.id)).await;
    let decided = stream.next().await.expect("an event");
    assert_eq!(decided.event.as_str(), "decided");
    assert_eq!(decided.data["run_id"], json!(run));
}

#[tokio::test]
async fn streams_are_limited_and_end_at_shutdown() {
    let mut app = App::start_with(Backend::Sqlite, &[("SLUICE_MAX_EVENT_STREAMS", "2")]).await;
    let run = app.start_to_pause(&gated_workflow("gated")).await;
    let mut first = Stream::open(&app, &path(&run), None).await;
    let second = Stream::open(&app, PAUSES, None).await;
    let rejected = app.get(&path(&run)).await;
    assert!(rejected.headers.contains_key("retry-after"));
    rejected.problem(429);
    drop(second);
    first.until("run_paused").await;
    eventually("the slot of the closed stream", async || {
        let response = app.get(&path(&run)).stream().await;
        (response.status() == 200).then_some(())
    })
    .await;
    app.terminate().await;
    assert_eq!(first.read_to_end().await, []);
}

fn waiting_path(workflow: &str, call: &str, seconds: &str) -> String {
    format!("/wf/{workflow}/{call}/?wait_seconds={seconds}")
}

#[tokio::test]
async fn wait_seconds_limits_the_wait_for_a_run() {
    let app = App::start(Backend::Sqlite).await;
    let quick = app.create(&plain("quick")).await;
    let stuck = app.create(&after_input("stuck", never_ending("p"))).await;
    let fails = app.create(&after_input("fails", failing("p"))).await;
    let gated = app.create(&gated_workflow("gated")).await;
    let body = run_body("hi");
    let done = app.post(&waiting_path(&quick, "start_run", "30")).json(&body).await.ok();
    assert_eq!(done["status"], "COMPLETED");
    assert_eq!(
        app.post(&waiting_path(&quick, "run", "30")).json(&body).await.ok()["output_node"],
        json!({"out": "2"})
    );
    let failed = app.post(&waiting_path(&fails, "start_run", "30")).json(&body).await.ok();
    assert_eq!(failed["status"], "FAILED");
    app.post(&waiting_path(&fails, "run", "30")).json(&body).await.problem(424);
    for call in ["start_run", "run", "runv2"] {
        for (workflow, seconds, status) in
            [(&stuck, "0.05", "RUNNING"), (&stuck, "0", ""), (&gated, "30", "PAUSED")]
        {
            let response = app.post(&waiting_path(workflow, call, seconds)).json(&body).await;
            let location = response
                .headers
                .get("location")
                .map(|location| location.to_str().expect("a text").to_owned());
            let run = response.expect(202);
            assert_eq!(location, Some(format!("/run/{}/", id_of(&run))));
            assert!(
                run["status"] == status || (status.is_empty() && run["status"] != "COMPLETED"),
                "{call}: {run:#}"
            );
        }
        for bad in ["-1", "x", "3601", "nan", "inf"] {
            assert_eq!(
                app.post(&waiting_path(&quick, call, bad)).json(&body).await.pointers(),
                ["/wait_seconds"]
            );
        }
    }
}

#[tokio::test]
async fn timeline_has_times_of_runs_and_nodes() {
    let app = App::start(Backend::Sqlite).await;
    let nodes = vec![
        input(),
        node("loop", "ForLoopNode", json!({"num_iterations": 2})),
        with_parent(node("loop_input", "InputNode", json!({})), "loop"),
        with_parent(python("step", "return {'out': 1}"), "loop"),
        with_parent(output_named("loop_output", json!({"n": "step.out"})), "loop"),
        gate("gate"),
        with_title(static_node("last", json!({"k": "v"})), "The last"),
    ];
    let links =
        [chain(&["input_node", "loop", "gate", "last"]), chain(&["loop_input", "step", "loop_output"])];
    let run = app.start_to_pause(&workflow("w", nodes, links.concat())).await;
    app.approve(&run).await;
    app.run_until(&run, "COMPLETED").await;
    let timeline = app.get(&format!("/run/{run}/timeline/")).await.ok();
    let entries = timeline.as_array().expect("a list");
    let position = |entry: &Value| {
        let iteration = entry["iterations"].as_array().and_then(|all| all.first().cloned());
        (entry["node_id"].as_str().expect("a text").to_owned(), iteration.map(|i| i["iteration"].clone()))
    };
    let positions: Vec<_> = entries.iter().map(position).collect();
    let inner = ["loop_input", "step", "loop_output"];
    let mut expected = vec![("input_node".to_owned(), None), ("loop".to_owned(), None)];
    for iteration in [0, 1] {
        expected.extend(inner.map(|id| (id.to_owned(), Some(json!(iteration)))));
    }
    expected.extend(["gate", "last"].map(|id| (id.to_owned(), None)));
    assert_eq!(positions, expected, "{timeline:#}");
    assert!(entries.iter().all(|entry| entry["status"] == "COMPLETED"), "{timeline:#}");
    let step = &entries[3];
    assert_eq!(step["attempts"].as_array().expect("attempts").len(), 1);
    assert!(step["queued_time"].as_str() <= step["start_time"].as_str(), "{step:#}");
    let gate = &entries[8];
    assert_eq!(gate["pauses"][0]["resume_user_id"], "ada", "{gate:#}");
    assert_eq!(gate["end_time"], gate["pauses"][0]["resume_time"]);
    assert_eq!(entries[9]["title"], "The last");
    app.get("/run/019aa2b5-0b7c-7f12-8a44-91d0c2e4f602/timeline/").await.problem(404);
}

/// Reads a stream up to its first comment.
async fn heartbeat(app: &App, path: &str) -> String {
    let mut response = app.get(path).stream().await;
    let mut text = String::new();
    loop {
        let chunk = response.chunk().await.expect("a stream that is open").expect("an open stream");
        text.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
        if let Some(comment) = text.split("\n\n").find(|block| block.starts_with(':')) {
            return comment.to_owned();
        }
    }
}

#[tokio::test]
async fn quiet_streams_send_heartbeats() {
    let app = App::start(Backend::Sqlite).await;
    let run = app.start_to_pause(&gated_workflow("gated")).await;
    let start = std::time::Instant::now();
    let (of_run, of_pauses) = (path(&run), "/wf/paused_workflows/events/");
    let both = join(heartbeat(&app, &of_run), heartbeat(&app, of_pauses));
    let (run, pauses) =
        tokio::time::timeout(std::time::Duration::from_secs(30), both).await.expect("two heartbeats");
    assert_eq!(run.trim_end(), ":");
    assert_eq!(pauses.trim_end(), ":");
    assert!(start.elapsed() >= std::time::Duration::from_secs(14), "a heartbeat is sent every 15 seconds");
}
