//! stdout as JSON lines; a reader that has gone stops the run.

use serde_json::Value;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

#[derive(Clone, Debug)]
pub struct Out {
    stop: Arc<AtomicBool>,
}

impl Out {
    #[must_use]
    pub fn new(stop: Arc<AtomicBool>) -> Self {
        Self { stop }
    }

    /// Writes one event, at once.
    pub fn event(&self, event: &Value) {
        let mut stdout = std::io::stdout().lock();
        let written = writeln!(stdout, "{event}").and_then(|()| stdout.flush());
        if written.is_err() {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}
