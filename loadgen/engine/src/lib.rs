//! The engine's parts; `main.rs` is a table of contents over them, the tests use them directly.

mod answers;
pub mod body;
pub mod connection;
pub mod draw;
pub mod fault;
pub mod h2;
pub mod key;
pub mod kind;
pub mod load;
pub mod out;
pub mod pace;
pub mod parser;
pub mod plan;
pub mod preload;
pub mod profile;
pub mod records;
pub mod request;
pub mod run;
pub mod scenario;
pub mod schedule;
mod sending;
pub mod session;
pub mod stats;
mod streams;
pub mod system;
pub mod worker;
