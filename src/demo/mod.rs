//! The demo: a made market and the servers to show it on.

pub mod companies;
pub mod day;
pub mod funds;
pub mod industries;
pub mod invent;
pub mod load;
mod make;
pub mod market;
pub mod prices;
pub mod servers;
