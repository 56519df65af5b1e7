//! Values, jobs, plans and explanations in words: what the command line prints and the console shows, so that both say the
//! same.

pub mod explain;
pub mod job;
pub mod letter;
pub mod picture;
pub mod plan;
pub mod quarantine;
pub mod screen;
