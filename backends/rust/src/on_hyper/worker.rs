//! One worker: a thread with its own runtime, its own listener and its own connections.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::pin::pin;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;

use super::gate::Gate;
use super::header_case;
use super::http2::{self, Begun};
use super::service::{self, Connection, Ticket, Worker};
use crate::log::{Outcome, Queue, Tell};
use crate::s3::Rules;
use crate::serve::{Running, Setup, Stack};

/// Of the 2 s that the contract gives.
const FINISH_TIMEOUT: Duration = Duration::from_millis(1500);
/// When the process is out of descriptors, accepting again at once would only spin.
const ACCEPT_RETRY: Duration = Duration::from_millis(10);

/// Starts a worker for each listener.
pub fn start(stack: Stack, setup: Setup) -> io::Result<Running> {
    let (tells, answers): (Vec<Tell<Ticket>>, Vec<_>) =
        setup.listeners.iter().map(|_| way_back()).unzip();
    let (queues, writer) = setup.log.start(tells)?;
    let (end, ending) = watch::channel(false);
    let mut queues = queues.into_iter();
    let mut answers = answers.into_iter();
    let start = |(number, listener)| {
        let rules = Rules::new(setup.shared.clone(), number);
        let log = queues.next().zip(answers.next());
        let ending = ending.clone();
        let builder = thread::Builder::new().name(format!("worker-{number}"));
        builder.spawn(move || run(listener, rules, log, (stack, ending)))
    };
    let workers = setup.listeners.into_iter().enumerate().map(start);
    let workers = workers.collect::<io::Result<Vec<_>>>()?;
    let stop = Box::new(move || _ = end.send_replace(true));
    Ok(Running { workers, writer, stop })
}

type Batch = Vec<(Ticket, Outcome)>;

fn way_back() -> (Tell<Ticket>, mpsc::UnboundedReceiver<Batch>) {
    let (sender, answers) = mpsc::unbounded_channel();
    // A worker that has ended asks no more.
    let tell = move |batch| drop(sender.send(batch));
    (Box::new(tell), answers)
}

/// The way to the log's writer, and the way of its outcomes back.
type Log = (Queue<Ticket>, mpsc::UnboundedReceiver<Batch>);

/// Serves until `ending` turns true, then finishes what is in flight, within its time.
fn run(
    listener: TcpListener,
    rules: Rules,
    log: Option<Log>,
    kind: (Stack, watch::Receiver<bool>),
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, serve(listener, rules, log, kind))
}

/// The writer wakes this thread once a batch; what that answers is told from here.
async fn tell_handlers(mut answers: mpsc::UnboundedReceiver<Batch>) {
    while let Some(batch) = answers.recv().await {
        for (answer, outcome) in batch {
            let _ = answer.send(outcome); // a client that hung up waits no more
        }
    }
}

async fn serve(
    listener: TcpListener,
    rules: Rules,
    log: Option<Log>,
    (stack, mut ending): (Stack, watch::Receiver<bool>),
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let log = log.map(|(queue, answers)| {
        tokio::task::spawn_local(tell_handlers(answers));
        queue
    });
    let worker = Rc::new(Worker::new(rules, header_case::learn().await, log));
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
        let (worker, ending, alive) = (worker.clone(), ending.clone(), alive.clone());
        tokio::task::spawn_local(async move {
            match stack {
                Stack::H2 => serve_either(stream, worker, ending).await,
                Stack::Hyper | Stack::Mio => serve_http1(stream, &[], &worker, ending).await,
            }
            drop(alive);
        });
    }
    drop((listener, alive));
    // Whether all have finished or the time is up, the worker ends.
    let _ = tokio::time::timeout(FINISH_TIMEOUT, all_gone.recv()).await;
    Ok(())
}

/// HTTP/2 for a client that begins with its preface.
async fn serve_either(
    mut stream: TcpStream,
    worker: Rc<Worker>,
    mut ending: watch::Receiver<bool>,
) {
    let begun = tokio::select! {
        begun = http2::begin(&mut stream) => begun,
        _ = ending.wait_for(|ending| *ending) => return, // it has asked for nothing yet
    };
    match begun {
        Ok(Begun::Http2) => http2::serve(stream, worker, ending).await,
        Ok(Begun::Http1(read)) => serve_http1(stream, &read, &worker, ending).await,
        Err(_) => {} // the client is gone
    }
}

async fn serve_http1(
    stream: TcpStream,
    read: &[u8],
    worker: &Worker,
    mut ending: watch::Receiver<bool>,
) {
    let state = Connection::default();
    let gate = Gate::new(stream, state.refusals.clone(), read);
    let service = service_fn(async |request| {
        Ok::<_, Infallible>(service::handle(worker, &state, request).await)
    });
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
