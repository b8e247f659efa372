//! One worker: a thread with its own event loop, its own listener and its own connections.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;

use crate::gate::Gate;
use crate::header_case;
use crate::log::Queue;
use crate::s3::{self, Connection, Shared, Worker};

const BACKLOG: i32 = 4096;
/// Of the 2 s that the contract gives.
const FINISH_TIMEOUT: Duration = Duration::from_millis(1500);
/// When the process is out of descriptors, accepting again at once would only spin.
const ACCEPT_RETRY: Duration = Duration::from_millis(10);

/// Binds one listener per worker. Several share the port by `SO_REUSEPORT`, which would also let a
/// second instance of this program in: a socket without it asks first whether the port is free.
pub fn bind(address: SocketAddr, workers: usize) -> io::Result<Vec<TcpListener>> {
    if workers == 1 {
        return Ok(vec![listen(&bind_one(address, false)?)?]);
    }
    drop(bind_one(address, false)?);
    (0..workers).map(|_| listen(&bind_one(address, true)?)).collect()
}

fn bind_one(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn listen(socket: &Socket) -> io::Result<TcpListener> {
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.try_clone()?.into())
}

/// Serves until `ending` turns true, then finishes what is in flight, within its time.
pub fn run(
    listener: TcpListener,
    shared: Arc<Shared>,
    log: Option<Queue>,
    ending: watch::Receiver<bool>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, serve(listener, shared, log, ending))
}

async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    mut log: Option<Queue>,
    mut ending: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    if let Some(mut answers) = log.as_mut().and_then(|queue| queue.answers.take()) {
        // The writer wakes this thread once a batch; what that answers is told from here.
        tokio::task::spawn_local(async move {
            while let Some(batch) = answers.recv().await {
                for (answer, outcome) in batch {
                    let _ = answer.send(outcome); // a client that hung up waits no more
                }
            }
        });
    }
    let worker = Rc::new(Worker::new(shared, header_case::learn().await, log));
    // Every connection holds a sender: when the last is gone, so are the connections.
    let (alive, mut all_gone) = mpsc::channel::<Infallible>(1);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = ending.wait_for(|ending| *ending) => break,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_RETRY).await;
            continue;
        };
        if stream.set_nodelay(true).is_err() {
            continue; // the client is gone already
        }
        let task = serve_connection(stream, worker.clone(), ending.clone());
        let alive = alive.clone();
        tokio::task::spawn_local(async move {
            task.await;
            drop(alive);
        });
    }
    drop((listener, alive));
    // Whether all have finished or the time is up, the worker ends.
    let _ = tokio::time::timeout(FINISH_TIMEOUT, all_gone.recv()).await;
    Ok(())
}

async fn serve_connection(
    stream: TcpStream,
    worker: Rc<Worker>,
    mut ending: watch::Receiver<bool>,
) {
    let state = Connection::default();
    let gate = Gate::new(stream, state.refusals.clone());
    let service =
        service_fn(async |request| Ok::<_, Infallible>(s3::handle(&worker, &state, request).await));
    let connection = http1::Builder::new()
        .half_close(true)
        .auto_date_header(false)
        .header_read_timeout(None) // the gate has the limits of time
        .serve_connection(gate, service);
    let mut connection = pin!(connection);
    // What goes wrong on a connection is its client's affair: never a line a request.
    let _ = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = ending.wait_for(|ending| *ending) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
}
