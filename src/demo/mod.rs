//! The demo: a made market and the servers to show it on.
//!
//! [`market`] makes a whole stock market from a seed, [`day`] moves it on by one day, [`load`] puts both into
//! Postgres. The rest is what the market is made of: [`companies`] and [`funds`] everyone knows, [`industries`],
//! invented names ([`invent`]) and past prices ([`prices`]).

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
