//! The engine as a program, by schedule: steps and ramps, the closed loop, and how it is paced.

#![allow(clippy::unwrap_used)] // helpers outside test functions unwrap as well

mod common;

use common::{freeze, plan, run, Outcome, Reply, Server, SHORT_TIMEOUT_NS};
use hdrhistogram::serialization::V2DeflateSerializer;
use pausemark_engine::records::{HEADER_BYTES, RECORD_BYTES};
use pausemark_engine::stats::Times;
use serde_json::{json, Value};

/// Runs a plan with records, and reads (intended, sent, last byte) of each request in order of
/// intention.
fn recorded(mut plan: Value, name: &str) -> (Outcome, Vec<[u64; 3]>) {
    let file = format!("pausemark-{name}-{}.bin", std::process::id());
    let path = std::env::temp_dir().join(file);
    plan["records_path"] = path.to_str().unwrap().into();
    let outcome = run(&plan);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let field = |record: &[u8], at: usize| {
        u64::from_le_bytes(record[at * 8..at * 8 + 8].try_into().unwrap())
    };
    let times = |record: &[u8]| [field(record, 0), field(record, 1), field(record, 3)];
    let mut records: Vec<_> = bytes[HEADER_BYTES..]
        .chunks(RECORD_BYTES)
        .map(times)
        .collect();
    records.sort_unstable();
    (outcome, records)
}

#[test]
fn steps_and_ramps_are_one_schedule_after_the_warm_up() {
    let server = freeze(0, None);
    let mut plan = plan(server.port);
    plan["target"]["path"] = "/".into();
    plan["warmup_s"] = json!(0.5);
    plan["duration_s"] = 2.into();
    plan["threads"] = 2.into();
    plan["parts"] = json!([{"from_rps": 400, "to_rps": 400, "duration_s": 0.5},
        {"from_rps": 800, "to_rps": 800, "duration_s": 0.5},
        {"from_rps": 800, "to_rps": 200, "duration_s": 1}]);
    let (outcome, records) = recorded(plan, "steps");
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(outcome.totals()["offered"], 200 + 400 + 500);
    assert_eq!(records.len(), 200 + 1100);
    let start_ns = outcome.event("start")["start_ns"].as_u64().unwrap();
    let at = |slot: usize| records[slot][0] - start_ns;
    assert_eq!((at(0), at(399), at(400)), (0, 997_500_000, 1_000_000_000));
    assert_eq!(
        (at(401), at(799), at(800)),
        (1_001_250_000, 1_498_750_000, 1_500_000_000)
    );
    // 800 t - 300 t^2 = 250 has its root at 0.3616 s.
    assert!(at(1050).abs_diff(1_861_564_000) < 2_000_000, "{}", at(1050));
    assert!(at(1299) < 2_500_000_000);
}

#[test]
fn a_closed_loop_keeps_every_connection_busy_and_has_no_lag() {
    let server = freeze(0, None);
    for (protocol, depth) in [("h1", 1), ("h1-pipelined", 4)] {
        let mut plan = plan(server.port);
        plan["target"]["path"] = "/".into();
        plan["warmup_s"] = json!(0.2);
        (plan["protocol"], plan["pipeline"]) = (protocol.into(), depth.into());
        plan["closed_loop"] = true.into();
        let (outcome, records) = recorded(plan, protocol);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let (done, totals) = (outcome.event("done"), outcome.totals());
        assert_eq!(done["closed_loop"], true);
        assert_eq!(totals["offered"], totals["sent"]);
        assert_eq!(totals["good"], totals["sent"], "{totals}");
        assert_eq!(done["unfinished"], 0);
        let nothing = Times::default().encoded(&mut V2DeflateSerializer::new());
        for lag in ["own_fault_lag", "backlog_lag"] {
            assert_eq!(totals["histograms"][lag], nothing.as_str(), "{lag}");
        }
        assert_eq!(
            totals["histograms"]["response"],
            totals["histograms"]["service"]
        );
        let end_ns = outcome.event("start")["end_ns"].as_u64().unwrap();
        assert!(records.iter().all(|[intended, sent, _]| intended == sent));
        let late = records.iter().filter(|[_, sent, _]| *sent >= end_ns);
        assert!(
            late.count() as u64 <= depth,
            "only the one write that was under way as the end came"
        );
        // At one moment several may have been answered and not yet been asked again.
        let most = outcome
            .events
            .iter()
            .filter_map(|event| event["in_flight"].as_u64());
        assert!(most.max() <= Some(4 * depth));
        let start_ns = outcome.event("start")["start_ns"].as_u64().unwrap();
        let open_ns: u64 = records.iter().map(|[_, sent, last]| last - sent).sum();
        let mean = open_ns as f64 / (end_ns - start_ns) as f64;
        assert!(mean > 1.5 * depth as f64, "{mean} in flight in the mean");
    }
}

#[test]
fn slots_of_one_grain_leave_together_when_it_ends() {
    let server = freeze(0, None);
    let mut plan = plan(server.port);
    plan["target"]["path"] = "/".into();
    plan["rate_rps"] = 1000.into();
    plan["duration_s"] = 1.into();
    plan["grain_ns"] = 10_000_000.into();
    let (outcome, records) = recorded(plan, "grain");
    assert_eq!(outcome.totals()["good"], 1000, "{}", outcome.stderr);
    let start_ns = outcome.event("start")["start_ns"].as_u64().unwrap();
    for [intended_ns, sent_ns, _] in records {
        let grains = (intended_ns - start_ns).div_ceil(10_000_000);
        let end_ns = start_ns + grains * 10_000_000;
        assert!(
            sent_ns >= end_ns,
            "sent {} ns before its grain ended",
            end_ns - sent_ns
        );
    }
}

#[test]
fn a_closed_loop_ends_in_time_whatever_the_server_does() {
    for reply in [Reply::Reset, Reply::Never, Reply::WrongStatus] {
        let server = Server::start(move |_| reply);
        let mut plan = plan(server.port);
        plan["closed_loop"] = true.into();
        plan["timeout_ns"] = SHORT_TIMEOUT_NS.into();
        let begin = std::time::Instant::now();
        let outcome = run(&plan);
        assert!(
            begin.elapsed().as_secs_f64() < 15.0,
            "{reply:?} {:?}",
            begin.elapsed()
        );
        assert_eq!(outcome.totals()["good"], 0, "{reply:?}");
        let done = outcome.event("done");
        let ended = outcome.totals()["completed"].as_u64().unwrap();
        assert!(
            ended + done["unfinished"].as_u64().unwrap() >= 4,
            "{reply:?} {done}"
        );
    }
}

#[test]
fn a_thread_that_spins_keeps_its_processor_and_says_so() {
    let server = freeze(0, None);
    let mut plan = plan(server.port);
    plan["target"]["path"] = "/".into();
    let cpu_ns = |plan: &Value, chosen: &str| {
        let outcome = run(plan);
        assert_eq!(outcome.totals()["good"], 400, "{}", outcome.stderr);
        let done = outcome.event("done");
        assert_eq!(done["pace"]["chosen"], chosen);
        assert_eq!(done["pace"]["asked"], plan["pace"]);
        assert!(done["grain_ns"].as_u64().unwrap() > 0);
        done["cpu_ns"].as_u64().unwrap()
    };
    plan["pace"] = "sleep".into();
    let sleeping_ns = cpu_ns(&plan, "sleep");
    plan["pace"] = "spin".into();
    let spinning_ns = cpu_ns(&plan, "spin");
    // On a busy machine it gets less than the second, and still far more than a sleeper.
    assert!(spinning_ns > 2 * sleeping_ns, "{spinning_ns} {sleeping_ns}");
    plan["pace"] = "auto".into();
    plan["cpus"] = json!([]);
    cpu_ns(&plan, "sleep");
}
