//! Requests of the bucket itself, before and after everything: one connection each, no hurry.

use crate::calendar;
use crate::connection::{Flight, PIECE_BYTES};
use crate::fault::Fault;
use crate::fcgi::{self, Ended};
use crate::h2::{Client, Event};
use crate::load::Load;
use crate::out::Out;
use crate::parser::Parser;
use crate::plan::{BucketRule, Plan, Spoken};
use crate::request::{method, Form};
use crate::scenario::Verb;
use crate::signing::{Request, Stamp};
use serde_json::json;
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;
use std::time::Duration;

/// `bucket`: makes the bucket and nothing else, so that whoever asked knows whose it is.
///
/// # Errors
/// As `make`.
pub fn run(plan: &Plan, _: &Arc<AtomicBool>, out: &Out) -> Result<bool, Fault> {
    make(plan)?;
    out.event(&json!({"event": "done", "bucket": name(plan)}));
    Ok(true)
}

/// Makes the bucket as the plan says. With `make`, one that is there already is good.
///
/// # Errors
/// What the target answered instead, or that it did not.
pub fn make(plan: &Plan) -> Result<(), Fault> {
    if plan.bucket == BucketRule::None {
        return Ok(());
    }
    if plan.bucket == BucketRule::New {
        let status = ask(plan, Verb::Head)?;
        if status != 404 {
            let found = format!("status {status}");
            let what = format!("the bucket {} is there already", name(plan));
            return Err(Fault::environment(place(plan), what, "404", found)
                .hint("delete it, or say that its objects may be replaced"));
        }
    }
    match ask(plan, Verb::Put)? {
        200 | 204 | 409 => Ok(()),
        status => Err(failed(
            plan,
            "made",
            "200 or 409",
            &format!("status {status}"),
        )),
    }
}

/// Deletes the bucket, which is empty; one that is gone already is good.
///
/// # Errors
/// As `make`.
pub fn delete(plan: &Plan) -> Result<(), Fault> {
    if plan.bucket == BucketRule::None {
        return Ok(());
    }
    match ask(plan, Verb::Delete)? {
        200 | 204 | 404 => Ok(()),
        status => Err(failed(plan, "deleted", "204", &format!("status {status}"))),
    }
}

fn place(plan: &Plan) -> String {
    format!("target {}", plan.address())
}

fn name(plan: &Plan) -> &str {
    let scenario = plan.scenario.as_ref();
    scenario.map_or("", |scenario| scenario.objects.bucket.as_str())
}

fn failed(plan: &Plan, deed: &str, expected: &str, found: &str) -> Fault {
    let what = format!("the bucket {} cannot be {deed}", name(plan));
    Fault::environment(place(plan), what, expected, found)
}

/// The answer's status.
fn ask(plan: &Plan, verb: Verb) -> Result<u16, Fault> {
    let timeout = Duration::from_nanos(plan.timeout_ns);
    let form = Form::new(plan);
    let mut signer = plan.target.signer(form.host());
    let stamp = signer.as_mut().map(|signer| {
        let request = Request {
            method: method(verb),
            path: form.bucket(),
            query: b"",
            content: signer.bodiless(),
        };
        signer.stamp(&request, calendar::now_s())
    });
    let exchange = match plan.spoken() {
        Spoken::Http1 => exchange_h1,
        Spoken::Http2 => exchange_h2,
        Spoken::FastCgi => exchange_fcgi,
    };
    let asked = TcpStream::connect_timeout(&plan.address(), timeout).and_then(|mut stream| {
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        exchange(&form, verb, stamp, &mut stream)
    });
    let deed = "asked for";
    match asked {
        Ok(Some(status)) => Ok(status),
        Ok(None) => Err(failed(plan, deed, "an answer", "the end of the stream")),
        Err(error) => Err(failed(plan, deed, "an answer", &error.to_string())),
    }
}

/// The answer's status, or none when the stream ended.
fn exchange_h1(
    form: &Form,
    verb: Verb,
    stamp: Option<&Stamp>,
    stream: &mut TcpStream,
) -> std::io::Result<Option<u16>> {
    let mut out = Vec::new();
    form.of_bucket(verb, stamp, &mut out);
    stream.write_all(&out)?;
    let mut parser = Parser::default();
    let mut buffer = [0; 4096];
    loop {
        let size = stream.read(&mut buffer)?;
        if size == 0 {
            return Ok(parser.end().map(|answer| answer.status));
        }
        match parser.feed(&buffer[..size], verb == Verb::Head, |_, _| {}) {
            Ok((_, Some(answer))) => return Ok(Some(answer.status)),
            Ok((_, None)) => {}
            Err(malformed) => return Err(std::io::Error::other(malformed.0)),
        }
    }
}

fn exchange_fcgi(
    form: &Form,
    verb: Verb,
    stamp: Option<&Stamp>,
    stream: &mut TcpStream,
) -> std::io::Result<Option<u16>> {
    let mut client = fcgi::Client::default();
    let mut out = Vec::new();
    client.of_bucket(form, verb, stamp, &mut out);
    stream.write_all(&out)?;
    let mut buffer = [0; 4096];
    loop {
        let size = stream.read(&mut buffer)?;
        match client.feed(&buffer[..size], verb == Verb::Head, |_, _| {}) {
            Ok((_, None)) if size > 0 => {}
            Ok((_, Some(Ended::Answered(answer)))) => return Ok(Some(answer.status)),
            Ok(_) => return Ok(None),
            Err(malformed) => return Err(std::io::Error::other(malformed.0)),
        }
    }
}

fn exchange_h2(
    form: &Form,
    verb: Verb,
    stamp: Option<&Stamp>,
    stream: &mut TcpStream,
) -> std::io::Result<Option<u16>> {
    let mut client = Client::default();
    let mut out = Vec::new();
    client.pump(PIECE_BYTES, &mut out);
    let mut flight = Flight::new(0, Load::Path.ask(0));
    flight.ask.verb = verb;
    flight.stream.id = client.of_bucket(form, verb, stamp, &mut out);
    let mut flights = VecDeque::from([flight]);
    let mut buffer = [0; 4096];
    loop {
        stream.write_all(&out)?;
        let size = stream.read(&mut buffer)?;
        let mut bytes = &buffer[..size];
        match client.next(&mut bytes, &mut flights, 0, |_, _, _| {}) {
            Ok(None) if size > 0 => {}
            Ok(Some(Event::Answered(at))) => return Ok(Some(flights[at].stream.answer.status)),
            Ok(_) => return Ok(None),
            Err(malformed) => return Err(std::io::Error::other(malformed.0)),
        }
        out.clear();
        client.pump(PIECE_BYTES, &mut out);
    }
}
