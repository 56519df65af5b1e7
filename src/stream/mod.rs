//! The job stream: what stands in an entry, and who writes and reads it.
//!
//! [`entry`] is pure and knows the fields of a job request and of a dead letter; [`producer`] puts requests on the stream.

pub mod entry;
pub mod producer;
