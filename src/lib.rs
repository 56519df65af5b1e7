//! Keeps the stock and ETF universes of `TickStock` in step with the market.

pub mod demo;
