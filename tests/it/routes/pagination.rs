//! Lists: cursors, sort keys, filters, and the headers for the next page.

use std::collections::{HashMap, HashSet};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::app::{App, on_both_databases};
use crate::support::client::Response;
use crate::support::definitions::*;
use crate::support::json::{id_of, ids};

on_both_databases!(
    cursors_visit_each_workflow_once_during_changes,
    cursors_visit_each_run_once_while_others_start,
    versions_are_paged_by_cursor,
    headers_have_the_next_page_and_the_count,
    workflows_are_filtered_by_words_tags_and_times,
    runs_are_filtered_by_type_status_and_workflow,
    versions_are_filtered_by_words_and_times,
    rejects_invalid_list_parameters,
    rejects_forged_cursors,
);

fn header(response: &Response, name: &str) -> Option<String> {
    response.headers.get(name).map(|value| value.to_str().expect("a text header").to_owned())
}

/// Returns the links of a response by relation.
fn links(response: &Response) -> HashMap<String, String> {
    let link = header(response, "link").unwrap_or_default();
    let parse = |link: &str| {
        let (target, rel) = link.split_once(">; rel=").expect("a link with a relation");
        (rel.trim_matches('"').to_owned(), target.trim_start_matches('<').to_owned())
    };
    link.split(", ").filter(|link| !link.is_empty()).map(parse).collect()
}

/// Returns the next pseudo-random number below `limit`. The sequence is the same in each test run.
fn random(state: &mut u64, limit: usize) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 33).expect("31 bits") % limit
}

/// Follows the links to the last page. Calls `between` with the rows so far after each page.
async fn follow_pages(
    app: &App,
    path: &str,
    query: &str,
    mut between: impl AsyncFnMut(&[Value]),
) -> Vec<Value> {
    let (mut visited, mut next) = (Vec::new(), Some(format!("?{query}")));
    while let Some(link) = next {
        assert!(visited.len() < 1_000, "the list does not end");
        let response = app.get(&format!("{path}{link}")).await;
        next = links(&response).remove("next");
        let cursor = header(&response, "x-next-cursor");
        assert_eq!(next.is_some(), cursor.is_some(), "{:?}", response.headers);
        assert!(next.iter().zip(&cursor).all(|(next, cursor)| next.contains(cursor)));
        visited.extend(response.ok().as_array().expect("a list").clone());
        between(&visited).await;
    }
    visited
}

fn assert_visited_once(visited: &[String], expected: &HashSet<String>, what: &str) {
    let different: HashSet<String> = visited.iter().cloned().collect();
    assert_eq!(different.len(), visited.len(), "{what}: a row was returned twice");
    let missing: Vec<_> = expected.difference(&different).collect();
    assert!(missing.is_empty(), "{what}: missing {missing:?}");
}

async fn cursors_visit_each_workflow_once_during_changes(app: App) {
    let mut state = 1;
    let mut number = 0;
    for sort in ["-created_at", "created_at", "name", "-name", "updated_at", "-updated_at"] {
        let mut existing_ids = HashSet::new();
        for _ in 0..9 {
            let name = format!("{} {number}", ["walnut", "Ähre", "\"oak\"", "elm"][random(&mut state, 4)]);
            number += 1;
            existing_ids.insert(app.create(&json!({"name": name})).await);
        }
        let size = 1 + random(&mut state, 4);
        let (mut deleted, mut changes_left) = (HashSet::new(), 12);
        let visited = follow_pages(&app, "/wf/", &format!("sort={sort}&page_size={size}"), async |visited| {
            // Adds and deletes rows while the first pages are read.
            if changes_left == 0 {
                return;
            }
            changes_left -= 1;
            number += 1;
            app.create(&json!({"name": format!("{} new {number}", ["a", "m", "z"][changes_left % 3])})).await;
            let last = visited.last().map(id_of).filter(|id| !deleted.contains(id) && changes_left % 2 == 0);
            if let Some(id) = last {
                app.delete(&format!("/wf/{id}/")).await.expect(204);
                deleted.insert(id);
            }
        })
        .await;
        assert_visited_once(&ids(&Value::Array(visited)), &existing_ids, sort);
    }
}

async fn cursors_visit_each_run_once_while_others_start(app: App) {
    let workflow = app.create(&plain("counted")).await;
    for (path, query) in [
        ("/run/".to_owned(), "page_size=2"),
        ("/run/".to_owned(), "page_size=2&sort=start_time&status=COMPLETED"),
        (format!("/wf/{workflow}/runs/"), "page_size=3&status=COMPLETED"),
        (format!("/wf/{workflow}/runs/"), "page_size=1&sort=start_time"),
    ] {
        let mut existing_ids = HashSet::new();
        for _ in 0..4 {
            existing_ids.insert(id_of(&app.run(&workflow, &run_body("x")).await));
        }
        let mut remaining = 4;
        let visited = follow_pages(&app, &path, query, async |_| {
            if remaining > 0 {
                remaining -= 1;
                app.run(&workflow, &run_body("x")).await;
            }
        })
        .await;
        assert_visited_once(&ids(&Value::Array(visited)), &existing_ids, query);
    }
}

async fn versions_are_paged_by_cursor(app: App) {
    let id = app.create(&after_input("versions", static_node("f", json!({"n": 0})))).await;
    for n in 1..7 {
        app.put(&format!("/wf/{id}/"))
            .json(&after_input("versions", static_node("f", json!({"n": n}))))
            .await
            .ok();
    }
    let path = format!("/wf/{id}/versions/");
    for (query, first) in [("page_size=2", 7), ("page_size=2&sort=version", 1)] {
        let visited = follow_pages(&app, &path, query, async |_| {}).await;
        let numbers: Vec<_> =
            visited.iter().map(|version| version["version"].as_i64().expect("a number")).collect();
        assert_eq!(numbers.len(), 7, "{query}");
        assert_eq!(numbers[0], first, "{query}");
        assert!(numbers.is_sorted() || numbers.iter().rev().is_sorted(), "{numbers:?}");
    }
    let counted = app.get(&format!("{path}?count=true&page_size=1")).await;
    assert_eq!(header(&counted, "x-total-count").as_deref(), Some("7"));
}

async fn headers_have_the_next_page_and_the_count(app: App) {
    let mut created = Vec::new();
    for n in 0..5 {
        created.push(app.create(&json!({"name": format!("w{n}")})).await);
    }
    created.reverse();
    let all = app.get("/wf/").await;
    assert_eq!(header(&all, "link"), None);
    assert_eq!(header(&all, "x-total-count"), None);

    let second = app.get("/wf/?page=2&page_size=2&count=true&q=w").await;
    assert_eq!(header(&second, "x-total-count").as_deref(), Some("5"));
    let links = links(&second);
    assert_eq!(links["prev"], "?page_size=2&count=true&q=w&page=1");
    assert_eq!(links["first"], "?page_size=2&count=true&q=w");
    assert_eq!(ids(&second.ok()), created[2..4]);
    assert_eq!(ids(&app.get(&format!("/wf/{}", links["prev"])).await.ok()), created[..2]);
    assert_eq!(ids(&app.get(&format!("/wf/{}", links["first"])).await.ok()), created[..2]);
    // Equivalent parameters give the same page, and links are valid URIs.
    let equivalent = app.get("/wf/?p%61ge=2&page_size=2&q=w&tag=%3e%22&tag2=>%C3%A9").await;
    assert_eq!(self::links(&equivalent)["first"], "?page_size=2&q=w&tag=%3e%22&tag2=%3E%C3%A9");
    let equivalent = self::links(&app.get("/wf/?p%61ge=2&page_size=2&q=w").await);
    assert_eq!(ids(&app.get(&format!("/wf/{}", equivalent["next"])).await.ok()), created[4..]);
    // Links keep the prefix /api and the missing slash.
    for path in ["/wf/", "/api/wf", "/api/wf/"] {
        assert_eq!(ids(&app.get(&format!("{path}{}", links["next"])).await.ok()), created[4..]);
    }
}

async fn workflows_are_filtered_by_words_tags_and_times(app: App) {
    let body = |name: &str, description: &str, tags: &[&str]| json!({"name": name, "description": description, "tags": tags});
    let orders = app
        .post("/wf/")
        .json(&body("Order-Import", "Reads the shop's parcels", &["shop", "über alles"]))
        .await
        .ok();
    let bills = app.post("/wf/").json(&body("Bills", "for every ORDER", &["shop"])).await.ok();
    let other = app.post("/wf/").json(&body("Other", "", &[])).await.ok();
    let (o, b) = (id_of(&orders), id_of(&bills));
    for (query, expected) in [
        ("q=order", vec![&b, &o]),
        ("q=imp%20ord", vec![&o]),
        ("q=parcel", vec![&o]),
        ("q=rder", vec![]),
        ("tag=shop", vec![&b, &o]),
        ("tag=shop&sort=name", vec![&b, &o]),
        ("tag=shop&q=bill&count=true", vec![&b]),
        ("tag=%C3%BCber%20alles", vec![&o]),
        ("tag=sho", vec![]),
        ("created_before=2000-01-01", vec![]),
        ("created_after=2100-01-01", vec![]),
        ("updated_after=2100-01-01", vec![]),
        ("q=order&updated_after=2000-01-01&created_after=2000-01-01&created_before=2100-01-01", vec![&b, &o]),
    ] {
        let found = ids(&app.get(&format!("/wf/?{query}")).await.ok());
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query}");
    }
    let since = other["created_at"].as_str().expect("a time");
    assert_eq!(ids(&app.get(&format!("/wf/?created_after={since}")).await.ok()), [id_of(&other)]);

    app.patch(&format!("/wf/{o}/")).merge_patch(&json!({"name": "Zebra", "tags": ["new"]})).await.ok();
    assert_eq!(ids(&app.get("/wf/?q=order").await.ok()), std::slice::from_ref(&b));
    assert_eq!(ids(&app.get("/wf/?q=zeb&tag=new").await.ok()), std::slice::from_ref(&o));
    let last = ids(&app.get("/wf/?updated_after=2000-01-01").await.ok());
    assert_eq!(last[0], o, "a filter by the time of the update sorts the last updated first");
}

async fn runs_are_filtered_by_type_status_and_workflow(app: App) {
    let mut tagged = gated_workflow("Orders of today");
    tagged["tags"] = json!(["shop"]);
    tagged["description"] = json!("For the cafe\u{301}");
    let paused = app.start_to_pause(&tagged).await;
    let plain = app.create(&plain("Bills")).await;
    let done = id_of(&app.run(&plain, &run_body("x")).await);
    let nightly = app.post(&format!("/wf/{plain}/runv2/?run_type=nightly")).json(&run_body("x")).await.ok();
    let nightly = id_of(&nightly);
    for (query, expected) in [
        ("status=PAUSED", vec![&paused]),
        ("status=COMPLETED", vec![&nightly, &done]),
        ("status=COMPLETED&run_type=nightly&parent_only=false", vec![&nightly]),
        ("q=bill", vec![&nightly, &done]),
        ("q=orders", vec![&paused]),
        ("q=CAF%C3%89+today", vec![&paused]),
        ("q=today+bill", vec![]),
        ("tag=shop", vec![&paused]),
        ("end_date=2000-01-01", vec![]),
        ("start_date=2000-01-01&end_date=2100-01-01&q=bill&sort=start_time", vec![&done, &nightly]),
    ] {
        let response = app.get(&format!("/run/?{query}&count=true")).await;
        let total = header(&response, "x-total-count");
        let found = ids(&response.ok());
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query}");
        assert_eq!(total, Some(expected.len().to_string()), "{query}");
    }
    let runs_path = format!("/wf/{plain}/runs/");
    assert_eq!(ids(&app.get(&format!("{runs_path}?run_type=nightly")).await.ok()), [nightly]);
    for (query, expected) in
        [("q=today", 1), ("tag=shop&count=true", 1), ("q=bill", 0), ("start_date=2100-01-01", 0)]
    {
        let found = app.get(&format!("/wf/paused_workflows/?{query}")).await.ok();
        assert_eq!(found.as_array().map(Vec::len), Some(expected), "{query}");
    }
}

async fn versions_are_filtered_by_words_and_times(app: App) {
    let gated_version = |n: i32, description: &str| {
        let mut workflow = after_input("versions", static_node("f", json!({"n": n})));
        workflow["description"] = json!(description);
        workflow
    };
    let id = app.create(&gated_version(0, "the first")).await;
    app.put(&format!("/wf/{id}/")).json(&gated_version(1, "the gate")).await.ok();
    app.put(&format!("/wf/{id}/")).json(&gated_version(2, "the gate again")).await.ok();
    let path = format!("/wf/{id}/versions/");
    let all = app.get(&path).await.ok();
    let second = all[1]["created_at"].as_str().expect("a time").to_owned();
    for (query, expected) in [
        ("q=gat".to_owned(), vec![3, 2]),
        ("q=GATE+again".to_owned(), vec![3]),
        ("q=versions&sort=version".to_owned(), vec![1, 2, 3]),
        ("q=nothing".to_owned(), vec![]),
        (format!("created_after={second}&created_before={second}"), vec![2]),
        (format!("created_before={second}&q=first"), vec![1]),
        ("created_after=2100-01-01".to_owned(), vec![]),
    ] {
        let response = app.get(&format!("{path}?{query}&count=true")).await;
        let total = header(&response, "x-total-count");
        let found = response.ok();
        let found = found.as_array().expect("a list").iter().map(|version| version["version"].as_i64());
        assert_eq!(found.flatten().collect::<Vec<_>>(), expected, "{query}");
        assert_eq!(total, Some(expected.len().to_string()), "{query}");
    }
    let visited = follow_pages(&app, &path, "q=gate&page_size=1", async |_| {}).await;
    assert_eq!(visited.len(), 2, "links keep the filters");
    for (query, pointer) in [("q=%21", "/q"), ("created_after=x", "/created_after")] {
        assert_eq!(app.get(&format!("{path}?{query}")).await.pointers(), [pointer], "{query}");
    }
}

async fn rejects_invalid_list_parameters(app: App) {
    for n in 0..2 {
        app.create(&json!({"name": format!("w{n}")})).await;
    }
    let cursor = header(&app.get("/wf/?page_size=1&sort=name").await, "x-next-cursor").expect("a cursor");
    for (query, pointer) in [
        ("cursor=".to_owned(), "/cursor"),
        ("cursor=%00".to_owned(), "/cursor"),
        ("cursor=abc".to_owned(), "/cursor"),
        (format!("cursor={}", "A".repeat(3_000)), "/cursor"),
        (format!("cursor={cursor}"), "/cursor"),
        (format!("cursor={cursor}&sort=-name"), "/cursor"),
        (format!("cursor={cursor}x&sort=name&page=2"), "/cursor"),
        (format!("cursor={cursor}&sort=name&page=2"), "/cursor"),
        ("sort=size".to_owned(), "/sort"),
        ("count=perhaps".to_owned(), "/count"),
        ("q=".to_owned(), "/q"),
        ("q=--".to_owned(), "/q"),
        ("q=a+b+c+d+e+f+g+h+i".to_owned(), "/q"),
        (format!("q={}", "x".repeat(65)), "/q"),
        ("tag=".to_owned(), "/tag"),
        ("created_after=yesterday".to_owned(), "/created_after"),
        ("updated_before=x".to_owned(), "/updated_before"),
    ] {
        assert_eq!(app.get(&format!("/wf/?{query}")).await.pointers(), [pointer], "{query}");
    }
    app.get(&format!("/wf/?cursor={cursor}&sort=name&page=1")).await.ok();
    for path in ["/run/", "/wf/paused_workflows/"] {
        for (query, pointer) in [("sort=name", "/sort"), ("status=DONE", "/status"), ("q=%21", "/q")] {
            assert_eq!(app.get(&format!("{path}?{query}")).await.pointers(), [pointer], "{path}{query}");
        }
        assert_eq!(app.get(&format!("{path}?cursor={cursor}")).await.pointers(), ["/cursor"]);
    }
    app.get("/wf/00000000-0000-7000-8000-000000000000/versions/?count=true&cursor=LXZlcnNpb24KMw")
        .await
        .problem(404);
}

async fn rejects_forged_cursors(app: App) {
    let id = app.create(&json!({"name": "w"})).await;
    let missing = "00000000-0000-7000-8000-000000000000";
    for (path, sort, key, is_read) in [
        ("/wf/", "name", "a\0b".to_owned(), false),
        ("/wf/", "name", "x".repeat(2_000), false),
        ("/wf/", "name", "a' OR 1=1 --%_\n\u{1f}".to_owned(), true),
        ("/wf/", "name", String::new(), true),
        ("/wf/", "updated_at", format!("{}.{missing}", i64::MAX), false),
        ("/wf/", "updated_at", format!("{}.{missing}", -62_000_000_000_000_000_i64), true),
        ("/wf/", "updated_at", format!("{}.{missing}", 8_000_000_000_000_000_000_i64), true),
        ("/wf/", "updated_at", format!("5{missing}"), false),
        ("/wf/", "-created_at", "7".to_owned(), false),
        ("/run/", "-start_time", "7".to_owned(), false),
        ("/run/", "-start_time", missing.to_owned(), true),
        (&format!("/wf/{id}/versions/"), "-version", i64::MAX.to_string(), false),
        (&format!("/wf/{id}/versions/"), "-version", i32::MIN.to_string(), true),
    ] {
        let cursor = BASE64_URL_SAFE_NO_PAD.encode(format!("{sort}\n{key}"));
        let response = app.get(&format!("{path}?sort={sort}&cursor={cursor}")).await;
        if is_read {
            response.ok();
        } else {
            assert_eq!(response.pointers(), ["/cursor"], "{path} {sort} {key}");
        }
    }
    // After the last row the page is empty, and other filters accept the cursor.
    let cursor = header(&app.get("/wf/?page_size=1&sort=name").await, "x-next-cursor").expect("a cursor");
    assert_eq!(app.get(&format!("/wf/?sort=name&q=w&cursor={cursor}")).await.ok(), json!([]));
}
