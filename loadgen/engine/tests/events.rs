//! The engine as a program: its events, its records, its ends and its refusals.

#![allow(clippy::unwrap_used)] // helpers outside test functions unwrap as well

mod common;

use common::{feed, freeze, plan, run, spawn, Outcome, Reply, Server, ENGINE};
use pausemark_engine::records::{HEADER_BYTES, RECORD_BYTES};
use serde_json::{json, Value};
use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

fn scratch(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("pausemark-{name}-{}.bin", std::process::id()))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

fn sum(outcome: &Outcome, field: &str) -> u64 {
    let seconds = outcome
        .events
        .iter()
        .filter(|event| event["event"] == "second");
    seconds.map(|second| second[field].as_u64().unwrap()).sum()
}

#[test]
fn warm_up_and_measured_part_are_one_schedule_and_the_sums_agree() {
    let server = freeze(0, None);
    let path = scratch("events");
    let mut plan = plan(server.port);
    plan["target"]["path"] = "/".into();
    plan["warmup_s"] = 1.into();
    plan["duration_s"] = 2.into();
    plan["threads"] = 2.into();
    plan["records_path"] = path.to_str().unwrap().into();
    let outcome = run(&plan);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let order: Vec<&str> = outcome
        .events
        .iter()
        .map(|e| e["event"].as_str().unwrap())
        .collect();
    assert_eq!(&order[..3], ["ready", "start", "second"]);
    assert_eq!(order.last(), Some(&"done"));
    assert_eq!(outcome.event("ready")["connections"], 4);
    assert_eq!(
        (sum(&outcome, "offered"), sum(&outcome, "completed")),
        (1200, 1200)
    );
    assert_eq!(outcome.totals()["offered"], 800);
    assert_eq!(outcome.totals()["good"], 800);
    assert_eq!(outcome.event("done")["by_operation"]["get"]["good"], 800);
    let start = outcome.event("start");
    check_records(&std::fs::read(&path).unwrap(), start);
    std::fs::remove_file(&path).unwrap();
}

/// Each slot of the schedule is in the file once, at its exact time.
fn check_records(bytes: &[u8], start: &Value) {
    assert_eq!(&bytes[..8], b"PMREQ001");
    let length = usize::try_from(u32::from_le_bytes(bytes[8..12].try_into().unwrap())).unwrap();
    let header: Value = serde_json::from_slice(&bytes[12..12 + length]).unwrap();
    assert_eq!(header["operations"], json!(["get"]));
    assert_eq!(header["start_ns"], start["start_ns"]);
    let start_ns = start["start_ns"].as_u64().unwrap();
    let mut intended = BTreeSet::new();
    for record in bytes[HEADER_BYTES..].chunks(RECORD_BYTES) {
        let times: Vec<u64> = (0..4).map(|field| u64_at(record, field * 8)).collect();
        assert!(times.windows(2).all(|pair| pair[0] <= pair[1]), "{times:?}");
        assert_eq!(u16::from_le_bytes([record[34], record[35]]), 200);
        assert!(record[32] < 4 && record[36] == 0 && record[37] == 0);
        let warmup = record[38] & 2 != 0;
        assert_eq!(warmup, times[0] < start["measure_ns"].as_u64().unwrap());
        intended.insert(times[0] - start_ns);
    }
    let expected: BTreeSet<u64> = (0..1200).map(|slot| slot * 2_500_000).collect();
    assert_eq!(intended, expected);
}

#[test]
fn the_mix_and_the_checks_work_against_a_server_that_answers_rightly() {
    let server = Server::start(|_| Reply::Good);
    let mut plan = plan(server.port);
    plan["scenario"]["operations"] = json!([
        {"name": "get", "weight": 3, "status": 200}, {"name": "put", "weight": 1, "status": 200}]);
    plan["arrivals"] = "poisson".into();
    let outcome = run(&plan);
    let by_operation = &outcome.event("done")["by_operation"];
    let good = |name: &str| by_operation[name]["good"].as_u64().unwrap();
    assert_eq!(outcome.totals()["good"], outcome.totals()["offered"]);
    assert!(
        good("get") > 2 * good("put") && good("put") > 50,
        "{by_operation}"
    );
}

#[test]
fn preload_stores_every_object_and_reads_a_sample_back() {
    let server = Server::start(|n| {
        if n % 7 == 3 {
            Reply::WrongStatus
        } else {
            Reply::Good
        }
    });
    let outcome = Outcome::of(spawn("preload", &plan(server.port)));
    // The sample meets the 503 as well, so the end is a failure that says so.
    assert_eq!(outcome.event("done")["objects"], 50, "{}", outcome.stderr);
    assert_eq!(outcome.code, Some(1));
    assert!(
        outcome.stderr.contains("scenario.objects"),
        "{}",
        outcome.stderr
    );
    let server = Server::start(|_| Reply::Good);
    let outcome = Outcome::of(spawn("preload", &plan(server.port)));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(outcome.event("done")["digests_checked"], 50);
    assert_eq!(outcome.event("done")["errors"], json!({}));
}

#[test]
fn preload_tells_what_could_not_be_stored() {
    let server = Server::start(|n| {
        if n > 20 {
            Reply::WrongStatus
        } else {
            Reply::Good
        }
    });
    let outcome = Outcome::of(spawn("preload", &plan(server.port)));
    assert_eq!(
        (outcome.code, outcome.event("done")["objects"].as_u64()),
        (Some(1), Some(20))
    );
    assert_eq!(outcome.event("error")["where"], "scenario.objects");
}

#[test]
fn sigterm_ends_with_done_and_whole_records() {
    let server = freeze(0, None);
    let path = scratch("sigterm");
    let mut plan = plan(server.port);
    plan["target"]["path"] = "/".into();
    plan["duration_s"] = 60.into();
    plan["records_path"] = path.to_str().unwrap().into();
    let child = spawn("run", &plan);
    std::thread::sleep(Duration::from_millis(1500));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let begin = Instant::now();
    let outcome = Outcome::of(child);
    assert!(begin.elapsed() < Duration::from_secs(2));
    assert_eq!(
        (outcome.code, &outcome.event("done")["interrupted"]),
        (Some(1), &json!(true))
    );
    let done = outcome.event("done");
    let size = std::fs::metadata(&path).unwrap().len();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(
        size,
        HEADER_BYTES as u64 + RECORD_BYTES as u64 * done["records"].as_u64().unwrap()
    );
    let all =
        outcome.totals()["completed"].as_u64().unwrap() + done["unfinished"].as_u64().unwrap();
    assert_eq!(outcome.totals()["offered"].as_u64().unwrap(), all);
}

#[test]
fn the_engine_dies_with_its_parent() {
    let server = freeze(0, None);
    let mut plan = plan(server.port);
    plan["target"]["path"] = "/".into();
    plan["duration_s"] = 60.into();
    let path = scratch("parent");
    std::fs::write(&path, plan.to_string()).unwrap();
    let engine = env!("CARGO_BIN_EXE_pausemark-engine");
    let script = format!(
        "{engine} run < {} > /dev/null 2>&1 & echo $!; sleep 1",
        path.display()
    );
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .output()
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    let pid: u32 = String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let stat = format!("/proc/{pid}/stat");
    let lives = || std::fs::read_to_string(&stat).is_ok_and(|text| !text.contains(") Z "));
    let begin = Instant::now();
    while lives() {
        assert!(begin.elapsed() < Duration::from_secs(3), "it lives on");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn refusals_have_their_place_and_code() {
    let mut nobody = plan(1);
    nobody["target"]["path"] = "/".into();
    let outcome = run(&nobody);
    assert_eq!(outcome.code, Some(4));
    assert_eq!(outcome.event("error")["where"], "target 127.0.0.1:1");
    assert!(
        outcome.stderr.starts_with("error: target 127.0.0.1:1: "),
        "{}",
        outcome.stderr
    );
    assert!(outcome.stderr.contains("\nhint: "));
    for (key, value, place) in [
        ("rate_rps", json!(0), "rate_rps"),
        ("protocol", json!("h3"), "protocol"),
        ("start_at_ns", json!(5), "start_at_ns"),
        ("cpus", json!([900]), "cpus"),
        ("colour", json!("red"), "colour"),
    ] {
        let server = Server::start(|_| Reply::Good);
        let mut plan = plan(server.port);
        plan[key] = value;
        let outcome = run(&plan);
        assert_eq!(outcome.code, Some(2), "{key} {}", outcome.stderr);
        assert_eq!(outcome.event("error")["where"], place);
    }
    let server = Server::start(|_| Reply::Good);
    let mut plan = plan(server.port);
    plan["records_path"] = "/nonexistent/x".into();
    assert_eq!(run(&plan).code, Some(4));
}

#[test]
fn a_freeze_shows_as_response_time_and_backlog_and_not_as_own_fault() {
    let log = scratch("freeze");
    let mut server = freeze(200_000, Some(&log));
    let mut plan = plan(server.port);
    plan["target"]["path"] = "/".into();
    plan["duration_s"] = 3.into();
    let outcome = run(&plan);
    server.end();
    let text = std::fs::read_to_string(&log).unwrap();
    std::fs::remove_file(&log).unwrap();
    let freezes = text
        .lines()
        .filter(|line| line.contains("\"freeze\""))
        .count();
    assert!((2..=3).contains(&freezes), "{text}");
    let slowest = outcome.totals()["summary"]["response_ns_max"]
        .as_u64()
        .unwrap();
    assert!((195_000_000..1_000_000_000).contains(&slowest), "{slowest}");
    assert_eq!(outcome.totals()["good"], 1200);
}

#[test]
fn a_thread_that_cannot_wait_any_more_is_told_with_its_reason() {
    let server = Server::start(|_| Reply::Good);
    let calls = "epoll_wait,epoll_pwait,epoll_pwait2";
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq", "-o", "/dev/null", "-e"]);
    traced.arg(format!("inject={calls}:error=EBADF:when=100+"));
    traced.args([ENGINE, "run"]);
    let outcome = Outcome::of(feed(traced, &plan(server.port)));
    assert_eq!(outcome.code, Some(4), "{}", outcome.stderr);
    assert_eq!(outcome.event("error")["where"], "a thread of the schedule");
    let found = outcome.event("error")["found"].as_str().unwrap();
    assert!(found.contains("Bad file"), "{found}");
    let done = outcome.event("done");
    assert!(done["unfinished"].as_u64().unwrap() > 0, "{done}");
}
