//! The job stream: what stands in an entry, and who writes and reads it.
//!
//! [`entry`] is pure and knows the fields of a job request and of a dead letter. [`producer`] puts requests on the
//! stream, [`consumer`] reads them as one of a group of workers, [`dead`] keeps what can't be worked on. [`events`] reads
//! what a job told, [`state`] how the stream stands, and [`subscription`] hears what is published on channels.
//! [`connection`] makes the connections for all of it, [`sentinel`] knows where the server is that they lead to.

pub mod connection;
pub mod consumer;
pub mod dead;
pub mod entry;
pub mod events;
pub mod identity;
pub mod producer;
pub mod rights;
pub mod sentinel;
pub mod state;
pub mod subscription;
