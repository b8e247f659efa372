//! The engine's parts; `main.rs` is a table of contents over them, the tests use them directly.

pub mod body;
pub mod draw;
pub mod fault;
pub mod plan;
pub mod scenario;
pub mod schedule;
pub mod parser;
pub mod kind;
pub mod load;
pub mod records;
pub mod request;
pub mod system;
mod answers;
pub mod connection;
pub mod stats;
pub mod worker;
pub mod out;
pub mod preload;
pub mod run;
pub mod session;
