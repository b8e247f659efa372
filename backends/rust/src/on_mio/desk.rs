//! What a worker thread lends each of its connections in turn: buffers, the clock, the rules.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use mio::Registry;

use super::call::Call;
use super::timed::Timed;
use crate::log::Queue;
use crate::s3::{self, Rules};

/// What one read takes.
pub const INPUT_BYTES: usize = 64 << 10;
/// With more than this in the output, it is sent before the next request is worked on.
pub const OUTPUT_BYTES_FULL: usize = OUTPUT_BYTES - ANSWER_BYTES_MAX;
const OUTPUT_BYTES: usize = 256 << 10;
/// A head whose headers came in one, and content that is copied behind it.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Whose write it was; the number tells a connection from the next one in its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub slot: usize,
    pub number: u64,
}

pub struct Desk {
    pub registry: Registry,
    pub rules: Rules,
    /// The way to the log's writer; `None` when there is no log.
    pub log: Option<Queue<Ticket>>,
    /// Room for what a connection had left over, and for one read behind it.
    pub input: Vec<u8>,
    pub output: Vec<u8>,
    pub timed: Timed,
    /// Slots whose socket may hold more than one read took: its turn is in the next round.
    pub again: Vec<usize>,
    pub is_stopping: bool,
    pub now_s: u64,
    /// The Date of one second.
    pub date: [u8; 29],
    date_s: u64,
    begun: Instant,
    #[expect(clippy::vec_box, reason = "a call goes to a connection by its pointer")]
    free_calls: Vec<Box<Call>>,
}

impl Desk {
    pub fn new(registry: Registry, rules: Rules, log: Option<Queue<Ticket>>) -> Self {
        let mut desk = Self {
            registry,
            rules,
            log,
            input: vec![0; 2 * INPUT_BYTES],
            output: Vec::with_capacity(OUTPUT_BYTES),
            timed: Timed::new(),
            again: Vec::new(),
            is_stopping: false,
            now_s: 0,
            date: [0; 29],
            date_s: 0,
            begun: Instant::now(),
            free_calls: Vec::new(),
        };
        desk.tick();
        desk
    }

    /// Reads the clocks, once a round.
    pub fn tick(&mut self) {
        self.now_s = self.begun.elapsed().as_secs();
        let now = SystemTime::now();
        let wall_s = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if wall_s != self.date_s {
            (self.date_s, self.date) = (wall_s, s3::http_date(now));
        }
    }

    pub fn is_output_full(&self) -> bool {
        self.output.len() > OUTPUT_BYTES_FULL
    }

    pub fn take_call(&mut self) -> Box<Call> {
        self.free_calls.pop().unwrap_or_else(|| Box::new(Call::new()))
    }

    pub fn give_call(&mut self, mut call: Box<Call>) {
        call.reset();
        self.free_calls.push(call);
    }
}
