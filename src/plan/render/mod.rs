//! Sentences about a plan.

pub mod digest;
