//! placeholder
pub mod connection;
pub mod consumer;
pub mod identity;
