//! The client half of HTTP/2 over plain TCP (RFC 9113, prior knowledge): no I/O, a limit on
//! everything that a server can send.

pub mod client;
pub mod frames;
pub mod hpack;
pub mod huffman;
mod receiving;
mod tables;
mod windows;

pub use client::{push_fields, Client, Event, Stream};
