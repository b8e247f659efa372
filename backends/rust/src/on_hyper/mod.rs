//! The idiomatic stack: hyper on a tokio runtime per worker thread.

mod gate;
mod header_case;
mod service;
mod worker;

pub use worker::start;
