//! Everything that is read from Redis and written to it.
//!
//! [`producer`] puts requests on the job stream, [`consumer`] reads them as one of a group of workers, [`dead`] keeps
//! what can't be worked on. [`publisher`] writes events and status of a job in one script, at most once each, [`events`]
//! reads the events of a job. [`stream_state`] reads how the stream stands, and [`subscription`] hears what is published
//! on channels. [`connection`] makes the connections for all of it, `shared` is the one for ordinary commands, and
//! [`sentinel`] knows where the server is that they lead to. [`rights`] names what the user may not do. The shapes of what
//! is written are [`wire`](crate::wire)'s.

pub mod connection;
pub mod consumer;
pub mod dead;
pub mod events;
pub mod identity;
#[cfg(test)]
pub(crate) mod private_redis;
pub mod producer;
pub mod publisher;
pub mod rights;
pub mod sentinel;
mod shared;
pub mod stream_state;
pub mod subscription;
