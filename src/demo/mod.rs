//! The service on made data.
pub mod servers;
