//! `pausemark-engine hiccup` as a program: a line a second and CPU, an end when it is asked.

#![allow(clippy::unwrap_used)] // helpers outside test functions unwrap as well

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

fn engine(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pausemark-engine"));
    command
        .args(words)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A CPU that this process may use.
fn cpu() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let allowed = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .unwrap();
    let first = allowed.trim().split([',', '-']).next().unwrap();
    first.to_owned()
}

#[test]
fn it_tells_every_second_how_late_it_woke_until_it_is_asked_to_end() {
    let mut child = engine(&["hiccup", "--cpus", &cpu()]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    let ready = next();
    assert_eq!(
        (&ready["event"], &ready["interval_ns"]),
        (&"ready".into(), &2_000_000.into())
    );
    let (first, second) = (next(), next());
    assert_eq!(first["event"], "second");
    assert_eq!(first["end_ns"], second["start_ns"]);
    // A point every 2 ms, and those of a wake-up that came after the end.
    assert!(first["count"].as_u64().unwrap() >= 501);
    assert!(first["hiccups"].as_str().unwrap().starts_with("HISTF"));
    assert!(first["max_ns"].as_u64().unwrap() > 0);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let mut last = next();
    while last["event"] == "second" {
        last = next();
    }
    assert_eq!(last["event"], "done");
    assert!(last["cpu_ns"].as_u64().unwrap() > 0);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_cpu_that_is_not_there_is_refused_by_number() {
    let output = engine(&["hiccup", "--cpus", "1000"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("1000") && said.contains("hint"), "{said}");
}
