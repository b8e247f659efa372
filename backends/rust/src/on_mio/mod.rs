//! The controlled stack: an event loop of its own on mio and httparse, built like the C backend's.
//!
//! A worker is one thread with one listener and one poll. Each event costs one read; all requests
//! that it brought are worked through, and their answers leave in one write.

mod answer;
mod call;
mod connection;
mod desk;
mod scan;
mod sending;
#[cfg(test)]
mod tests;
mod timed;
mod worker;

#[cfg(fuzzing)]
pub use desk::Desk;
pub use worker::start;
#[cfg(fuzzing)]
pub use worker::{Door, Worker};
