//! HTTP/2 beside HTTP/1.1 on one port: told apart by the client's first bytes, and its limits.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, join};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::gate::PROGRESS_TIMEOUT;
use super::service::{self, Connection, Worker};
use crate::http::HEAD_BYTES_MAX;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Of one connection; the contract wants 100 at least.
const STREAMS_MAX: u32 = 128;
/// A client that answers no PING for so long is gone, also in the middle of a head: both together
/// are `PROGRESS_TIMEOUT`.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = PROGRESS_TIMEOUT.saturating_sub(PING_INTERVAL);
/// What a stream, and all of a connection, may send before it is read. hyper's are a MiB each: with
/// many connections the store's limit would not be the greatest part of the memory.
const WINDOW_BYTES: u32 = 256 << 10;
/// Of an answer that waits for its client.
const SEND_BYTES_MAX: usize = 128 << 10;

/// What a client began with.
pub enum Begun {
    /// All of the preface, which is read.
    Http2,
    /// What was read of something else.
    Http1(Vec<u8>),
}

/// Reads until the first bytes are the preface or cannot be. A client may take its time until it
/// begins, but not in the middle.
pub async fn begin(stream: &mut TcpStream) -> io::Result<Begun> {
    let mut first = [0; PREFACE.len()];
    let mut count = stream.read(&mut first).await?;
    while count > 0 && count < first.len() && PREFACE.starts_with(&first[..count]) {
        let read = timeout(PROGRESS_TIMEOUT, stream.read(&mut first[count..])).await??;
        if read == 0 {
            break;
        }
        count += read;
    }
    if first == PREFACE { Ok(Begun::Http2) } else { Ok(Begun::Http1(first[..count].to_vec())) }
}

/// Spawns on the worker's own thread.
#[derive(Clone)]
struct Local;

impl<F: Future + 'static> Executor<F> for Local {
    fn execute(&self, task: F) {
        drop(tokio::task::spawn_local(task));
    }
}

/// Serves streams until the client leaves, or until those that are open when it ends are done.
pub async fn serve(stream: TcpStream, worker: Rc<Worker>, mut ending: watch::Receiver<bool>) {
    let state = Rc::new(Connection::default());
    let service = service_fn(move |request| {
        let (worker, state) = (worker.clone(), state.clone());
        async move { Ok::<_, Infallible>(service::handle(&worker, &state, request).await) }
    });
    let (read, write) = stream.into_split();
    // The resets that a client, or its faults, may cause are limited as hyper has it.
    let connection = http2::Builder::new(Local)
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_send_buf_size(SEND_BYTES_MAX)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .serve_connection(TokioIo::new(join(PREFACE.chain(read), write)), service);
    let mut connection = std::pin::pin!(connection);
    let _ = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = ending.wait_for(|ending| *ending) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
}
