//! The idiomatic stack: hyper on a tokio runtime per worker thread, with HTTP/2 where asked for.

mod gate;
mod header_case;
mod http2;
mod service;
mod worker;

pub use worker::start;
