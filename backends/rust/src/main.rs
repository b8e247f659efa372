//! `pausemark-rust` is the Rust backend: the S3 subset of backends/CONTRACT.md on hyper.

mod arguments;
mod gate;
mod header_case;
mod s3;
mod store;
mod worker;

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use arguments::Arguments;
use s3::Shared;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

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
    let listeners = match worker::bind(arguments.address, arguments.threads) {
        Ok(listeners) => listeners,
        Err(error) => {
            eprintln!("error: listen: cannot bind {}: {error}", arguments.address);
            return EXIT_ENVIRONMENT.into();
        }
    };
    eprintln!("listening on {}, threads={}", arguments.address, arguments.threads);
    match serve(&arguments, listeners) {
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

/// Runs the workers until a signal has ended them.
fn serve(arguments: &Arguments, listeners: Vec<std::net::TcpListener>) -> io::Result<()> {
    let shared = Arc::new(Shared::new(arguments.object_bytes_max, arguments.store_bytes_max));
    let (end, ending) = watch::channel(false);
    let workers = listeners
        .into_iter()
        .enumerate()
        .map(|(number, listener)| {
            let (shared, ending) = (shared.clone(), ending.clone());
            let builder = thread::Builder::new().name(format!("worker-{number}"));
            builder.spawn(move || worker::run(listener, shared, ending))
        })
        .collect::<io::Result<Vec<_>>>()?;
    wait_for_signal()?;
    end.send_replace(true);
    for worker in workers {
        worker.join().map_err(|_| io::Error::other("a worker panicked"))??;
    }
    Ok(())
}

fn wait_for_signal() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok(())
    })
}
