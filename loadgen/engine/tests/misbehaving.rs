//! The engine against servers that misbehave: each fault is counted under its kind, exactly, and
//! nothing is lost.

#![allow(clippy::unwrap_used)] // helpers outside test functions unwrap as well

mod common;

use common::{plan, run, Outcome, Reply, Server, SHORT_TIMEOUT_NS};
use serde_json::json;
use std::sync::atomic::Ordering;

/// Every tenth request gets `reply`; returns what the engine said.
fn one_in_ten(reply: Reply) -> (Outcome, Server) {
    let server = Server::start(move |n| if n % 10 == 9 { reply } else { Reply::Good });
    let outcome = run(&plan(server.port));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(outcome.totals()["offered"], 400);
    assert_eq!(
        outcome.totals()["completed"],
        400,
        "{reply:?} {:?}",
        outcome.totals()["errors"]
    );
    assert_eq!(outcome.event("done")["unfinished"], 0);
    assert!(
        server.open_most.load(Ordering::SeqCst) <= 4,
        "more connections than asked for"
    );
    (outcome, server)
}

#[test]
fn each_fault_has_its_kind_and_count() {
    for (reply, kind, lost) in [
        (Reply::Reset, "reset", 40),
        (Reply::CloseAtOnce, "closed", 40),
        (Reply::CloseInside, "closed", 40),
        (Reply::ShortBody, "length", 0),
        (Reply::WrongByte, "digest", 0),
        (Reply::WrongStatus, "status", 0),
        (Reply::Garbage, "parse", 40),
    ] {
        let (outcome, server) = one_in_ten(reply);
        assert_eq!(outcome.totals()["errors"], json!({kind: 40}), "{reply:?}");
        assert_eq!(outcome.totals()["good"], 360);
        assert_eq!(outcome.event("done")["connections_lost"], lost, "{reply:?}");
        assert_eq!(
            server.requests.load(Ordering::SeqCst),
            400,
            "no request is sent twice"
        );
        let wrong = outcome.event("done")["digests_wrong"].as_u64().unwrap();
        assert_eq!(
            wrong,
            if kind == "digest" || kind == "length" {
                40
            } else {
                0
            }
        );
    }
}

#[test]
fn unusual_but_good_answers_are_good() {
    for (reply, lost) in [
        (Reply::Chunked, 0),
        (Reply::Interim, 0),
        (Reply::ByteByByte, 0),
        (Reply::CloseAfter, 40),
        (Reply::UntilClose, 40),
        (Reply::TwoAnswers, 40),
    ] {
        let (outcome, _) = one_in_ten(reply);
        assert_eq!(
            outcome.totals()["good"],
            400,
            "{reply:?} {:?}",
            outcome.totals()["errors"]
        );
        assert_eq!(outcome.totals()["errors"], json!({}));
        let done = outcome.event("done");
        assert_eq!(done["connections_lost"], lost, "{reply:?}");
        assert_eq!(done["digests_checked"], 400);
        let opened = done["connections_opened"].as_u64().unwrap();
        // The last of the lost connections may still be opening when the run ends.
        assert!(
            (4 + lost - 4..=4 + lost).contains(&opened),
            "{reply:?} {opened}"
        );
    }
}

#[test]
fn a_server_that_never_answers_makes_timeouts_and_backlog() {
    let server = Server::start(|n| if n == 40 { Reply::Never } else { Reply::Good });
    let mut plan = plan(server.port);
    plan["connections"] = 1.into();
    plan["timeout_ns"] = SHORT_TIMEOUT_NS.into();
    let outcome = run(&plan);
    assert_eq!(outcome.totals()["errors"], json!({"timeout": 1}));
    assert_eq!(outcome.totals()["good"], 399);
    let slowest = outcome.totals()["summary"]["response_ns_max"]
        .as_u64()
        .unwrap();
    assert!(
        slowest >= 300_000_000,
        "the failed request has its response time: {slowest}"
    );
    // 300 ms x 400 rps wait behind it: their response time counts from the intended time.
    let p90 = outcome.totals()["summary"]["response_ns_p99"]
        .as_u64()
        .unwrap();
    assert!(p90 > 250_000_000, "{p90}");
}

#[test]
fn a_server_that_goes_away_makes_connect_errors_and_every_slot_is_counted() {
    let mut child = common::freeze(0, None);
    let outcome = std::thread::scope(|scope| {
        let mut plan = plan(child.port);
        plan["target"]["path"] = "/".into();
        plan["duration_s"] = 3.into();
        let running = scope.spawn(move || run(&plan));
        std::thread::sleep(std::time::Duration::from_millis(700));
        child.process.kill().unwrap();
        running.join().unwrap()
    });
    child.process.wait().unwrap();
    let totals = outcome.totals();
    assert_eq!(totals["offered"], 1200);
    assert_eq!(totals["completed"], 1200);
    let errors = totals["errors"].as_object().unwrap();
    assert!(errors["connect"].as_u64().unwrap() > 50, "{errors:?}");
    let sum: u64 = errors.values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(totals["good"].as_u64().unwrap() + sum, 1200);
}

#[test]
fn pipelined_requests_fail_together_when_their_connection_does() {
    let server = Server::start(|n| {
        if n == 150 {
            Reply::CloseInside
        } else {
            Reply::Good
        }
    });
    let mut plan = plan(server.port);
    plan["protocol"] = "h1-pipelined".into();
    plan["pipeline"] = 8.into();
    plan["rate_rps"] = 5000.into();
    plan["connections"] = 2.into();
    let outcome = run(&plan);
    let totals = outcome.totals();
    assert_eq!(totals["completed"], 5000);
    let closed = totals["errors"]["closed"].as_u64().unwrap_or(0);
    let rest = totals["errors"]["reset"].as_u64().unwrap_or(0);
    assert!((1..=8).contains(&(closed + rest)), "{:?}", totals["errors"]);
    assert_eq!(totals["good"].as_u64().unwrap() + closed + rest, 5000);
}
