//! `pausemark-rust` is the Rust backend: the S3 subset of backends/CONTRACT.md on hyper.

mod arguments;
mod content;
mod gate;
mod header_case;
mod log;
mod restore;
mod s3;
mod store;
mod uploads;
mod worker;

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use arguments::Arguments;
use log::{Durability, LogError, Recovered, Settings, Started};
use s3::Shared;
use store::Store;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};

const EXIT_FAILED: u8 = 1;
const EXIT_WRONG_USE: u8 = 2;
const EXIT_ENVIRONMENT: u8 = 4;

fn main() -> ExitCode {
    let arguments = match arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("error: flags: {message}");
            return EXIT_WRONG_USE.into();
        }
    };
    if arguments.version {
        println!("pausemark-rust {}", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    let store = Arc::new(Store::new(arguments.store_bytes_max));
    let recovered = match recover(&arguments.log, &store) {
        Ok(recovered) => recovered,
        Err(LogError::Environment(message)) => {
            eprintln!("error: {message}");
            return EXIT_ENVIRONMENT.into();
        }
        Err(LogError::Corrupt(message)) => {
            eprintln!("error: {message}");
            return EXIT_FAILED.into();
        }
    };
    let listeners = match worker::bind(arguments.address, arguments.threads) {
        Ok(listeners) => listeners,
        Err(error) => {
            eprintln!("error: listen: cannot bind {}: {error}", arguments.address);
            return EXIT_ENVIRONMENT.into();
        }
    };
    eprintln!("listening on {}, threads={}", arguments.address, arguments.threads);
    match serve(&arguments, store, recovered, listeners) {
        Ok(()) => {
            eprintln!("stopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: serve: {error}");
            EXIT_FAILED.into()
        }
    }
}

/// What the log holds goes into the store; `None` without a log.
fn recover(settings: &Settings, store: &Store) -> Result<Option<Recovered>, LogError> {
    if settings.durability == Durability::Ram {
        return Ok(None);
    }
    let recovered = log::recover(settings, |record| restore::apply(store, record))?;
    eprintln!("recovered {} records from {}", recovered.last_lsn, settings.directory.display());
    Ok(Some(recovered))
}

/// Runs the workers until a signal, or a log that can write no more, has ended them.
fn serve(
    arguments: &Arguments,
    store: Arc<Store>,
    recovered: Option<Recovered>,
    listeners: Vec<std::net::TcpListener>,
) -> io::Result<()> {
    let (failed, failing) = oneshot::channel();
    let log = recovered.map(|recovered| {
        log::start(arguments.log.clone(), recovered, store.clone(), listeners.len(), failed)
    });
    let (queues, writer) = match log.transpose()? {
        Some(Started { queues, writer }) => (queues, Some(writer)),
        None => (Vec::new(), None),
    };
    let shared =
        Arc::new(Shared::new(arguments.object_bytes_max, store, arguments.credentials.clone()));
    let (end, ending) = watch::channel(false);
    let mut queues = queues.into_iter();
    let workers = listeners
        .into_iter()
        .enumerate()
        .map(|(number, listener)| {
            let (shared, log, ending) = (shared.clone(), queues.next(), ending.clone());
            let builder = thread::Builder::new().name(format!("worker-{number}"));
            builder.spawn(move || worker::run(listener, shared, log, ending))
        })
        .collect::<io::Result<Vec<_>>>()?;
    wait_for_end(failing)?;
    end.send_replace(true);
    for worker in workers {
        worker.join().map_err(|_| io::Error::other("a worker panicked"))??;
    }
    let Some(writer) = writer else { return Ok(()) };
    writer.thread().unpark(); // every queue is gone: it syncs what is left, and ends
    writer.join().map_err(|_| io::Error::other("the log's writer panicked"))?
}

fn wait_for_end(failing: oneshot::Receiver<()>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            Ok(()) = failing => {} // its sender is dropped at once when there is no log
        }
        Ok(())
    })
}
