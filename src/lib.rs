//! Keeps the stock and ETF universes of `TickStock` in step with the market.

pub mod cli;
pub mod demo;
pub mod doctor;
pub mod domain;
pub mod failure;
pub mod plan;
pub mod publish;
pub mod requests;
pub mod settings;
pub mod store;
pub mod stream;
pub mod worker;
