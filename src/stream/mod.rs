//! Redis streams: reading and writing job requests.
pub mod connection;
pub mod consumer;
pub mod identity;
