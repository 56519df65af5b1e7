//! The vocabulary of the service.
pub mod calendar;
