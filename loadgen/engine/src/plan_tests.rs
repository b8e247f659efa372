//! What a plan may say, and which key an error names.

use super::*;
use serde_json::json;

fn valid() -> serde_json::Value {
    json!({"schema": 1, "target": {"address": "127.0.0.1", "port": 9000, "path": "/"},
           "scenario": null, "rate_rps": 10000.0, "warmup_s": 5.0, "duration_s": 30.0,
           "connections": 64, "threads": 1, "protocol": "h1", "pipeline": 1,
           "streams": 1, "arrivals": "uniform", "seed": 1, "grain_ns": 20000,
           "share": {"index": 0, "count": 1}, "timeout_ns": 10_000_000_000_u64,
           "parts": [], "closed_loop": false, "pace": "sleep",
           "cpus": [0], "start_at_ns": null, "records_path": null})
}

#[test]
fn the_contract_example_is_accepted() {
    let plan = Plan::parse(&valid().to_string()).unwrap();
    assert_eq!(plan.address().to_string(), "127.0.0.1:9000");
}

fn parts(of: &[(f64, f64, f64)]) -> serde_json::Value {
    let mut parts = Vec::new();
    for (from_rps, to_rps, duration_s) in of {
        parts.push(json!({"from_rps": from_rps, "to_rps": to_rps, "duration_s": duration_s}));
    }
    parts.into()
}

#[test]
fn parts_make_the_measured_part_together_and_need_a_schedule() {
    let mut plan = valid();
    plan["parts"] = parts(&[(1000.0, 1000.0, 10.0), (1000.0, 5000.0, 20.0)]);
    assert_eq!(Plan::parse(&plan.to_string()).unwrap().parts.len(), 2);
    plan["closed_loop"] = json!(true);
    assert_eq!(Plan::parse(&plan.to_string()).unwrap_err().place, "parts");
}

#[test]
fn wrong_values_are_named() {
    let cases = [
        ("/schema", json!(2), "schema"),
        ("/rate_rps", json!(0), "rate_rps"),
        ("/rate_rps", json!(1e7), "rate_rps"),
        ("/rate_rps", json!("fast"), "rate_rps"),
        ("/duration_s", json!(0), "duration_s"),
        ("/warmup_s", json!(-1), "warmup_s"),
        ("/connections", json!(0), "connections"),
        ("/threads", json!(65), "threads"),
        ("/grain_ns", json!(0), "grain_ns"),
        ("/protocol", json!("h3"), "protocol"),
        ("/pipeline", json!(4), "pipeline"),
        ("/streams", json!(4), "streams"),
        ("/share/index", json!(1), "share.index"),
        ("/target/address", json!("localhost"), "target.address"),
        ("/target/path", json!("x"), "target.path"),
        ("/target/path", json!(null), "scenario"),
        (
            "/target",
            json!({"address": "::1", "port": 0}),
            "target.port",
        ),
        ("/arrivals", json!("burst"), "arrivals"),
        ("/pace", json!("fast"), "pace"),
        ("/bucket", json!("old"), "bucket"),
        ("/target/payload", json!("hex"), "target.payload"),
        ("/target/payload", json!("md5"), "target.payload"),
        ("/target/credentials", json!("k3y"), "target.credentials"),
        (
            "/target/credentials",
            json!({"access_key": "k3y", "secret_key": ["k3y"]}),
            "target.credentials.secret_key",
        ),
        (
            "/target/credentials",
            json!({"access_key": "k3y\n", "secret_key": "k3y"}),
            "target.credentials.access_key",
        ),
        ("/parts", parts(&[(0.0, 1.0, 30.0)]), "parts[0].from_rps"),
        ("/parts", parts(&[(1.0, 1e7, 30.0)]), "parts[0].to_rps"),
        ("/parts", parts(&[(1.0, 1.0, 0.0)]), "parts[0].duration_s"),
        ("/parts", parts(&[(1.0, 1.0, 20.0)]), "parts"),
    ];
    for (pointer, value, place) in cases {
        let mut plan = valid();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        plan.pointer_mut(parent).unwrap()[key] = value;
        let fault = Plan::parse(&plan.to_string()).unwrap_err();
        assert!(!fault.to_string().contains("k3y"), "{fault}");
        assert_eq!(
            (fault.place.as_str(), fault.exit_code()),
            (place, 2),
            "{fault}"
        );
    }
}

#[test]
fn streams_go_with_h2c_and_pipelining_does_not() {
    let plan = |pipeline: u32, streams: u32| {
        let mut plan = valid();
        plan["protocol"] = "h2c".into();
        plan["pipeline"] = pipeline.into();
        plan["streams"] = streams.into();
        Plan::parse(&plan.to_string()).map_err(|fault| fault.place)
    };
    assert_eq!(plan(1, 16).unwrap().depth(), 16);
    for (pipeline, streams, place) in [(2, 16, "pipeline"), (1, 0, "streams"), (1, 1025, "streams")]
    {
        assert_eq!(plan(pipeline, streams).unwrap_err(), place);
    }
}

#[test]
fn an_unknown_key_is_named() {
    let mut plan = valid();
    plan["share"]["colour"] = json!(1);
    let fault = Plan::parse(&plan.to_string()).unwrap_err();
    assert_eq!(fault.place, "share.colour");
    assert_eq!(fault.what, "unknown field `colour`");
    let fault = Plan::parse(r#"{"schema": 1, "": [nonsense"#).unwrap_err();
    assert_eq!(fault.place, "plan", "a key may be empty, a place may not");
    assert!(Plan::parse("").is_err() && Plan::parse("[]").is_err());
    assert!(Plan::parse(&format!("{}{{}}", valid())).is_err());
}
