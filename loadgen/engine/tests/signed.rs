//! A signed run as a program: what is on the wire, what is counted, and that no key is told.

#![allow(clippy::unwrap_used)] // helpers outside test functions unwrap as well

mod common;

use common::{plan, run, spawn, Outcome};
use serde_json::{json, Value};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

const SECRET: &str = "a-secret-that-nobody-may-see";

/// Answers every request well and keeps its head.
struct Store {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Store {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heads);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || serve(stream, &kept));
            }
        });
        Self { port, heads }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, kept: &Mutex<Vec<String>>) {
    let mut pending = Vec::new();
    let mut buffer = vec![0; 65536];
    loop {
        let size = stream.read(&mut buffer).unwrap_or(0);
        if size == 0 {
            return;
        }
        pending.extend_from_slice(&buffer[..size]);
        while let Some(end) = pending.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(pending[..end + 4].to_vec()).unwrap();
            let body: usize =
                field(&head, "Content-Length").map_or(0, |size| size.parse().unwrap());
            if pending.len() < end + 4 + body {
                break;
            }
            pending.drain(..end + 4 + body);
            let answer: &[u8] = if head.starts_with("HEAD ") {
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
            } else {
                b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
            };
            kept.lock().unwrap().push(head);
            stream.write_all(answer).unwrap();
        }
    }
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn signed_plan(port: u16, payload: &str) -> Value {
    let mut plan = plan(port);
    plan["scenario"]["operations"] = json!([{"name": "put", "weight": 1, "status": 200}]);
    plan["target"]["payload"] = payload.into();
    plan["target"]["credentials"] =
        json!({"access_key": "KEY", "secret_key": SECRET, "region": "eu-west-3"});
    plan
}

#[test]
fn every_request_is_signed_before_its_time_and_no_key_is_told() {
    let store = Store::start();
    let outcome = run(&signed_plan(store.port, "hex"));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let done = outcome.event("done");
    assert_eq!(done["totals"]["good"], done["totals"]["offered"]);
    assert_eq!(done["signed_late"], 0);
    let heads = store.heads();
    assert!(heads.len() > 100);
    let mut contents = BTreeSet::new();
    for head in &heads {
        let authorization = field(head, "Authorization").unwrap();
        let date = field(head, "x-amz-date").unwrap();
        let scope = format!("KEY/{}/eu-west-3/s3/aws4_request", &date[..8]);
        assert!(
            authorization.contains(&format!("Credential={scope}, ")),
            "{head}"
        );
        contents.insert(field(head, "x-amz-content-sha256").unwrap());
    }
    assert!(contents.len() > 1, "each object has a digest of its own");
    let told = format!("{:?} {}", outcome.events, outcome.stderr);
    assert!(!told.contains(SECRET) && !told.contains("KEY"), "{told}");
}

#[test]
fn the_bucket_is_made_filled_emptied_and_deleted_signed() {
    let store = Store::start();
    let mut plan = signed_plan(store.port, "unsigned");
    plan["bucket"] = "new".into();
    let made = Outcome::of(spawn("bucket", &plan));
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let gone = Outcome::of(spawn("cleanup", &plan));
    assert_eq!(gone.code, Some(0), "{}", gone.stderr);
    let count = plan["scenario"]["objects"]["count"].as_u64().unwrap();
    assert_eq!(gone.event("done")["objects"], count);
    let heads = store.heads();
    let begins: Vec<&str> = heads
        .iter()
        .map(|head| head.split(" HTTP").next().unwrap())
        .collect();
    assert_eq!(&begins[..2], ["HEAD /bench", "PUT /bench"]);
    assert_eq!(begins.last(), Some(&"DELETE /bench"));
    let deleted: BTreeSet<_> = begins[2..begins.len() - 1].iter().collect();
    assert_eq!(deleted.len() as u64, count);
    assert!(heads
        .iter()
        .all(|head| field(head, "x-amz-content-sha256") == Some("UNSIGNED-PAYLOAD")));
}

#[test]
fn a_bucket_that_was_there_is_refused_where_it_must_be_new() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            drop(stream.read(&mut [0; 4096]));
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
        }
    });
    let mut plan = signed_plan(port, "unsigned");
    plan["bucket"] = "new".into();
    let refused = Outcome::of(spawn("bucket", &plan));
    assert_eq!(refused.code, Some(4));
    assert!(
        refused.stderr.contains("is there already"),
        "{}",
        refused.stderr
    );
    plan["bucket"] = "make".into();
    assert_eq!(Outcome::of(spawn("bucket", &plan)).code, Some(0));
}
