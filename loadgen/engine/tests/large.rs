//! Large bodies stream: the engine puts and gets an object whole, every byte right, and holds no
//! more of it than its buffers. `PAUSEMARK_LARGE_BYTES` asks for another size, such as 1 GiB.

#![allow(clippy::unwrap_used)] // helpers outside test functions unwrap as well

mod common;

use common::{plan, spawn, Outcome};
use pausemark_engine::body;
use pausemark_engine::h2::frames::{self as f, Head};
use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Child;
use std::time::Duration;

/// Of the engine, at its highest.
const RESIDENT_KIB_MAX: u64 = 64 << 10;
const PIECE_BYTES: usize = 16 << 10;
const STATUS_OK: &[u8] = b"\x88";
/// content-length as a literal with the static table's name.
const CONTENT_LENGTH: &[u8] = b"\x0f\x0d";

fn size() -> u64 {
    let asked = std::env::var("PAUSEMARK_LARGE_BYTES");
    asked.map_or(256 << 20, |text| text.parse().unwrap())
}

/// The body of object 0, piece after piece.
fn pieces(size: u64) -> impl Iterator<Item = Vec<u8>> {
    (0..size).step_by(PIECE_BYTES).map(move |offset| {
        let left = usize::try_from(size - offset).unwrap();
        let mut piece = vec![0; left.min(PIECE_BYTES)];
        body::fill(0, offset, &mut piece);
        piece
    })
}

/// A server of one object: takes a PUT of exactly its bytes, and answers a GET with them.
fn serve(converse: fn(TcpStream, u64) -> std::io::Result<()>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            stream.set_nodelay(true).unwrap();
            // The engine that has gone ends the conversation with an error.
            std::thread::spawn(move || drop(converse(stream, size())));
        }
    });
    port
}

fn converse_h1(stream: TcpStream, size: u64) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::with_capacity(PIECE_BYTES, stream);
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            reader.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        if head.starts_with(b"GET") {
            write!(writer, "HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n")?;
            for piece in pieces(size) {
                writer.write_all(&piece)?;
            }
            continue;
        }
        let mut right = true;
        for piece in pieces(size) {
            let mut found = vec![0; piece.len()];
            reader.read_exact(&mut found)?;
            right &= found == piece;
        }
        let status = if right { "200 OK" } else { "400 Bad" };
        write!(writer, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n")?;
    }
}

fn converse_h2(stream: TcpStream, size: u64) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::with_capacity(PIECE_BYTES, stream);
    let mut preface = [0; 24];
    reader.read_exact(&mut preface)?;
    let mut out = Vec::new();
    f::push(f::SETTINGS, 0, 0, &[], &mut out);
    let mut offset = 0;
    let mut right = true;
    loop {
        writer.write_all(&std::mem::take(&mut out))?;
        let mut head = [0; f::HEAD_BYTES];
        reader.read_exact(&mut head)?;
        let head = Head::parse(head);
        let mut payload = vec![0; head.length];
        reader.read_exact(&mut payload)?;
        let ends = head.flags & f::END_STREAM != 0;
        if head.kind == f::HEADERS && ends {
            send_h2(&mut writer, head.stream, size)?;
        } else if head.kind == f::DATA {
            right &= body::matches(0, offset, &payload);
            offset += payload.len() as u64;
            if !payload.is_empty() {
                let more = u32::try_from(payload.len()).unwrap().to_be_bytes();
                f::push(f::WINDOW_UPDATE, 0, 0, &more, &mut out);
                f::push(f::WINDOW_UPDATE, 0, head.stream, &more, &mut out);
            }
            if ends {
                let good = right && offset == size;
                let block = if good { STATUS_OK } else { b"\x8c" }; // 400
                let flags = f::END_HEADERS | f::END_STREAM;
                f::push(f::HEADERS, flags, head.stream, block, &mut out);
            }
        }
    }
}

fn send_h2(writer: &mut TcpStream, stream: u32, size: u64) -> std::io::Result<()> {
    let digits = size.to_string();
    let length = [u8::try_from(digits.len()).unwrap()];
    let block = [STATUS_OK, CONTENT_LENGTH, &length, digits.as_bytes()].concat();
    let mut out = Vec::new();
    f::push(f::HEADERS, f::END_HEADERS, stream, &block, &mut out);
    writer.write_all(&out)?;
    for piece in pieces(size) {
        out.clear();
        f::push(f::DATA, 0, stream, &piece, &mut out);
        writer.write_all(&out)?;
    }
    out.clear();
    f::push(f::DATA, f::END_STREAM, stream, &[], &mut out);
    writer.write_all(&out)
}

/// The highest resident set of a child until it ends.
fn resident_kib_most(child: &mut Child) -> u64 {
    let path = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let found = line.and_then(|line| line.trim().strip_suffix(" kB"));
        most = found.map_or(most, |digits| digits.parse().unwrap());
        std::thread::sleep(Duration::from_millis(20));
    }
    most
}

/// One request, whole.
fn moves(operation: &str, protocol: &str, port: u16) {
    let mut plan = plan(port);
    plan["scenario"]["objects"]["count"] = 1.into();
    plan["scenario"]["objects"]["size_bytes"] = size().into();
    plan["scenario"]["operations"][0]["name"] = operation.into();
    plan["protocol"] = protocol.into();
    plan["connections"] = 1.into();
    plan["rate_rps"] = 1.into();
    plan["timeout_ns"] = 300_000_000_000_u64.into();
    let mut child = spawn("run", &plan);
    let resident_kib = resident_kib_most(&mut child);
    let outcome = Outcome::of(child);
    let totals = outcome.totals();
    assert_eq!(
        (&totals["good"], &totals["completed"]),
        (&1.into(), &1.into()),
        "{totals}"
    );
    let (moved, checked) = if operation == "get" {
        ("bytes_in", 1)
    } else {
        ("bytes_out", 0)
    };
    assert!(totals[moved].as_u64().unwrap() >= size(), "{totals}");
    assert_eq!(outcome.event("done")["digests_checked"], checked);
    assert!(
        (1..RESIDENT_KIB_MAX).contains(&resident_kib),
        "{resident_kib} KiB were resident for a body of {} KiB",
        size() >> 10
    );
}

#[test]
fn a_large_put_streams() {
    moves("put", "h1", serve(converse_h1));
}

#[test]
fn a_large_get_streams() {
    moves("get", "h1", serve(converse_h1));
}

#[test]
fn a_large_put_streams_as_the_windows_of_http2_allow() {
    moves("put", "h2c", serve(converse_h2));
}

#[test]
fn a_large_get_streams_over_http2() {
    moves("get", "h2c", serve(converse_h2));
}
