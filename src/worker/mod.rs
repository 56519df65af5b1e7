//! placeholder
pub mod identity;
