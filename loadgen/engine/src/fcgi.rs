//! The client half of FastCGI 1.0, as a web server asks a responder: one request at a time on a
//! connection that is kept; no I/O, a limit on everything that a responder can send.

mod cgi;
pub mod client;
pub mod params;
pub mod records;

pub use client::{Client, Ended};
pub use params::push_fields;
