//! The planner from outside: scenario files that a person can read, and made markets against a slow oracle.

mod examples;
mod oracle;
mod properties;
mod quarantine_properties;
mod render;
mod replays;
mod scenario;
mod stability_properties;
mod theme_properties;
mod world;
