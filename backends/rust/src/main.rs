//! `pausemark-rust` is the Rust backend: the S3 subset of backends/CONTRACT.md on hyper.

#[cfg(test)]
mod allocations;
mod arguments;
mod conditions;
mod content;
mod http;
mod kept;
mod listen;
mod log;
mod object;
mod on_hyper;
mod on_mio;
mod ready;
mod restore;
mod s3;
mod serve;
mod spare;
mod store;
mod uploads;

use std::process::ExitCode;
use std::sync::Arc;

use log::{Durability, LogError, Recovered, Settings};
use s3::Shared;
use serve::{LogSetup, Setup};
use store::Store;
use tokio::sync::oneshot;

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
    let listeners = match listen::bind(arguments.address, arguments.threads) {
        Ok(listeners) => listeners,
        Err(error) => {
            eprintln!("error: listen: cannot bind {}: {error}", arguments.address);
            return EXIT_ENVIRONMENT.into();
        }
    };
    eprintln!("listening on {}, threads={}", arguments.address, arguments.threads);
    let (failed, failing) = oneshot::channel();
    let log = LogSetup { settings: arguments.log, recovered, store: store.clone(), failed };
    let (object_bytes_max, credentials) = (arguments.object_bytes_max, arguments.credentials);
    let shared = Arc::new(Shared { store, object_bytes_max, credentials });
    match serve::serve(arguments.stack, Setup { shared, listeners, log }, failing) {
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
fn recover(settings: &Settings, store: &Arc<Store>) -> Result<Option<Recovered>, LogError> {
    if settings.durability == Durability::Ram {
        return Ok(None);
    }
    let recovered = log::recover(settings, |record| restore::apply(store, record))?;
    eprintln!("recovered {} records from {}", recovered.last_lsn, settings.directory.display());
    Ok(Some(recovered))
}
