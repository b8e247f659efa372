//! Runs either stack's workers until a signal, or a log that can write no more, ends them.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::log::{self, Queue, Recovered, Settings, Started, Tell};
use crate::s3::Shared;
use crate::store::Store;
use crate::{on_hyper, on_mio};

/// What a stack starts its workers with.
pub struct Setup {
    pub shared: Arc<Shared>,
    pub listeners: Vec<TcpListener>,
    pub log: LogSetup,
}

/// The log as it was found; `recovered` is `None` without one.
pub struct LogSetup {
    pub settings: Settings,
    pub recovered: Option<Recovered>,
    pub store: Arc<Store>,
    pub failed: oneshot::Sender<()>,
}

type Writer = JoinHandle<io::Result<()>>;

impl LogSetup {
    /// Starts the writer: a queue for each way back, in their order; none without a log.
    pub fn start<T: Send + 'static>(
        self,
        tells: Vec<Tell<T>>,
    ) -> io::Result<(Vec<Queue<T>>, Option<Writer>)> {
        let Some(recovered) = self.recovered else { return Ok((Vec::new(), None)) };
        let started = log::start(self.settings, recovered, self.store, tells, self.failed)?;
        let Started { queues, writer } = started;
        Ok((queues, Some(writer)))
    }
}

/// A stack at work.
pub struct Running {
    pub workers: Vec<JoinHandle<io::Result<()>>>,
    pub writer: Option<Writer>,
    /// Has the workers finish what is in flight.
    pub stop: Box<dyn Fn()>,
}

/// Which of the variants this process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    Hyper,
    /// hyper, with HTTP/2 for those who begin with its preface.
    H2,
    Mio,
}

pub fn serve(stack: Stack, setup: Setup, failing: oneshot::Receiver<()>) -> io::Result<()> {
    let running = match stack {
        Stack::Hyper | Stack::H2 => on_hyper::start(stack, setup),
        Stack::Mio => on_mio::start(setup),
    }?;
    wait_for_end(failing)?;
    (running.stop)();
    for worker in running.workers {
        worker.join().map_err(|_| io::Error::other("a worker panicked"))??;
    }
    let Some(writer) = running.writer else { return Ok(()) };
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
